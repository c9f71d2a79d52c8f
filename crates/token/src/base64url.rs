//! Base64url without padding, as JOSE uses it (RFC 7515, section 2), strictly: no padding, no line
//! breaks, no stray bits in the last character, so each byte string has one encoding only.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Encodes `bytes`.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the encoding of `bytes` to `text`.
pub(crate) fn append(bytes: impl AsRef<[u8]>, text: &mut String) {
    BASE64_URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Decodes `text`; `None` when it is not the one encoding of any byte string.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// The number of characters that encode `bytes` bytes.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, proptest};

    #[test]
    fn the_example_of_rfc_7515_appendix_c_holds() {
        assert_eq!(encode([3, 236, 255, 224, 193]), "A-z_4ME");
        assert_eq!(decode("A-z_4ME").unwrap(), [3, 236, 255, 224, 193]);
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["A-z_4ME=", "A+z/4ME", "A-z_4MF", "A-z_4M E", "A-z_4ME\n", "A", "ä"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn encoding_round_trips(bytes: Vec<u8>, prefix in any::<u8>()) {
            let text = encode(&bytes);
            assert_eq!(text.len(), encoded_len(bytes.len()));
            assert_eq!(decode(&text).unwrap(), bytes);
            let mut appended = prefix.to_string();
            append(&bytes, &mut appended);
            assert_eq!(appended, format!("{prefix}{text}"));
        }
    }
}
