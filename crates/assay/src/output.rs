//! What commands print: text for people, or JSON for programs.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use assay_types::{Finding, Outcome};
use serde::Serialize;

/// Where output goes, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// One line of text for people; nothing with `--json`.
    pub(crate) fn line(self, text: impl AsRef<str>) -> anyhow::Result<()> {
        if !self.json {
            writeln!(io::stdout(), "{}", printable(text.as_ref()))?;
        }
        Ok(())
    }

    /// The result for programs; nothing without `--json`.
    pub(crate) fn value(self, value: &impl Serialize) -> anyhow::Result<()> {
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(value)?)?;
        }
        Ok(())
    }

    /// The result: `text` for people or `value` for programs.
    pub(crate) fn both(self, text: impl AsRef<str>, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(text)?;
        self.value(value)
    }
}

/// Raw bytes to standard output; a newline after them on a terminal only.
pub(crate) fn raw(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    if io::stdout().is_terminal() && !bytes.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// A remark to standard error.
pub(crate) fn note(text: impl AsRef<str>) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(io::stderr(), "{}", printable(text.as_ref()));
}

/// The text without control characters but for tabs and ends of lines. What is shown of evidence and files
/// is others' word, and must not steer the terminal.
fn printable(text: &str) -> String {
    let shown =
        |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

/// A whole file, or standard input for `-`; at most 64 MiB.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    const MAX: u64 = 64 << 20;
    let mut bytes = Vec::new();
    let what = || format!("reading {}", path.display());
    if path == Path::new("-") {
        io::stdin().take(MAX + 1).read_to_end(&mut bytes).with_context(what)?;
    } else {
        std::fs::File::open(path)
            .with_context(what)?
            .take(MAX + 1)
            .read_to_end(&mut bytes)
            .with_context(what)?;
    }
    anyhow::ensure!(u64::try_from(bytes.len())? <= MAX, "{} is larger than 64 MiB", path.display());
    Ok(bytes)
}

/// Text from [`read`].
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{} is not UTF-8 text", path.display()))
}

/// Writes a file, or standard output for `-`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return raw(bytes);
    }
    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// The findings that matter, a few lines each: the failed ones, then those not made.
pub(crate) fn findings(findings: &[Finding]) -> String {
    let mut out = String::new();
    let (dependent, findings): (Vec<_>, Vec<_>) = findings.iter().partition(|f| f.depends_on_a_failed_one());
    for (outcome, mark) in [(Outcome::Failed, "✗"), (Outcome::NotChecked, "–")] {
        for finding in findings.iter().copied().filter(|f| f.outcome == outcome) {
            out.push_str(&format!("  {mark} {} {}", finding.code, finding.check));
            if outcome == Outcome::Failed {
                if !finding.expected.is_empty() {
                    out.push_str(&format!("\n      expected  {}", shorten(&finding.expected)));
                }
                if !finding.found.is_empty() {
                    out.push_str(&format!("\n      found     {}", shorten(&finding.found)));
                }
            }
            if !finding.detail.is_empty() {
                let lead = if outcome == Outcome::Failed { "\n      why       " } else { ": " };
                out.push_str(&format!("{lead}{}", finding.detail));
            }
            if outcome == Outcome::Failed && !finding.remedy.is_empty() {
                out.push_str(&format!("\n      to do     {}", finding.remedy));
            }
            out.push('\n');
        }
    }
    if !dependent.is_empty() {
        out.push_str(&format!("  – {} checks that need what failed were not made\n", dependent.len()));
    }
    out
}

/// Long values, hexadecimal ones mostly, cut in the middle; `--json` has them whole.
fn shorten(text: &str) -> String {
    const KEEP: usize = 40;
    let count = text.chars().count();
    if count <= 2 * KEEP + 3 {
        return text.to_owned();
    }
    let head: String = text.chars().take(KEEP).collect();
    let tail: String = text.chars().skip(count - KEEP).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_that_is_shown_steers_the_terminal() {
        assert_eq!(printable("a\tb\n\u{1b}[2Kc\rd\u{9b}e ✗"), "a\tb\n\u{fffd}[2Kc\u{fffd}d\u{fffd}e ✗");
    }
}
