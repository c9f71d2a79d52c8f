//! How a vendor's service is spoken to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::configuration_error::ConfigurationError;

/// The longest value of a secret header, in bytes.
const MAX_SECRET: usize = 4096;

/// How a vendor's service is spoken to.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// How long a connection may take to come about. 5 s.
    pub connect_timeout: Duration,
    /// How long one request may take, the answer included. 10 s.
    pub request_timeout: Duration,
    /// How many requests run at the same time; the others wait. 4.
    pub max_concurrent_requests: usize,
    /// The only TLS roots, PEM. Without them the system's roots count.
    pub ca_certificates: Option<Vec<u8>>,
    /// A header that goes with each request to this origin, and to no other: an API key.
    pub secret_header: Option<SecretHeader>,
    /// Allows plain `http` to hosts other than loopback. Collateral is signed, so it cannot be
    /// forged on the way; but it can be withheld, and old revocation lists can be played again.
    pub allow_plain_http_to_remote_hosts_danger: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            max_concurrent_requests: 4,
            ca_certificates: None,
            secret_header: None,
            allow_plain_http_to_remote_hosts_danger: false,
        }
    }
}

/// A request header whose value is secret: never shown, and overwritten when it is dropped.
#[derive(Clone)]
pub struct SecretHeader {
    name: HeaderName,
    value: Arc<Zeroizing<Vec<u8>>>,
}

impl SecretHeader {
    /// The header `name`, a token of HTTP. White space around the value, as editors leave it in files, is
    /// no part of it.
    ///
    /// # Errors
    /// [`ConfigurationError::SecretHeader`] when the name is none, or the value is empty, longer than 4096
    /// bytes or not printable ASCII. The error does not show the value.
    pub fn new(name: &str, value: Zeroizing<Vec<u8>>) -> Result<Self, ConfigurationError> {
        let wrong = |why: &'static str| ConfigurationError::SecretHeader { name: name.to_owned(), why };
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("this is no header name"))?;
        let trimmed = value.trim_ascii();
        if trimmed.is_empty() || trimmed.len() > MAX_SECRET {
            return Err(wrong("the value is not of 1 to 4096 bytes"));
        }
        if !trimmed.iter().all(u8::is_ascii_graphic) {
            return Err(wrong("the value is not printable ASCII without spaces"));
        }
        Ok(SecretHeader { name: parsed, value: Arc::new(Zeroizing::new(trimmed.to_vec())) })
    }

    /// Name and value for a request. The value is shared, not copied, and marked as sensitive.
    pub(crate) fn pair(&self) -> Option<(HeaderName, HeaderValue)> {
        let shared = Bytes::from_owner(Shared(Arc::clone(&self.value)));
        let mut value = HeaderValue::from_maybe_shared(shared).ok()?;
        value.set_sensitive(true);
        Some((self.name.clone(), value))
    }
}

impl fmt::Debug for SecretHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHeader({}: not shown)", self.name)
    }
}

struct Shared(Arc<Zeroizing<Vec<u8>>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A path of a vendor's service that is served elsewhere.
#[derive(Clone, Debug)]
pub struct Route {
    /// How the paths begin that go there: `/IntelSGXRootCA.der`. The longest prefix counts.
    pub prefix: String,
    /// What takes the place of the prefix: `https://certificates.trustedservices.intel.com/IntelSGXRootCA.der`.
    pub url: String,
    /// Whether a body of nothing but hexadecimal digits is decoded. Intel's PCCS sends the root's
    /// revocation list in this form. DER is never taken for it: its second byte is no digit.
    pub hexadecimal: bool,
    /// How that service is spoken to. It has its own pacing.
    pub settings: HttpSettings,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &[u8]) -> Result<SecretHeader, ConfigurationError> {
        SecretHeader::new(name, Zeroizing::new(value.to_vec()))
    }

    #[test]
    fn the_value_is_sent_and_never_shown() {
        let secret = header("Ocp-Apim-Subscription-Key", b" 0123abcd\r\n").unwrap();
        let (name, value) = secret.pair().unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("ocp-apim-subscription-key", &b"0123abcd"[..]));
        let settings = HttpSettings { secret_header: Some(secret), ..HttpSettings::default() };
        for shown in [format!("{settings:?}"), format!("{value:?}")] {
            assert!(!shown.contains("0123abcd"), "{shown}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_showing_it() {
        for (name, value) in [
            ("a b", &b"secret"[..]),
            ("", b"secret"),
            ("key", b" \n"),
            ("key", b"sec ret"),
            ("key", b"sec\nret"),
            ("key", "sécret".as_bytes()),
            ("key", &[b's'; 4097]),
        ] {
            let error = header(name, value).unwrap_err().to_string();
            assert!(!error.contains("sec") && !error.contains("ss"), "{error}");
        }
        assert!(header("key", &[b's'; 4096]).is_ok());
    }
}
