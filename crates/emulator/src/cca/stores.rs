//! The platform's endorsements as the JSON stores of rust-ccatoken and Trustee.

use assay_cose::{Curve, PublicKey};
use assay_types::HashAlgorithm;
use serde_json::{Value, json};

use super::content::{COMPONENTS, PLATFORM_CONFIG, algorithm_name, realm_measurement};
use super::silicon::CcaSilicon;

impl CcaSilicon {
    /// The trust anchor of one CPAK: `{"implementation-id","instance-id"}` in hexadecimal, `"pkey"` a
    /// JWK.
    pub fn trust_anchor(&self, key: &PublicKey) -> Value {
        json!({
            "implementation-id": hex::encode(self.implementation_id()),
            "instance-id": hex::encode(self.instance_id()),
            "pkey": key.to_jwk(),
        })
    }

    /// A trust anchor for each CPAK of the platform, on P-384 first.
    pub fn trust_anchors(&self) -> Vec<Value> {
        [Curve::P384, Curve::P256, Curve::P521]
            .map(|curve| self.trust_anchor(&self.cpak(curve).public_key()))
            .to_vec()
    }

    /// The store of trust anchors: an array of one, the CPAK on that curve. These stores have one key
    /// for each instance.
    pub fn trust_anchor_store(&self, curve: Curve) -> Value {
        json!([self.trust_anchor(&self.cpak(curve).public_key())])
    }

    /// The store of reference values: the emulated firmware and its configuration, and the emulated
    /// realm with personalization value zero; measurements by `algorithm`.
    pub fn reference_value_store(&self, algorithm: HashAlgorithm) -> Value {
        let components: Vec<Value> = COMPONENTS
            .iter()
            .map(|firmware| {
                json!({
                    "component-type": firmware.component_type,
                    "measurement-value": firmware.measurement(algorithm).to_hex(),
                    "signer-id": firmware.signer_id().to_hex(),
                    "version": firmware.version,
                })
            })
            .collect();
        let zeros = "00".repeat(algorithm.digest_len());
        json!({
            "platform": [{
                "implementation-id": hex::encode(self.implementation_id()),
                "platform-configuration": hex::encode(PLATFORM_CONFIG),
                "sw-components": components,
            }],
            "realm": [{
                "initial-measurement": realm_measurement(algorithm).to_hex(),
                "extensible-measurements": [zeros, zeros, zeros, zeros],
                "personalization-value": "00".repeat(64),
                "rak-hash-algorithm": algorithm_name(HashAlgorithm::Sha256),
            }],
        })
    }
}
