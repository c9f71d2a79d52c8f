//! What a token costs, with the floor beside it: the bare operations that the work cannot avoid.
//!
//! `cargo bench -p assay-token`
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::hint::black_box;

use assay_token::jwe::{DecryptionKey, KeyAlgorithm, encrypt};
use assay_token::{
    EarClaims, Issuer, JwkSet, SigningAlgorithm, SigningKey, Submodule, TRUSTEE_PROFILE, TokenVerifier,
    TrustedKeys, VerifierId,
};
use assay_types::{TrustVector, UnixTime, Validity};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};

const NOW: UnixTime = UnixTime(1_800_000_000);

/// Claims of the size of an SNP guest's: about 2.5 kB of JSON.
fn ear() -> EarClaims {
    let mut snp = Map::new();
    for n in 0..40 {
        snp.insert(format!("reported_component_{n}"), json!(n));
    }
    for name in ["measurement", "report_data", "chip_id", "host_data", "family_id", "image_id"] {
        snp.insert(name.into(), json!("5a".repeat(48)));
    }
    let evidence = json!({
        "snp": Value::Object(snp),
        "report_data": "5a".repeat(64),
        "init_data": "5a".repeat(32),
        "runtime_data_claims": { "nonce": "n".repeat(44), "additional-evidence": "", "tee-pubkey":
            { "kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": "x".repeat(43), "y": "y".repeat(43) } },
    });
    EarClaims {
        eat_profile: TRUSTEE_PROFILE.into(),
        iat: NOW,
        nbf: NOW,
        exp: Some(NOW.plus(300)),
        eat_nonce: None,
        iss: "CoCo-Attestation-Service".into(),
        jti: "j".repeat(22),
        verifier_id: VerifierId { developer: "https://example.org".into(), build: "assay 0.1.0".into() },
        submods: BTreeMap::from([(
            "cpu0".to_owned(),
            Submodule::new(TrustVector { hardware: 2, ..TrustVector::default() }, "default".into(), evidence),
        )]),
        extra: Map::new(),
    }
}

fn tokens(c: &mut Criterion) {
    let ear = ear();
    let mut group = c.benchmark_group("token");
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Es384] {
        let key = SigningKey::generate(algorithm).unwrap();
        let jwks = JwkSet { keys: vec![key.public_jwk().clone()] };
        let certificate = key.self_signed_certificate("assay", Validity::ALWAYS).unwrap();
        let issuer = Issuer::new(key, Some(vec![certificate.clone()])).unwrap();
        let token = issuer.sign(&ear).unwrap();
        let by_kid = TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap();
        let certificates = vec![certificate];
        let by_certificate =
            TokenVerifier::new(TrustedKeys { certificates, ..TrustedKeys::default() }).unwrap();
        group.bench_function(format!("sign EAR {algorithm}"), |b| {
            b.iter(|| issuer.sign(black_box(&ear)).unwrap());
        });
        group.bench_function(format!("verify EAR {algorithm} by kid"), |b| {
            b.iter(|| by_kid.verify(black_box(&token), NOW).unwrap());
        });
        group.bench_function(format!("verify EAR {algorithm} by x5c"), |b| {
            b.iter(|| by_certificate.verify(black_box(&token), NOW).unwrap());
        });
    }
    group.finish();
}

fn secrets(c: &mut Criterion) {
    let secret = [7; 32];
    let mut group = c.benchmark_group("jwe");
    for algorithm in KeyAlgorithm::ALL {
        let key = DecryptionKey::generate(algorithm).unwrap();
        let message = encrypt(key.public_jwk(), &secret).unwrap();
        group.bench_function(format!("encrypt {algorithm}"), |b| {
            b.iter(|| encrypt(black_box(key.public_jwk()), &secret).unwrap());
        });
        group.bench_function(format!("decrypt {algorithm}"), |b| {
            b.iter(|| key.decrypt(black_box(&message)).unwrap());
        });
    }
    group.finish();
}

fn floors(c: &mut Criterion) {
    let ear = ear();
    let text = serde_json::to_vec(&ear).unwrap();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let rng = SystemRandom::new();
    let message = [5; 4096];
    let signature = pair.sign(&rng, &message).unwrap();
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key()).unwrap();
    let own = PrivateKey::generate(&ECDH_P256).unwrap();
    let other = PrivateKey::generate(&ECDH_P256).unwrap().compute_public_key().unwrap();
    let mut group = c.benchmark_group("floor");
    group.bench_function("P-256 sign 4 kB", |b| b.iter(|| pair.sign(&rng, black_box(&message)).unwrap()));
    group.bench_function("P-256 verify 4 kB", |b| {
        b.iter(|| public.verify_sig(black_box(&message), signature.as_ref()).unwrap());
    });
    group.bench_function("write EAR as JSON", |b| b.iter(|| serde_json::to_vec(black_box(&ear)).unwrap()));
    group.bench_function("read EAR as JSON", |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(&text)).unwrap());
    });
    group.bench_function("P-256 generate and agree", |b| {
        b.iter(|| {
            let ephemeral = PrivateKey::generate(&ECDH_P256).unwrap();
            agree(&ephemeral, UnparsedPublicKey::new(&ECDH_P256, &other), (), |z| Ok(z.len())).unwrap()
        });
    });
    group.bench_function("P-256 agree", |b| {
        b.iter(|| agree(&own, UnparsedPublicKey::new(&ECDH_P256, &other), (), |z| Ok(z.len())).unwrap());
    });
    group.finish();
}

criterion_group!(benches, tokens, secrets, floors);
criterion_main!(benches);
