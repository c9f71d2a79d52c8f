//! The owner of the vectors: a test key that everyone knows, and a signer that writes anything.
#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::LazyLock;

use assay_sealed_secret::VerificationKey;
use assay_types::SecretBytes;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors.json")).unwrap());

static PAIR: LazyLock<EcdsaKeyPair> = LazyLock::new(|| {
    let part =
        |name: &str| BASE64_URL_SAFE_NO_PAD.decode(VECTORS["private_jwk"][name].as_str().unwrap()).unwrap();
    let point = [vec![4], part("x"), part("y")].concat();
    EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &part("d"), &point)
        .unwrap()
});

pub(crate) fn vector(name: &str) -> String {
    let value = &VECTORS[name];
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn kek() -> SecretBytes {
    SecretBytes::new((0..32).collect())
}

pub(crate) fn public_key() -> VerificationKey {
    VerificationKey::from_jwk(vector("public_jwk").as_bytes()).unwrap()
}

pub(crate) fn header() -> String {
    r#"{"alg":"ES256","kid":"k"}"#.to_owned()
}

/// The payload of the vault, to the letter.
pub(crate) fn vault_json() -> String {
    let text = vector("vault");
    let part = text.split('.').nth(2).unwrap();
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub(crate) fn b64(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

/// Signs whatever it is given.
pub(crate) fn sign(header: &str, payload: &str) -> String {
    let input = format!("{}.{}", b64(header), b64(payload));
    let signature = PAIR.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    format!("sealed.{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
}
