//! The `Accept` header (RFC 9110, section 12.5.1), as far as it asks for attestation results.

/// The longest header that is read, in bytes.
pub(crate) const MAX_ACCEPT_BYTES: usize = 4096;

/// One range of media types with its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaRange {
    /// `type/subtype` in lower case; either may be `*`.
    pub(crate) essence: String,
    /// The parameter `eat_profile` (RFC 9782, section 3).
    pub(crate) profile: Option<String>,
    /// The weight in thousandths.
    pub(crate) weight: u16,
}

/// The ranges of a header. One that cannot be read asks for nothing, as servers have always taken it:
/// there are clients that send such ones beside good ones.
pub(crate) fn ranges(header: &str) -> Vec<MediaRange> {
    split(header).into_iter().filter_map(|parts| range(&parts)).collect()
}

/// The elements of the list, each cut into range and parameters: at commas and semicolons that are not
/// quoted. The comma in a tag URI that is not quoted, as it should be, is taken as part of it.
fn split(header: &str) -> Vec<Vec<String>> {
    let mut elements = vec![vec![String::new()]];
    let mut quoted = false;
    let mut characters = header.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(element) = elements.last_mut() else { break };
        let Some(part) = element.last_mut() else { break };
        match character {
            '\\' if quoted => {
                part.push(character);
                part.extend(characters.next());
            }
            '"' => {
                quoted = !quoted;
                part.push(character);
            }
            ';' if !quoted => element.push(String::new()),
            ',' if !quoted && !ends_within_tag(part, characters.peek().copied()) => {
                elements.push(vec![String::new()]);
            }
            _ => part.push(character),
        }
    }
    elements
}

/// Whether a comma stands between authority and date of a tag URI (RFC 4151, 2.1).
fn ends_within_tag(part: &str, next: Option<char>) -> bool {
    let value = part.split_once('=').map_or("", |(_, value)| value.trim_start());
    value.starts_with("tag:") && !value.contains(',') && next.is_some_and(|c| c.is_ascii_digit())
}

fn range(parts: &[String]) -> Option<MediaRange> {
    let (essence, parameters) = parts.split_first()?;
    let essence = essence.trim().to_ascii_lowercase();
    let (main, sub) = essence.split_once('/')?;
    if !is_token(main) || !is_token(sub) || (main == "*" && sub != "*") {
        return None;
    }
    let mut range = MediaRange { essence: essence.clone(), profile: None, weight: 1000 };
    for parameter in parameters.iter().filter(|parameter| !parameter.trim().is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => range.weight = weight(value.trim())?,
            "eat_profile" if range.profile.is_some() => return None,
            "eat_profile" => range.profile = Some(unquoted(value.trim())?),
            // The others do not tell our media types apart.
            _ => {}
        }
    }
    Some(range)
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A weight in thousandths: 0 to 1, with three digits after the point at the most. `.2` is no weight by
/// the RFC and is sent nevertheless.
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) || (text == ".") {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "" if !fraction.is_empty() => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// A parameter's value without its quotes.
fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else {
        return (!value.is_empty() && !value.contains('"')).then(|| value.to_owned());
    };
    let inner = inner.strip_suffix('"')?;
    let mut out = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => out.push(characters.next()?),
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, proptest};

    fn read(header: &str) -> Vec<(String, Option<String>, u16)> {
        ranges(header).into_iter().map(|r| (r.essence, r.profile, r.weight)).collect()
    }

    fn one(essence: &str, profile: Option<&str>, weight: u16) -> (String, Option<String>, u16) {
        (essence.into(), profile.map(str::to_owned), weight)
    }

    #[test]
    fn ranges_are_read_with_their_profile_and_weight() {
        for (header, expected) in [
            ("*/*", vec![one("*/*", None, 1000)]),
            ("Application/EAT+JWT ;Q=0.5", vec![one("application/eat+jwt", None, 500)]),
            ("a/b, c/d;q=0", vec![one("a/b", None, 1000), one("c/d", None, 0)]),
            ("a/b;eat_profile=\"x, y; q=0\";q=0.125", vec![one("a/b", Some("x, y; q=0"), 125)]),
            (r#"a/b;eat_profile="\"\\""#, vec![one("a/b", Some(r#""\"#), 1000)]),
            ("a/b;EAT_PROFILE=x;charset=utf-8", vec![one("a/b", Some("x"), 1000)]),
            // Not quoted: the comma is within the URI, the next one is not.
            (
                "a/b;eat_profile=tag:d.example,2023:x/y,c/d",
                vec![one("a/b", Some("tag:d.example,2023:x/y"), 1000), one("c/d", None, 1000)],
            ),
            (
                "a/b;eat_profile=tag:d.example,c/d",
                vec![one("a/b", Some("tag:d.example"), 1000), one("c/d", None, 1000)],
            ),
            ("a/b;;q=1.000,,", vec![one("a/b", None, 1000)]),
            ("text/html, *; q=.2, */*; q=.2", vec![one("text/html", None, 1000), one("*/*", None, 200)]),
        ] {
            assert_eq!(read(header), expected, "{header}");
        }
    }

    #[test]
    fn what_cannot_be_read_asks_for_nothing() {
        for header in [
            "",
            "a",
            "/",
            "a/",
            "/b",
            "*/b",
            "a b/c",
            "a/b/c",
            "a/b;q=",
            "a/b;q=2",
            "a/b;q=1.001",
            "a/b;q=0.0001",
            "a/b;q=-0",
            "a/b;q=.",
            "a/b;q",
            "a/b;eat_profile=",
            "a/b;eat_profile=\"x",
            "a/b;eat_profile=x;eat_profile=x",
            "a/b;eat_profile=x\"y\"",
            "a/b;eat_profile=\"x\"y\"",
        ] {
            assert_eq!(read(header), [], "{header:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn no_header_is_too_strange(header in "[a*/;,=\"\\\\. q0-9:tg]{0,40}", any: String) {
            for range in ranges(&header).into_iter().chain(ranges(&any)) {
                assert!(range.weight <= 1000 && range.essence.contains('/'));
            }
        }
    }
}
