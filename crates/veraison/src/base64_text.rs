//! Base64 as Veraison's parts write it: the standard alphabet in the JSON of Go, the URL-safe one in
//! queries and `eat_nonce`, with padding or without.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

const EITHER_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD_TEXT: GeneralPurpose = GeneralPurpose::new(&STANDARD, EITHER_PADDING);
const URL_SAFE_TEXT: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, EITHER_PADDING);

/// The bytes of `text` in either alphabet, padded or not; `None` for anything else, the two alphabets
/// mixed among it.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { URL_SAFE_TEXT } else { STANDARD_TEXT };
    engine.decode(text).ok()
}

/// URL-safe and without padding, as a query has it.
pub(crate) fn encode_url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};
    use proptest::prelude::proptest;

    #[test]
    fn anything_else_is_refused() {
        for text in ["+_", "ab=c", "a", "ab==c", "a b", "ab\n", "ä", "AB", "AAA=="] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn all_four_spellings_are_read(bytes: Vec<u8>) {
            for text in [
                BASE64_STANDARD.encode(&bytes),
                BASE64_STANDARD_NO_PAD.encode(&bytes),
                BASE64_URL_SAFE.encode(&bytes),
                encode_url(&bytes),
            ] {
                assert_eq!(decode(&text).as_ref(), Some(&bytes), "{text}");
            }
        }
    }
}
