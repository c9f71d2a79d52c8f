//! The nonce of a session: the relying party's own, or a random one of the length it asks for.

use aws_lc_rs::rand;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::Engine as _;
use serde_json::Value;

use crate::RequestError;
use crate::resource::query;

/// The lengths that a nonce may have, in bytes: it must fit the 64 bytes of a realm's challenge.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=64;

/// The length of a nonce when nothing is asked for.
const DEFAULT_LEN: usize = 32;

/// Base64url, written with padding as Veraison writes it, read with or without.
pub(super) const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The nonce for the query of `newSession`: `nonce=<base64url>`, `nonceSize=<bytes>`, or neither.
pub(super) fn of_query(text: &str) -> Result<Vec<u8>, RequestError> {
    let parameters = query(text)?;
    let wrong = |why: &str| RequestError::Nonce { why: why.to_owned() };
    match (parameters.get("nonce"), parameters.get("nonceSize")) {
        (Some(_), Some(_)) => Err(wrong("nonce and nonceSize exclude each other")),
        (Some(nonce), None) => {
            let nonce = BASE64URL.decode(nonce.as_str().unwrap_or_default());
            let nonce = nonce.map_err(|_| wrong("nonce is not base64url"))?;
            if !LENGTHS.contains(&nonce.len()) {
                let found = nonce.len();
                return Err(wrong(&format!("nonce has {found} bytes; 8 to 64 are taken")));
            }
            Ok(nonce)
        }
        (None, Some(size)) => {
            let size = size.as_str().and_then(|size| size.parse().ok());
            let size = size.filter(|size| LENGTHS.contains(size));
            random(size.ok_or_else(|| wrong("nonceSize is not a number of bytes from 8 to 64"))?)
        }
        (None, None) => random(DEFAULT_LEN),
    }
}

/// Veraison wrote nonces in standard base64 once, and clients of that time read them so. Of random nonces
/// one is taken whose text is the same in both alphabets; that costs it a few bits of chance.
fn random(len: usize) -> Result<Vec<u8>, RequestError> {
    const DRAWS: usize = 200;
    let mut nonce = vec![0; len];
    for _ in 0..DRAWS {
        rand::fill(&mut nonce).map_err(|_| RequestError::internal("no random bytes"))?;
        if !BASE64URL.encode(&nonce).contains(['-', '_']) {
            break;
        }
    }
    Ok(nonce)
}

/// The text of a nonce, as sessions and results have it.
pub(super) fn to_text(nonce: &[u8]) -> Value {
    Value::String(BASE64URL.encode(nonce))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::Coded as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    #[test]
    fn a_nonce_is_taken_with_and_without_padding() {
        for text in
            ["nonce=AQIDBAUGBwg=", "nonce=AQIDBAUGBwg", "nonce=AQIDBAUGBwg%3D", "a=b&nonce=AQIDBAUGBwg"]
        {
            assert_eq!(of_query(text).unwrap(), [1, 2, 3, 4, 5, 6, 7, 8], "{text}");
        }
        assert_eq!(to_text(&[0xfb; 8]), "-_v7-_v7-_s=");
    }

    #[test]
    fn random_nonces_read_the_same_in_both_alphabets() {
        use base64::prelude::BASE64_STANDARD;
        // The chance that 200 draws of 16 bytes have none is below one in 10^60.
        let nonce = of_query("nonceSize=16").unwrap();
        let text = to_text(&nonce);
        assert_eq!(BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap(), nonce);
        assert_ne!(of_query("nonceSize=16").unwrap(), nonce);
    }

    #[test]
    fn lengths_have_borders() {
        let given = |len: usize| of_query(&format!("nonce={}", BASE64_URL_SAFE_NO_PAD.encode(vec![7; len])));
        for (len, good) in [(0, false), (7, false), (8, true), (64, true), (65, false)] {
            assert_eq!(given(len).is_ok(), good, "{len}");
            assert_eq!(of_query(&format!("nonceSize={len}")).is_ok_and(|nonce| nonce.len() == len), good);
        }
        assert_eq!(of_query("").unwrap().len(), 32);
        assert_ne!(of_query("").unwrap(), of_query("").unwrap());
    }

    #[test]
    fn what_is_no_nonce_is_refused() {
        for (text, code) in [
            ("nonce=AQIDBAUGBwg&nonceSize=8", "KBS-040"),
            ("nonce=&nonceSize=", "KBS-040"),
            ("nonce=", "KBS-040"),
            ("nonce=AQIDBAUGBw+/", "KBS-040"),
            ("nonce=AQIDBAUGBwg==", "KBS-040"),
            ("nonce=AQIDBAUGBwh", "KBS-040"),
            ("nonce=%20AQIDBAUGBwg", "KBS-040"),
            ("nonceSize=", "KBS-040"),
            ("nonceSize=-8", "KBS-040"),
            ("nonceSize=0x20", "KBS-040"),
            ("nonceSize=99999999999999999999", "KBS-040"),
            ("nonce=AQIDBAUGBwg&nonce=AQIDBAUGBwg", "KBS-034"),
        ] {
            assert_eq!(of_query(text).unwrap_err().code(), code, "{text}");
        }
    }
}
