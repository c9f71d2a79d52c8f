use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use http::{HeaderMap, HeaderValue};

/// The header, and the gRPC metadata key, of request ids.
pub const REQUEST_ID: &str = "x-request-id";

const MAX: usize = 64;

/// The name of one request in logs, answers and records, through all parts: 1 to 64 characters of
/// `[A-Za-z0-9._-]`. It is a name, no secret and no proof of anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new one, of 96 random bits.
    pub fn new() -> Self {
        let mut bytes = [0_u8; 12];
        // Without randomness every cryptographic operation fails, and says so; an id need not.
        let _ = rand::fill(&mut bytes);
        RequestId(BASE64_URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// `text` if it is fit for a log.
    pub fn parse(text: &str) -> Option<Self> {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        ((1..=MAX).contains(&text.len()) && text.bytes().all(fit)).then(|| RequestId(text.into()))
    }

    /// The caller's id if it is fit, else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        given.and_then(RequestId::parse).unwrap_or_default()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts the id into `headers`, in the place of any other.
    pub fn write(&self, headers: &mut HeaderMap) {
        // Its characters are those of a header's value.
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            headers.insert(REQUEST_ID, value);
        }
    }
}

impl Default for RequestId {
    fn default() -> Self {
        RequestId::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_taken_only_if_it_is_fit_for_a_log() {
        let id = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
            RequestId::of(&headers).as_str().to_owned()
        };
        assert_eq!(id(b"abc-123_x.y"), "abc-123_x.y");
        assert_eq!(id(&[b'x'; 64]), "x".repeat(64));
        for value in [&b""[..], b"a b", b"a\tb", b"a=b", b"{}", &[b'x'; 65], b"\xff"] {
            assert_eq!(id(value).len(), 16, "{value:?}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
