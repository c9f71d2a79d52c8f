//! CWTs from any bytes: no panic, nothing is accepted that was not signed, and claims that were read can be
//! written and read again.
#![no_main]

use std::sync::LazyLock;

use assay_token::{EarClaims, JwkSet, SigningAlgorithm, SigningKey, TokenVerifier, TrustedKeys};
use assay_types::UnixTime;
use libfuzzer_sys::fuzz_target;

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    let jwks = JwkSet { keys: vec![key.public_jwk().clone()] };
    TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).expect("a verifier")
});

fuzz_target!(|bytes: &[u8]| {
    assert!(VERIFIER.verify_cwt(bytes, UnixTime(1_800_000_000)).is_err());
    let Ok(claims) = EarClaims::from_cwt_claims(bytes) else { return };
    // A member that looks like one of ours, and that we do not know, is read and never written.
    let Ok(written) = claims.to_cwt_claims() else { return };
    let again = EarClaims::from_cwt_claims(&written).expect("what was written can be read");
    // The profile becomes the draft's.
    assert_eq!(EarClaims { eat_profile: claims.eat_profile.clone(), ..again }, claims);
});
