//! The token's bytes out of evidence as guests send it.

use assay_types::VerifyError;
use serde::Deserialize;

use crate::checks;

/// The longest token, in bytes (64 KiB). Real ones have one to four thousand.
pub const MAX_TOKEN_LEN: usize = 64 << 10;

/// The longest JSON text of one: four characters for each byte, white space left over.
const MAX_JSON_LEN: usize = 8 * MAX_TOKEN_LEN;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonEvidence {
    token: Vec<u8>,
}

/// The token in `evidence`: the JSON `{"token":[217,1,143,…]}` of guest-components' CCA attester,
/// each number a byte, or the token itself. Nothing else may stand beside it. The token must begin
/// with the tag 399 or 907 (draft-ffm-rats-cca-token, its early and its later wrapper); what is inside
/// is the service's to read.
///
/// # Errors
/// [`VerifyError::Malformed`] with a finding on the first check of [`CHECKS`](crate::CHECKS).
pub fn token_bytes(evidence: &[u8]) -> Result<Vec<u8>, VerifyError> {
    let malformed = |expected: &str, found: String, detail: &str| {
        Err(VerifyError::malformed(&checks::TOKEN, expected, found, detail))
    };
    let token = if evidence.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        if evidence.len() > MAX_JSON_LEN {
            let found = format!("{} bytes", evidence.len());
            return malformed(&format!("at most {MAX_JSON_LEN} bytes of JSON"), found, "");
        }
        match serde_json::from_slice::<JsonEvidence>(evidence) {
            Ok(json) => json.token,
            Err(error) => return malformed("{\"token\":[…]}", "other JSON".into(), &error.to_string()),
        }
    } else {
        // Bounded below; no copy of a long one is made before.
        evidence.get(..MAX_TOKEN_LEN.saturating_add(1)).unwrap_or(evidence).to_vec()
    };
    if token.len() > MAX_TOKEN_LEN {
        return malformed(&format!("a token of at most {MAX_TOKEN_LEN} bytes"), "a longer one".into(), "");
    }
    match token.as_slice() {
        // Tag with a two-byte number (RFC 8949, 3.4): 399, 907.
        [0xd9, 0x01, 0x8f, ..] | [0xd9, 0x03, 0x8b, ..] => Ok(token),
        other => {
            let begin = other.get(..8).unwrap_or(other);
            let found =
                if begin.is_empty() { "nothing".into() } else { format!("bytes {}…", hex::encode(begin)) };
            malformed("a CBOR item tagged 399 or 907", found, "not an Arm CCA attestation token")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    const TOKEN: [u8; 4] = [0xd9, 0x01, 0x8f, 0xa0];

    #[test]
    fn both_forms_give_the_same_bytes() {
        assert_eq!(token_bytes(&TOKEN).unwrap(), TOKEN);
        let json = json!({ "token": TOKEN }).to_string();
        assert_eq!(token_bytes(format!(" \n{json} ").as_bytes()).unwrap(), TOKEN);
        assert!(token_bytes(&[0xd9, 0x03, 0x8b]).is_ok());
    }

    #[test]
    fn bad_evidence_is_malformed_and_says_why() {
        let long = vec![0xd9; MAX_TOKEN_LEN + 1];
        let wide = format!("{{\"token\":[{}1]}}", " ".repeat(MAX_JSON_LEN));
        for (evidence, part) in [
            (&b""[..], "nothing"),
            (b"{}", "missing field"),
            (b"{\"token\":[217,1,143,256]}", "256"),
            (b"{\"token\":[217,1,143],\"more\":1}", "more"),
            (b"{\"token\":[217,1,143],\"token\":[217,1,143]}", "duplicate"),
            (b"{\"token\":[217,1,143]} x", "trailing"),
            (b"{\"token\":\"2QGP\"}", "sequence"),
            (b"{\"token\":[]}", "nothing"),
            (b"\xd2\x84\x43\xa1", "d28443a1"),
            (&long, "65536"),
            (wide.as_bytes(), "of JSON"),
        ] {
            let error = token_bytes(evidence).unwrap_err();
            assert!(matches!(&error, VerifyError::Malformed(f) if f[0].code == "VER-001"), "{error}");
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_token_survives_the_json_form(rest in proptest::collection::vec(any::<u8>(), 0..200)) {
            let token = [&TOKEN[..3], &rest].concat();
            let json = json!({ "token": token }).to_string();
            assert_eq!(token_bytes(json.as_bytes()).unwrap(), token);
            assert_eq!(token_bytes(&token).unwrap(), token);
        }
    }
}
