//! What a request brings along to say whose it is: the session cookie.

use http::{HeaderMap, header};

use assay_types::SESSION_COOKIE;

/// The value of the session cookie.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        for lines in [
            &[("cookie", "kbs-session-id=abc")][..],
            &[("cookie", "a=b; kbs-session-id=abc; c=d")],
            &[("cookie", "a=b"), ("cookie", " kbs-session-id=abc")],
            &[("cookie", "kbs-session-id=abc; kbs-session-id=second")],
        ] {
            assert_eq!(session_cookie(&headers(lines)), Some("abc"), "{lines:?}");
        }
        for lines in [&[("cookie", "xkbs-session-id=abc")][..], &[("cookie", "kbs-session-id")], &[]] {
            assert_eq!(session_cookie(&headers(lines)), None, "{lines:?}");
        }
    }
}
