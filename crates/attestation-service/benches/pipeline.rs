//! Evidence → token, with the floor beside it: the two signature operations that cannot be avoided.
//!
//! `cargo bench -p assay-attestation-service`. The ratio of "evidence to token, cached chain" to
//! "floor" is what counts; both are measured in the same run.
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

use assay_tee_snp::{SnpAnchors, SnpSettings, SnpVerifier};
use assay_types::{Binding, CollateralSet, RawEvidence, Tee, Verifier as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    KeyPair as _, UnparsedPublicKey,
};
use criterion::{Criterion, criterion_group, criterion_main};
use support::{Guest, NOW, World};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn floor(c: &mut Criterion) {
    let random = SystemRandom::new();
    let vek = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let message = [7_u8; 672];
    let signature = vek.sign(&random, &message).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, vek.public_key().as_ref().to_vec());
    let issuer = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    c.bench_function("floor: one P-384 verification, one P-256 signature", |b| {
        b.iter(|| {
            public.verify(black_box(&message), signature.as_ref()).unwrap();
            issuer.sign(&random, black_box(&message)).unwrap()
        });
    });
}

fn verifier(c: &mut Criterion) {
    let runtime = runtime();
    let world = runtime.block_on(World::new());
    let prepared = world.prepare(Guest::snp());
    let raw = RawEvidence::new(Tee::Snp, prepared.evidence.primary_evidence.get().as_bytes().to_vec());
    let anchors = world.emulator.anchors();
    let make = || {
        let anchors = SnpAnchors::amd().with_emulated(&anchors.anchors[&Tee::Snp]).unwrap();
        SnpVerifier::new(SnpSettings { anchors, ..SnpSettings::production() })
    };
    let warm = make();
    c.bench_function("parse", |b| b.iter(|| warm.parse(black_box(&raw)).is_ok()));
    let verify = |verifier: &SnpVerifier| {
        let parsed = verifier.parse(&raw).unwrap();
        parsed.verify(&Binding::default(), &CollateralSet::default(), NOW).unwrap()
    };
    c.bench_function("parse and verify, cached chain", |b| b.iter(|| verify(&warm)));
    c.bench_function("parse and verify, cold chain", |b| {
        b.iter_batched(make, |cold| verify(&cold), criterion::BatchSize::SmallInput);
    });
}

fn pipeline(c: &mut Criterion) {
    let runtime = runtime();
    for count in [10_usize, 100_000] {
        let world = runtime.block_on(async {
            let world = World::new().await;
            world.register_good_snp().await;
            for start in (0..count).step_by(5000) {
                let end = (start + 5000).min(count);
                let values = (start..end).map(|n| (format!("filler-{n}"), serde_json::json!([n]))).collect();
                world.register(serde_json::Value::Object(values)).await;
            }
            world
        });
        let prepared = world.prepare(Guest::snp());
        c.bench_function(&format!("evidence to token, cached chain, {count} reference values"), |b| {
            b.iter(|| runtime.block_on(world.evaluate(black_box(&prepared))).unwrap());
        });
    }
}

fn parts(c: &mut Criterion) {
    let runtime = runtime();
    let world = runtime.block_on(async {
        let world = World::new().await;
        world.register_good_snp().await;
        world
    });
    let issued = runtime.block_on(world.attest(Guest::snp())).unwrap();
    let values = runtime.block_on(world.service.reference_values().consult()).unwrap();
    let policy = world.service.policies().get("default_cpu").unwrap();
    let policy = policy.policy.as_ref().unwrap();
    let input = issued.claims.submods["cpu0"].annotated_evidence.clone();
    c.bench_function("appraise", |b| {
        b.iter(|| policy.appraise(black_box(&input), values.values(), NOW).unwrap());
    });
    let keys = world.service.keys().current();
    c.bench_function("issue", |b| b.iter(|| keys.current().sign(black_box(&issued.claims)).unwrap()));
}

criterion_group!(benches, floor, verifier, parts, pipeline);
criterion_main!(benches);
