//! Where a token keeps the guest's public key.

use serde_json::Value;

/// The places of the guest's key (JSON pointers, RFC 6901), in the order in which Trustee looks:
/// those of Intel Trust Authority, then those of an attestation result.
pub const TEE_KEY_POINTERS: [&str; 5] = [
    "/tdx/attester_runtime_data/tee-pubkey",
    "/tdx/attester_user_data/tee-pubkey",
    "/customized_claims/runtime_data/tee-pubkey",
    "/submods/cpu0/ear.veraison.annotated-evidence/runtime_data_claims/tee-pubkey",
    "/tee-pubkey",
];

/// The guest's public key in a token's claims: the first of [`TEE_KEY_POINTERS`] that is there.
/// Read it with [`jwe::read_tee_public_key`](crate::jwe::read_tee_public_key).
pub fn tee_public_key(claims: &Value) -> Option<&Value> {
    TEE_KEY_POINTERS.iter().find_map(|pointer| claims.pointer(pointer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_place_wins() {
        let mut claims = json!({
            "tee-pubkey": 5,
            "submods": { "cpu0": { "ear.veraison.annotated-evidence":
                { "runtime_data_claims": { "tee-pubkey": 4 } } } },
            "customized_claims": { "runtime_data": { "tee-pubkey": 3 } },
            "tdx": {
                "attester_user_data": { "tee-pubkey": 2 },
                "attester_runtime_data": { "tee-pubkey": 1 },
            },
        });
        let removals = [
            ("/tdx/attester_runtime_data", 1),
            ("/tdx/attester_user_data", 2),
            ("/customized_claims/runtime_data", 3),
            ("/submods/cpu0/ear.veraison.annotated-evidence/runtime_data_claims", 4),
            ("", 5),
        ];
        for (parent, expected) in removals {
            assert_eq!(tee_public_key(&claims), Some(&json!(expected)));
            claims.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove("tee-pubkey");
        }
        assert_eq!(tee_public_key(&claims), None);
    }
}
