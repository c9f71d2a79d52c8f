//! The attestation service's own interface, from the guest's side.

use assay_key_broker_service::Settings;
use assay_token::decode_unverified;
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{Digest, HashAlgorithm, Tee, canonical_digest};
use serde_json::{Map, Value, json};

use super::{Answer, Guest, World, base64url, settings};

pub fn open() -> Settings {
    Settings { attestation_api: true, ..settings() }
}

pub async fn world() -> World {
    World::with(open()).await
}

pub async fn challenge(world: &World, tee: &str) -> Answer {
    let body = json!({ "tee": tee, "tee_params": "" });
    world.call("POST", "/challenge", &[], body.to_string()).await
}

/// A guest with a challenge of the passport interface.
pub async fn guest(world: &World, tee: Tee) -> Guest {
    let nonce = challenge(world, tee.as_str()).await.ok().text();
    let key = DecryptionKey::generate(KeyAlgorithm::EcdhP256).unwrap();
    Guest { tee, cookie: String::new(), nonce, key }
}

pub fn runtime_data(guest: &Guest) -> Value {
    json!({ "nonce": guest.nonce, "tee-pubkey": guest.key.public_jwk() })
}

/// The request of a guest, bound to these runtime data.
pub fn bound_to(world: &World, guest: &Guest, runtime_data: &Value, hash: HashAlgorithm) -> Value {
    with_evidence(world, guest, runtime_data, hash, None, &[])
}

pub fn with_evidence(
    world: &World,
    guest: &Guest,
    runtime_data: &Value,
    hash: HashAlgorithm,
    init_data: Option<&Digest>,
    set: &[(String, String)],
) -> Value {
    let digest = canonical_digest(runtime_data, hash).unwrap();
    let evidence = world.emulator.evidence(guest.tee, digest.as_bytes(), init_data, set).unwrap();
    json!({
        "verification_requests": [{
            "tee": guest.tee,
            "evidence": base64url(&evidence.to_string()),
            "runtime_data": { "structured": runtime_data },
            "runtime_data_hash_algorithm": hash.as_str(),
        }],
        "policy_ids": [],
    })
}

pub fn request(world: &World, guest: &Guest) -> Value {
    bound_to(world, guest, &runtime_data(guest), HashAlgorithm::Sha384)
}

pub async fn attest(world: &World, body: &Value) -> Answer {
    world.call("POST", "/attestation", &[], body.to_string()).await
}

pub fn annotated(token: &str) -> Value {
    let (_, claims) = decode_unverified(token).unwrap();
    claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"].clone()
}

/// The one verification request.
pub fn one(all: &mut Value) -> &mut Map<String, Value> {
    all["verification_requests"][0].as_object_mut().unwrap()
}

/// Its runtime data.
pub fn structured(all: &mut Value) -> &mut Map<String, Value> {
    one(all)["runtime_data"]["structured"].as_object_mut().unwrap()
}
