//! Text that is secret.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderValue;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// Secret text: never shown, and wiped when the last copy is dropped. A clone shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Arc<Zeroizing<String>>);

impl SecretText {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        SecretText(Arc::new(Zeroizing::new(text)))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A header value that shares the text and is marked as sensitive; `None` where it is none.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let shared = Bytes::from_owner(Shared(Arc::clone(&self.0)));
        let mut value = HeaderValue::from_maybe_shared(shared).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretText({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SecretText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText::new(text.to_owned()))
            }
            // serde's own message for another type would show it.
            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<SecretText, E> {
                Err(E::custom("a number where text is expected"))
            }
            fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<SecretText, E> {
                Err(E::custom("a number where text is expected"))
            }
            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<SecretText, E> {
                Err(E::custom("a number where text is expected"))
            }
        }
        deserializer.deserialize_str(Text).map_err(|_| D::Error::custom("text is expected"))
    }
}

struct Shared(Arc<Zeroizing<String>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        let text: SecretText = serde_json::from_str("\"hvs.secret\"").unwrap();
        assert_eq!(text.expose(), "hvs.secret");
        let header = text.header().unwrap();
        assert_eq!(header.as_bytes(), b"hvs.secret");
        for shown in [format!("{text:?}"), format!("{header:?}")] {
            assert!(!shown.contains("hvs"), "{shown}");
        }
        assert!(SecretText::new("a\nb".into()).header().is_none());
    }

    #[test]
    fn an_error_does_not_show_what_stood_there() {
        for json in ["123456", "-5", "1.5", "true", "{\"a\":1}", "[7]"] {
            let error = serde_json::from_str::<SecretText>(json).unwrap_err().to_string();
            assert!(!error.contains(json), "{error}");
        }
    }
}
