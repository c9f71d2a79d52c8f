//! The digest that binds evidence to a key and a nonce: RFC 8785 canonical JSON, then a hash.

use serde_json::{Value, json};

use crate::{Digest, HashAlgorithm, RuntimeData};

/// JSON that has no canonical form (RFC 8785): a number that is not finite, for one.
#[derive(Debug, thiserror::Error)]
#[error("no canonical JSON form (RFC 8785): {0}")]
pub struct NotCanonical(String);

/// The runtime data of the primary evidence: `{"additional-evidence", "nonce", "tee-pubkey"}`.
/// `additional_evidence` is the text as sent, empty where there is none; it is always a member.
pub fn primary_runtime_data(runtime_data: &RuntimeData, additional_evidence: &str) -> Value {
    json!({
        "tee-pubkey": runtime_data.tee_pubkey,
        "nonce": runtime_data.nonce,
        "additional-evidence": additional_evidence,
    })
}

/// The runtime data of each additional evidence: `{"nonce", "tee-pubkey"}`.
pub fn additional_runtime_data(runtime_data: &RuntimeData) -> Value {
    json!({ "tee-pubkey": runtime_data.tee_pubkey, "nonce": runtime_data.nonce })
}

/// The digest of `value` in canonical form.
///
/// # Errors
/// [`NotCanonical`] when RFC 8785 gives it no form.
pub fn canonical_digest(value: &Value, algorithm: HashAlgorithm) -> Result<Digest, NotCanonical> {
    serde_json_canonicalizer::to_vec(value)
        .map(|text| algorithm.digest(&text))
        .map_err(|error| NotCanonical(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, Engine as _};

    #[test]
    fn the_digest_captured_from_a_guest_holds() {
        let runtime_data = RuntimeData {
            nonce: "bm9uY2U=".into(),
            tee_pubkey: json!({
                "kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW",
                "x": "NE5dTdUfbOx2cDJyv8vo8hW74KaZi8gyITorYRxFdxs",
                "y": "3LxM7pZMGfETTsGcyOyUTCQUuXr4eKiut6wEQJ-EhnY",
            }),
        };
        let value = primary_runtime_data(&runtime_data, "");
        let digest = canonical_digest(&value, HashAlgorithm::Sha384).unwrap();
        assert_eq!(
            BASE64_STANDARD.encode(digest.as_bytes()),
            "NDWFKQW5HUrCrruMgFxUNWrpNRFvP37nh7MkeI1ViI+TGXzV5/bMVERtUW6Cql1f"
        );
        assert_ne!(
            digest,
            canonical_digest(&additional_runtime_data(&runtime_data), HashAlgorithm::Sha384).unwrap()
        );
    }
}
