//! The platform's endorsements as the JSON stores of rust-ccatoken and Trustee.

use assay_cose::{Curve, PublicKey};
use serde_json::{Value, json};

use super::content::algorithm_name;
use super::guest::CcaGuest;
use super::silicon::CcaSilicon;

/// A trust anchor: identifiers in hexadecimal, the key as a JWK.
fn trust_anchor(implementation_id: &[u8; 32], instance_id: &[u8; 33], key: &PublicKey) -> Value {
    json!({
        "implementation-id": hex::encode(implementation_id),
        "instance-id": hex::encode(instance_id),
        "pkey": key.to_jwk(),
    })
}

impl CcaSilicon {
    /// A trust anchor for each CPAK of the platform, on P-384 first:
    /// `{"implementation-id":"<hex>","instance-id":"<hex>","pkey":JWK}`.
    pub fn trust_anchors(&self) -> Vec<Value> {
        let (implementation_id, instance_id) = (self.implementation_id(), self.instance_id());
        [Curve::P384, Curve::P256, Curve::P521]
            .map(|curve| trust_anchor(&implementation_id, &instance_id, &self.cpak(curve).public_key()))
            .to_vec()
    }

    /// The public key of [`CcaSilicon::corim_signer`] as a JWK.
    pub fn corim_signer_jwk(&self) -> Value {
        self.corim_signer().public_key().to_jwk()
    }

    /// The public key of [`CcaSilicon::corim_signer`] as a SubjectPublicKeyInfo in PEM.
    pub fn corim_signer_pem(&self) -> String {
        self.corim_signer().public_key().to_pem()
    }
}

impl CcaGuest<'_> {
    /// The store of trust anchors: an array of one, the key that signs the platform token. These stores
    /// have one key for each instance.
    pub fn trust_anchor_store(&self) -> Value {
        let claims = self.platform_claims();
        let key = self.platform_key().public_key();
        json!([trust_anchor(&claims.implementation_id, &claims.instance_id, &key)])
    }

    /// The store of reference values that this realm and its platform match: the typed claims as they
    /// stand now. Edits of members and bytes do not reach it.
    pub fn reference_value_store(&self) -> Value {
        let (platform, realm) = (self.platform_claims(), self.realm_claims());
        let components: Vec<Value> = platform
            .components
            .iter()
            .map(|component| {
                json!({
                    "component-type": component.component_type,
                    "measurement-value": hex::encode(&component.measurement),
                    "signer-id": hex::encode(&component.signer_id),
                    "version": component.version,
                })
            })
            .collect();
        let mut of_realm = json!({
            "initial-measurement": hex::encode(&realm.initial_measurement),
            "extensible-measurements":
                realm.extensible_measurements.iter().map(hex::encode).collect::<Vec<_>>(),
            "personalization-value": hex::encode(realm.personalization_value),
        });
        if let (Some(members), Some(algorithm)) = (of_realm.as_object_mut(), realm.public_key_hash_algorithm)
        {
            members.insert("rak-hash-algorithm".into(), algorithm_name(algorithm).into());
        }
        json!({
            "platform": [{
                "implementation-id": hex::encode(platform.implementation_id),
                "platform-configuration": hex::encode(&platform.config),
                "sw-components": components,
            }],
            "realm": [of_realm],
        })
    }
}
