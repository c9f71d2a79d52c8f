//! What is said in the end: each key, each stored thing, a table.

use serde::Serialize;

use super::kinds::{Item, Kind, Outcome, Reason};
use super::mapping::{KeyOutcome, Mapping};
use crate::exit::Exit;
use crate::output::Output;

/// How many lines of one outcome are shown of a kind; `--json` has all.
const SHOWN: usize = 200;

#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub(super) dry_run: bool,
    /// What became of each key of the configuration.
    pub(super) configuration: &'a [super::mapping::KeyLine],
    /// The text of Assay's configuration.
    pub(super) settings: &'a str,
    pub(super) kinds: &'a [Kind],
}

/// Prints the report. The exit code: 0 when all was taken, 10 when something was refused, 1 when a kind could
/// not be read or written.
pub(super) fn print(
    mapping: &Mapping,
    settings: &str,
    kinds: &[Kind],
    dry_run: bool,
    out: Output,
) -> anyhow::Result<Exit> {
    out.value(&Report { dry_run, configuration: &mapping.lines, settings, kinds })?;
    configuration(mapping, out)?;
    for kind in kinds {
        stored(kind, out)?;
    }
    table(kinds, dry_run, out)?;
    let counts = kinds.iter().map(Kind::counts);
    Ok(if kinds.iter().any(|kind| kind.failed.is_some()) {
        Exit::Failure
    } else if mapping.refused() > 0 || counts.map(|counts| counts.refused).sum::<usize>() > 0 {
        Exit::Rejected
    } else {
        Exit::Success
    })
}

fn configuration(mapping: &Mapping, out: Output) -> anyhow::Result<()> {
    out.line("configuration")?;
    for line in &mapping.lines {
        let key = &line.key;
        match &line.outcome {
            KeyOutcome::Taken { to, note } => {
                let note = if note.is_empty() { String::new() } else { format!(": {note}") };
                out.line(format!("  ✓ {key} → {}{note}", to.join(", ")))?;
            }
            KeyOutcome::Read { note } => out.line(format!("  ✓ {key}: {note}"))?,
            KeyOutcome::NotNeeded { reason } => out.line(format!("  – {key}: not needed: {reason}"))?,
            KeyOutcome::Refused { reason, instead } => {
                out.line(format!("  ✗ {key}: {reason}\n      to do    {instead}"))?;
            }
        }
    }
    Ok(())
}

fn stored(kind: &Kind, out: Output) -> anyhow::Result<()> {
    out.line(format!("\n{}: {}", kind.kind, kind.from))?;
    if let Some(reason) = &kind.failed {
        refused("nothing was taken", reason, out)?;
    }
    let counts = kind.counts();
    let mut left = [SHOWN, SHOWN];
    for Item { name, outcome } in &kind.items {
        match outcome {
            Outcome::Taken if take(&mut left, 0) => out.line(format!("  ✓ {name}"))?,
            Outcome::Refused(reason) if take(&mut left, 1) => refused(name, reason, out)?,
            Outcome::Taken | Outcome::Unchanged | Outcome::Refused(_) => {}
        }
    }
    let more = counts.taken.saturating_sub(SHOWN) + counts.refused.saturating_sub(SHOWN);
    if more > 0 {
        out.line(format!("  … and {more} more; --json has all"))?;
    }
    for note in &kind.notes {
        out.line(format!("  note: {note}"))?;
    }
    Ok(())
}

/// Whether one more line of this outcome is shown.
fn take(left: &mut [usize; 2], which: usize) -> bool {
    left.get_mut(which).is_some_and(|left| {
        let any = *left > 0;
        *left = left.saturating_sub(1);
        any
    })
}

fn refused(name: &str, reason: &Reason, out: Output) -> anyhow::Result<()> {
    let code = reason.code.map(|code| format!("{code} ")).unwrap_or_default();
    // Names are foreign, and one line each.
    let name: String =
        name.chars().map(|c| if c == '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect();
    out.line(format!("  ✗ {name}: {code}{}", reason.reason))?;
    if let Some(instead) = reason.instead {
        out.line(format!("      to do    {instead}"))?;
    }
    Ok(())
}

fn table(kinds: &[Kind], dry_run: bool, out: Output) -> anyhow::Result<()> {
    let taken = if dry_run { "to take" } else { "taken" };
    out.line(format!("\n{:<22} {taken:>9} {:>9} {:>9}", "", "unchanged", "refused"))?;
    for kind in kinds {
        let counts = kind.counts();
        let mark = if kind.failed.is_some() { "  ✗ not read or written" } else { "" };
        out.line(format!(
            "{:<22} {:>9} {:>9} {:>9}{mark}",
            kind.kind, counts.taken, counts.unchanged, counts.refused
        ))?;
    }
    if dry_run {
        out.line("\nNothing was changed (--dry-run); what the store has already was not looked at.")?;
    }
    Ok(())
}
