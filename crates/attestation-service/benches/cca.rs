//! Arm CCA evidence → token, with the floor beside it: two P-384 verifications (platform and realm) and
//! one P-256 signature.
//!
//! `cargo bench -p assay-attestation-service --bench cca`. What counts is the ratio of "evidence to token" to
//! "floor", and that 10 000 endorsements cost what 10 do; all are measured in the same run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use assay_tee_cca::{CcaSettings, CcaVerifier, EmulatedAnchors};
use assay_types::{Binding, CollateralSet, RawEvidence, Tee, Verifier as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    KeyPair as _, ParsedPublicKey,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use support::{Guest, NOW, World};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn floor(c: &mut Criterion) {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let message = [7_u8; 700];
    let signature = pair.sign(&random, &message).unwrap();
    let public = ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, pair.public_key().as_ref()).unwrap();
    let issuer = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    c.bench_function("floor: two P-384 verifications, one P-256 signature", |b| {
        b.iter(|| {
            public.verify_sig(black_box(&message), signature.as_ref()).unwrap();
            public.verify_sig(black_box(&message), signature.as_ref()).unwrap();
            issuer.sign(&random, black_box(&message)).unwrap()
        });
    });
}

fn verifier(c: &mut Criterion) {
    let runtime = runtime();
    let world = runtime.block_on(World::new());
    let prepared = world.prepare(Guest::of(Tee::Cca));
    let raw = RawEvidence::new(Tee::Cca, prepared.evidence.primary_evidence.get().as_bytes().to_vec());
    let emulated = EmulatedAnchors::read(&world.emulator.anchors().anchors[&Tee::Cca]).unwrap();
    let verifier = CcaVerifier::new(CcaSettings { emulated, ..CcaSettings::production() });
    c.bench_function("cca: parse", |b| b.iter(|| verifier.parse(black_box(&raw)).is_ok()));
    c.bench_function("cca: parse and verify", |b| {
        b.iter(|| {
            let parsed = verifier.parse(black_box(&raw)).unwrap();
            parsed.verify(&Binding::default(), &CollateralSet::default(), NOW).unwrap()
        });
    });
}

/// Reference values of `count` realms that are not this one.
async fn fill(world: &World, count: usize) {
    let realm =
        |n: usize| json!({ "initial-measurement": format!("{n:064x}"), "rak-hash-algorithm": "sha-256" });
    let store = json!({ "platform": [], "realm": (0..count).map(realm).collect::<Vec<_>>() });
    let message = json!({
        "version": "0.1.0", "type": "cca-reference-values", "payload": BASE64_STANDARD.encode(store.to_string()),
    });
    world.service.reference_values().register(message.to_string().as_bytes()).await.unwrap();
}

fn pipeline(c: &mut Criterion) {
    let runtime = runtime();
    for count in [10_usize, 10_000] {
        let world = runtime.block_on(async {
            let world = World::new().await;
            world.register_good_cca().await;
            fill(&world, count).await;
            world
        });
        let prepared = world.prepare(Guest::of(Tee::Cca));
        let issued = runtime.block_on(world.evaluate(&prepared)).unwrap();
        assert_eq!(issued.verdict.status, assay_types::TrustTier::Affirming);
        c.bench_function(&format!("cca: evidence to token, {count} endorsements"), |b| {
            b.iter(|| runtime.block_on(world.evaluate(black_box(&prepared))).unwrap());
        });
        let keys = world.service.keys().current();
        c.bench_function(&format!("cca: issue, {count} endorsements"), |b| {
            b.iter(|| keys.current().sign(black_box(&issued.claims)).unwrap());
        });
    }
}

criterion_group!(benches, floor, verifier, pipeline);
criterion_main!(benches);
