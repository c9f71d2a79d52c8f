//! Media types with their parameters (RFC 9110, section 8.3.1), and the choice of an answer's
//! (section 12.5.1).

use std::collections::BTreeMap;

use http::{HeaderMap, header};

use crate::RequestError;

/// The most bytes of a media type, and of an `Accept` header, that are looked at.
const MAX_LEN: usize = 4096;

/// A media type. Type, subtype and the names of parameters are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MediaType {
    essence: String,
    parameters: BTreeMap<String, String>,
}

impl MediaType {
    /// Reads a media type; `None` when it is none, or has a parameter twice.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LEN {
            return None;
        }
        let mut parts = split_outside_quotes(text, ';').into_iter();
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parameters = BTreeMap::new();
        for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            let value = parameter_value(value)?;
            if !is_token(name) || parameters.insert(name.to_ascii_lowercase(), value).is_some() {
                return None;
            }
        }
        Some(MediaType { essence, parameters })
    }

    /// Type and subtype.
    pub(super) fn essence(&self) -> &str {
        &self.essence
    }

    /// The parameter of that name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The one of `known` that this is, however it is written.
    pub(super) fn among(&self, known: &[&'static str]) -> Option<&'static str> {
        known.iter().copied().find(|one| MediaType::parse(one).as_ref() == Some(self))
    }
}

/// The request's `Content-Type`, and its text for errors.
pub(super) fn content_type(headers: &HeaderMap) -> (Option<MediaType>, String) {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    (MediaType::parse(text), text.chars().take(128).collect())
}

/// Refuses a request that does not take the answer. Without `Accept` it takes any.
pub(super) fn must_accept(headers: &HeaderMap, offered: &'static str) -> Result<(), RequestError> {
    if accepts(headers, &[offered]) {
        return Ok(());
    }
    Err(RequestError::NotAcceptable { offered })
}

/// Whether `Accept` takes one of `offered`: of the ranges that match, the most precise counts.
/// Parameters other than `q` are passed over.
pub(super) fn accepts(headers: &HeaderMap, offered: &[&str]) -> bool {
    let lines: Vec<&str> =
        headers.get_all(header::ACCEPT).iter().map(|line| line.to_str().unwrap_or("-")).collect();
    let text = lines.join(",");
    text.trim().is_empty() || (text.len() <= MAX_LEN && offered.iter().any(|one| takes(&text, one)))
}

fn takes(accept: &str, offered: &str) -> bool {
    let kind = offered.split('/').next().unwrap_or_default();
    let ranges =
        split_outside_quotes(accept, ',').into_iter().filter_map(|range| MediaType::parse(range.trim()));
    let best = ranges
        .filter_map(|range| {
            let precision = match range.essence() {
                exact if exact == offered => 2,
                wide if wide.strip_suffix("/*") == Some(kind) => 1,
                "*/*" => 0,
                _ => return None,
            };
            Some((precision, quality(&range)))
        })
        .max_by_key(|(precision, _)| *precision);
    best.is_some_and(|(_, wanted)| wanted)
}

/// Whether `q` is more than 0 (RFC 9110, section 12.4.2).
fn quality(range: &MediaType) -> bool {
    range.parameter("q").is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0))
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c: char| {
        let separates = c == separator && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        separates
    })
    .collect()
}

/// A token, or a quoted string with its escapes undone. Unquoted, a URI is taken too: some clients
/// write profiles so.
fn parameter_value(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b',' | b';');
        return (!text.is_empty() && text.bytes().all(plain)).then(|| text.to_owned());
    };
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(value),
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
    }
}

/// RFC 9110, section 5.6.2; with `*`, as ranges have it.
fn is_token(text: &str) -> bool {
    let in_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(in_token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn a_type_is_the_same_however_it_is_written() {
        let known = &[r#"application/x; profile="http://a.b/C,D;e""#];
        for text in [
            r#"application/x; profile="http://a.b/C,D;e""#,
            r#"Application/X;PROFILE="http://a.b/C,D;e""#,
            r#"application/x ; profile="http:\/\/a.b/C,D;e" ;"#,
        ] {
            assert!(MediaType::parse(text).unwrap().among(known).is_some(), "{text}");
        }
        for text in [
            "application/x",
            r#"application/x; profile="http://a.b/c,d;e""#,
            r#"application/x; profile="http://a.b/C,D;e"; more=1"#,
            r#"application/y; profile="http://a.b/C,D;e""#,
        ] {
            assert!(MediaType::parse(text).unwrap().among(known).is_none(), "{text}");
        }
        let unquoted = MediaType::parse("application/x;profile=http://arm.com/CCA-SSD/1.0.0").unwrap();
        assert_eq!(unquoted.parameter("profile"), Some("http://arm.com/CCA-SSD/1.0.0"));
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in [
            "",
            "x",
            "/",
            "a/",
            "/b",
            "a b/c",
            "a/b/c",
            "a/b; c",
            "a/b; c=",
            "a/b; =d",
            r#"a/b; c="d"#,
            r#"a/b; c="d"e"#,
            r#"a/b; c="d\"#,
            "a/b; c=1; C=2",
            "ä/b",
        ] {
            assert_eq!(MediaType::parse(text), None, "{text}");
        }
        assert_eq!(MediaType::parse(&format!("a/{}", "b".repeat(MAX_LEN))), None);
    }

    #[test]
    fn the_most_precise_range_decides() {
        for (lines, expected) in [
            (&[][..], true),
            (&[""], true),
            (&["*/*"], true),
            (&["application/*"], true),
            (&["application/x+json"], true),
            (&["application/x+json; charset=utf-8"], true),
            (&["text/html, application/x+json;q=0.1"], true),
            (&["text/html", "*/*;q=0.8"], true),
            (&["application/x+json;q=0"], false),
            (&["*/*, application/x+json;q=0"], false),
            (&["application/*;q=0, application/x+json"], true),
            (&["text/html"], false),
            (&["application/json"], false),
            (&["application/x+json;q=much"], false),
            (&["text/*"], false),
            (&["nonsense"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT, HeaderValue::from_static(line));
            }
            assert_eq!(accepts(&headers, &["application/x+json"]), expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_value_comes_back(value in any::<String>()) {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("a/b; profile=\"{quoted}\"");
            if text.len() <= MAX_LEN {
                let read = MediaType::parse(&text).unwrap();
                prop_assert_eq!(read.parameter("profile"), Some(value.as_str()));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>()) {
            let _ = MediaType::parse(&text);
            let _ = takes(&text, "a/b");
        }
    }
}
