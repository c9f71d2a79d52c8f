//! Bytes in JSON, as the dialects spell them: base64url, padded by Veraison's Go code and unpadded by the
//! drafts. Both are read; each has its one spelling when written.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;

use crate::base64url;

/// The lengths that a nonce may have, in bytes (draft-ietf-rats-ear, section 3; RFC 9711, 4.1).
pub(crate) const NONCE_BYTES: std::ops::RangeInclusive<usize> = 8..=64;

/// Encodes `bytes` with padding.
pub(crate) fn encode_padded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE.encode(bytes)
}

/// Decodes base64url with all of its padding or none of it; `None` for anything else.
pub(crate) fn decode_either(text: &str) -> Option<Vec<u8>> {
    if text.ends_with('=') { BASE64_URL_SAFE.decode(text).ok() } else { base64url::decode(text) }
}

/// The nonce that a JSON member holds.
pub(crate) fn nonce(text: &str) -> Result<Vec<u8>, String> {
    let bytes = decode_either(text).ok_or("eat_nonce is not base64url")?;
    if NONCE_BYTES.contains(&bytes.len()) { Ok(bytes) } else { Err(wrong_length(bytes.len())) }
}

/// Why a nonce of that length is none.
pub(crate) fn wrong_length(found: usize) -> String {
    format!("eat_nonce has {found} bytes; a nonce has {} to {}", NONCE_BYTES.start(), NONCE_BYTES.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_whole_or_absent() {
        for text in ["AAECAwQFBgc", "AAECAwQFBgc="] {
            assert_eq!(nonce(text).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        }
        for text in
            ["AAECAwQFBg=", "AAECAwQFBgc==", "AAECAwQFBgd", "AAECAwQFBgc=\n", "AAECAwQF+/c=", "=", "ä"]
        {
            assert!(nonce(text).unwrap_err().contains("base64url"), "{text:?}");
        }
    }

    #[test]
    fn a_nonce_has_8_to_64_bytes() {
        for (length, good) in [(0, false), (7, false), (8, true), (64, true), (65, false)] {
            assert_eq!(nonce(&encode_padded(vec![1; length])).is_ok(), good, "{length}");
        }
    }
}
