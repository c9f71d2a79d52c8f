//! Sealed secrets from any text: no panic, nothing verifies that the owner did not seal, and what is read
//! without verification is opened or refused. Keys and headers are built from the text too.
#![no_main]

use std::sync::LazyLock;

use assay_sealed_secret::{
    Ctr, Payload, SealingKey, Unverified, VerificationKey, parse_without_verification_danger,
};
use assay_types::SecretBytes;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<VerificationKey> = LazyLock::new(|| {
    let key = SealingKey::generate("fuzz").expect("a key");
    VerificationKey::from_public(key.public_jwk()).expect("a public key")
});

fn open(payload: &Payload) {
    let key = SecretBytes::new(vec![1; 32]);
    match payload {
        Payload::Vault(vault) => drop(vault.resource()),
        Payload::Envelope(envelope) => {
            let _ = envelope.unwrap_data_key(&key);
            let _ = envelope.open(&key, Ctr::Refused);
            let _ = envelope.open(&key, Ctr::AllowedDanger);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let _ = VerificationKey::from_jwk(data);
    let _ = SealingKey::from_jwk(&SecretBytes::new(data.to_vec()));
    let Ok(text) = str::from_utf8(data) else { return };
    // The text as it is, as a header, and as a payload, so that the JSON behind base64 is reached.
    let encoded = BASE64_URL_SAFE_NO_PAD.encode(text);
    let signature = "A".repeat(86);
    for sealed in
        [text.to_owned(), format!("sealed.{encoded}.e30.{signature}"), format!("sealed.x.{encoded}.x")]
    {
        if let Ok(unverified) = Unverified::parse(&sealed) {
            assert!(!unverified.kid().is_empty());
            assert!(unverified.verify(&KEY).is_err());
        }
        if let Ok(payload) = parse_without_verification_danger(&sealed) {
            open(&payload);
        }
    }
});
