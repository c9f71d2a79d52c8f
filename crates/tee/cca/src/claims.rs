//! The claim tree that policies see: names and encodings of Trustee and Veraison (byte strings in
//! standard base64), with everything in it that the token says.
//!
//! `{"platform": {…}, "realm": {…}, "wrapper": 399|907}`. Beyond the names of the reference: the lifecycle
//! in words (`cca-platform-lifecycle-state`), the attestation model, and unknown claims below
//! `unknown-claims`, in diagnostic notation.

use assay_cbor::{Value as Cbor, diagnostic};
use assay_types::Claims;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use crate::claim_reader::algorithm_name;
use crate::evidence::CcaEvidence;
use crate::profile::Model;
use crate::{PlatformClaims, RealmClaims, SoftwareComponent};

/// The longest text of an unknown claim.
const MAX_UNKNOWN: usize = 1024;

pub(crate) fn claims(evidence: &CcaEvidence) -> Claims {
    let mut tree = Claims::new();
    tree.insert("platform".into(), Value::Object(platform(&evidence.platform)));
    tree.insert("realm".into(), Value::Object(realm(&evidence.realm)));
    tree.insert("wrapper".into(), evidence.token.wrapper.tag().into());
    tree
}

struct Tree(Map<String, Value>);

impl Tree {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn put_cbor(&mut self, name: &str, value: Option<&Cbor>) {
        self.put_some(name, value.map(diagnostic));
    }

    fn put_unknown(&mut self, unknown: &[(Cbor, Cbor)]) {
        if !unknown.is_empty() {
            let shown = |value: &Cbor| diagnostic(value).chars().take(MAX_UNKNOWN).collect::<String>();
            let members = unknown.iter().map(|(key, value)| (shown(key), Value::String(shown(value))));
            self.put("unknown-claims", Value::Object(members.collect()));
        }
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn all(items: &[Vec<u8>]) -> Vec<String> {
    items.iter().map(base64).collect()
}

/// The claims of a platform token.
pub(crate) fn platform(claims: &PlatformClaims) -> Map<String, Value> {
    let mut tree = Tree(Map::new());
    tree.put("cca-platform-profile", claims.profile.name);
    tree.put(
        "attestation-model",
        match claims.profile.model {
            Model::Delegated => "delegated",
            Model::HesRak => "hes-rak",
            Model::Direct => "direct",
        },
    );
    tree.put_some("cca-platform-challenge", claims.challenge.as_ref().map(base64));
    tree.put_some("cca-platform-workload-binding", claims.workload_binding.as_ref().map(base64));
    tree.put("cca-platform-implementation-id", base64(claims.implementation_id));
    tree.put("cca-platform-instance-id", base64(claims.instance_id));
    tree.put("cca-platform-config", base64(&claims.config));
    tree.put("cca-platform-lifecycle", claims.lifecycle);
    tree.put("cca-platform-lifecycle-state", claims.lifecycle_state.as_str());
    tree.put("cca-platform-sw-components", claims.components.iter().map(component).collect::<Vec<_>>());
    tree.put_some("cca-platform-service-indicator", claims.verification_service.as_deref());
    tree.put("cca-platform-hash-algo-id", algorithm_name(claims.hash_algorithm));
    tree.put_some("cca-platform-client-id", claims.client_id);
    tree.put_some("cca-platform-manufacturing-config", claims.manufacturing_config.as_ref().map(base64));
    tree.put_cbor("cca-platform-extension", claims.extension.as_ref());
    tree.put_cbor("cca-platform-tbb-rotpk", claims.tbb_rotpk.as_ref());
    if !claims.peer_signers.is_empty() {
        tree.put("cca-platform-peer-signers", all(&claims.peer_signers));
    }
    tree.put_some("cca-platform-tpm-binding", claims.tpm_binding.as_ref().map(base64));
    tree.put_unknown(&claims.unknown);
    tree.0
}

fn component(component: &SoftwareComponent) -> Value {
    let mut tree = Tree(Map::new());
    tree.put_some("measurement-type", component.component_type.as_deref());
    tree.put("measurement-value", base64(&component.measurement));
    tree.put_some("version", component.version.as_deref());
    tree.put("signer-id", base64(&component.signer_id));
    tree.put_some("hash-algo-id", component.hash_algorithm.map(algorithm_name));
    tree.put_some("live-firmware-activation", component.live_activation);
    if !component.counter_signers.is_empty() {
        tree.put("counter-signers", all(&component.counter_signers));
    }
    tree.put_unknown(&component.unknown);
    Value::Object(tree.0)
}

/// The claims of a realm token.
pub(crate) fn realm(claims: &RealmClaims) -> Map<String, Value> {
    let mut tree = Tree(Map::new());
    tree.put_some("cca-realm-profile", claims.profile.name);
    tree.put("cca-realm-challenge", base64(claims.challenge));
    tree.put("cca-realm-personalization-value", base64(claims.personalization_value));
    tree.put("cca-realm-hash-algo-id", algorithm_name(claims.hash_algorithm));
    tree.put_some("cca-realm-public-key", claims.public_key.as_ref().map(base64));
    tree.put_some("cca-realm-public-key-hash-algo-id", claims.public_key_hash_algorithm.map(algorithm_name));
    tree.put("cca-realm-initial-measurement", base64(&claims.initial_measurement));
    tree.put("cca-realm-extensible-measurements", json!(all(&claims.extensible_measurements)));
    tree.put_some("cca-realm-instance-id", claims.instance_id.map(base64));
    tree.put_some("cca-realm-mec-policy", claims.mec_policy.map(super::MecPolicy::as_str));
    tree.put_some("cca-realm-lfa-policy", claims.lfa_policy);
    tree.put_some("cca-realm-devices-token-hash", claims.devices_token_hash.as_ref().map(base64));
    tree.put_unknown(&claims.unknown);
    tree.0
}
