//! Tokens from any text: no panic, and nothing is accepted, neither by a trusted key nor by a trusted
//! certificate, that was not signed by it.
#![no_main]

use std::sync::LazyLock;

use assay_token::{
    CompactJws, JwkSet, SigningAlgorithm, SigningKey, TokenVerifier, TrustedKeys, decode_unverified,
};
use assay_types::{UnixTime, Validity};
use libfuzzer_sys::fuzz_target;

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    let certified = SigningKey::generate(SigningAlgorithm::Es384).expect("a key");
    let certificate = certified.self_signed_certificate("fuzz", Validity::ALWAYS).expect("a certificate");
    TokenVerifier::new(TrustedKeys {
        jwks: JwkSet { keys: vec![key.public_jwk().clone()] },
        certificates: vec![certificate],
        ..TrustedKeys::default()
    })
    .expect("a verifier")
});

fuzz_target!(|token: &str| {
    let _ = decode_unverified(token);
    let _ = CompactJws::parse(token);
    assert!(VERIFIER.verify(token, UnixTime(1_800_000_000)).is_err());
});
