//! The session cookie, and no other.

use assay_types::SESSION_COOKIE;
use http::HeaderMap;
use http::header::SET_COOKIE;

/// The longest cookie value that is kept, in bytes. Servers that seal the challenge into the cookie
/// need some hundred.
const MAX_VALUE: usize = 8192;

/// The value of the session cookie that an answer sets, if it sets one. Attributes (RFC 6265,
/// 4.1.1) have no meaning here: the cookie goes back to the same server within one handshake. The
/// last one counts when there are several, as for a browser.
///
/// # Errors
/// In words, when the value has characters that no cookie has, or is too long.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Result<Option<String>, String> {
    let mut found = None;
    for header in headers.get_all(SET_COOKIE) {
        let pair = header.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
        let Some(at) = pair.iter().position(|b| *b == b'=') else { continue };
        let (name, value) = pair.split_at(at);
        if name.trim_ascii() != SESSION_COOKIE.as_bytes() {
            continue;
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if value.len() > MAX_VALUE {
            return Err(format!(
                "the cookie {SESSION_COOKIE} has {} bytes; at most {MAX_VALUE}",
                value.len()
            ));
        }
        match std::str::from_utf8(value) {
            Ok(text) if !text.is_empty() && text.bytes().all(is_cookie_octet) => {
                found = Some(text.to_owned())
            }
            _ => {
                return Err(format!(
                    "the value of the cookie {SESSION_COOKIE} is not of the form of RFC 6265"
                ));
            }
        }
    }
    Ok(found)
}

/// RFC 6265, 4.1.1: printable ASCII without space, quote, comma, semicolon and backslash.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SET_COOKIE, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        session_cookie(&headers)
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        let expected = Ok(Some("abc".to_owned()));
        assert_eq!(of(&["kbs-session-id=abc; Expires=Fri, 21 Aug 2026 10:05:00 GMT"]), expected);
        assert_eq!(of(&["a=b", " kbs-session-id = abc ;Path=/", "c"]), expected);
        assert_eq!(of(&["kbs-session-id=old", "kbs-session-id=abc"]), expected);
        assert_eq!(of(&["kbs-session-id-2=abc", "Kbs-Session-Id=abc"]), Ok(None));
        assert_eq!(of(&[]), Ok(None));
    }

    #[test]
    fn values_that_no_cookie_has_are_refused() {
        let long = format!("kbs-session-id={}", "a".repeat(MAX_VALUE + 1));
        for value in
            ["kbs-session-id=", "kbs-session-id=\"a\"", "kbs-session-id=a b", "kbs-session-id=ü", &long]
        {
            assert!(of(&[value]).is_err(), "{value:.40}");
        }
    }
}
