//! The token in a request's header.

use http::{HeaderMap, header};

/// The token of `Authorization: Bearer` (RFC 6750, 2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let headers =
            |value| HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
        for value in ["Bearer t", "bearer t", "BEARER  t "] {
            assert_eq!(bearer(&headers(value)), Some("t"));
        }
        for value in ["Basic t", "Bearer", "t"] {
            assert_eq!(bearer(&headers(value)), None);
        }
    }
}
