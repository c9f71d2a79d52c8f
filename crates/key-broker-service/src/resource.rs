//! `GET /kbs/v0/resource/<repository>/<type>/<tag>`, and how paths and queries are read.

use std::sync::Arc;

use assay_types::{ResourcePath, Response};
use axum::Json;
use axum::extract::State;
use http::Uri;
use serde_json::{Map, Value};

use crate::origin::Origin;
use crate::release::Release;
use crate::session::Attested;
use crate::{KeyBroker, RequestError};

/// The most parameters that a query may have.
const MAX_PARAMETERS: usize = 32;

pub(crate) async fn get_resource(
    State(broker): State<KeyBroker>,
    origin: Origin,
    guest: Arc<Attested>,
    uri: Uri,
) -> Result<Json<Response>, RequestError> {
    let path = resource_path(&uri)?;
    let query = query(uri.query().unwrap_or_default())?;
    let release = Release::decide(&broker, &origin, &path, query, &guest).await?;
    Ok(Json(release.deliver().await?))
}

/// The resource path in a URI.
pub(crate) fn resource_path(uri: &Uri) -> Result<ResourcePath, RequestError> {
    Ok(rest_of_path(uri, "/kbs/v0/resource/")?.parse::<ResourcePath>()?)
}

/// What follows `prefix` in the path, percent-decoded. One further slash at its beginning is
/// tolerated, because existing clients write `resource//a/b/c`. A slash or an unreadable character
/// that hides in an escape is refused.
pub(crate) fn rest_of_path(uri: &Uri, prefix: &str) -> Result<String, RequestError> {
    let rest = uri.path().strip_prefix(prefix).unwrap_or_default();
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let wrong = |why| RequestError::PathEncoding { why };
    let decoded =
        percent_decoded(rest, false).ok_or_else(|| wrong("an escape is not % and two hexadecimal digits"))?;
    if decoded.iter().filter(|b| **b == b'/').count() != rest.matches('/').count() {
        return Err(wrong("a slash is escaped"));
    }
    let text = String::from_utf8(decoded).map_err(|_| wrong("it is not UTF-8"))?;
    if text.contains(char::is_control) {
        return Err(wrong("a control character is escaped"));
    }
    Ok(text)
}

/// The parameters of a query as the policy sees them: texts by name. A name that stands there twice
/// is refused, so that policy and whoever reads the query elsewhere cannot mean different ones.
pub(crate) fn query(text: &str) -> Result<Map<String, Value>, RequestError> {
    let wrong = |why| RequestError::Query { why };
    let mut parameters = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let read = |text| percent_decoded(text, true).and_then(|bytes| String::from_utf8(bytes).ok());
        let (Some(name), Some(value)) = (read(name), read(value)) else {
            return Err(wrong("it is not percent-encoded UTF-8"));
        };
        if parameters.insert(name, Value::String(value)).is_some() {
            return Err(wrong("a parameter stands there twice"));
        }
        if parameters.len() > MAX_PARAMETERS {
            return Err(wrong("it has more than 32 parameters"));
        }
    }
    Ok(parameters)
}

fn percent_decoded(text: &str, plus_is_space: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    fn path_of(rest: &str) -> Result<String, RequestError> {
        let uri: Uri = format!("/kbs/v0/resource/{rest}").parse().unwrap();
        resource_path(&uri).map(|path| path.to_string())
    }

    #[test]
    fn a_doubled_slash_at_the_beginning_is_tolerated_and_nowhere_else() {
        assert_eq!(path_of("a/b/c").unwrap(), "a/b/c");
        assert_eq!(path_of("/a/b/c").unwrap(), "a/b/c");
        assert_eq!(path_of("%61/b/c%2Ed").unwrap(), "a/b/c.d");
        for rest in ["//a/b/c", "a//b/c", "a/b//c", "a/b/c/", "/a/b", "a/b", "a/b/c/d", ""] {
            assert!(path_of(rest).is_err(), "{rest}");
        }
    }

    #[test]
    fn what_hides_in_escapes_is_refused() {
        for rest in [
            "a%2fb/c",
            "a%2Fb/c/d",
            "..%2fb/c",
            "%2e%2e/b/c",
            "../b/c",
            "a/../c",
            "a/b/..",
            "a/b/c%00",
            "a/b/c%0a",
            "a/b/c%",
            "a/b/c%4",
            "a/b/c%zz",
            "a/b/c%ff",
            "a/b/c%252f",
            "a/b/c%20",
            "a\\b/c/d".replace('\\', "%5c").as_str(),
        ] {
            assert!(path_of(rest).is_err(), "{rest}");
        }
        assert!(path_of(&format!("a/b/{}", "x".repeat(129))).is_err());
    }

    #[test]
    fn queries_are_read_for_the_policy() {
        let found = query("a=1&b=x%20y+z&c&&d=%3D").unwrap();
        assert_eq!(Value::Object(found), serde_json::json!({"a": "1", "b": "x y z", "c": "", "d": "="}));
        for text in ["a=1&a=2", "a=%", "a=%ff", "%zz=1"] {
            assert!(query(text).is_err(), "{text}");
        }
        let many: Vec<String> = (0..33).map(|n| format!("p{n}=")).collect();
        assert!(query(&many.join("&")).is_err());
    }

    proptest! {
        #[test]
        fn a_path_that_is_taken_has_three_clean_segments(rest in "[a-zA-Z0-9%/._-]{0,40}") {
            if let Ok(path) = path_of(&rest) {
                let segments: Vec<&str> = path.split('/').collect();
                prop_assert!(segments.len() == 3 && segments.iter().all(|s| !s.is_empty() && !s.starts_with('.')));
            }
        }
    }
}
