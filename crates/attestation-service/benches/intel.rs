//! TDX and SGX quote → token, with the floor beside it: two P-256 verifications (the report of the quoting
//! enclave, the quote) and one P-256 signature.
//!
//! `cargo bench -p assay-attestation-service --bench intel`. What counts is the ratio of "quote to token" to
//! "floor" of the same run.
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

use assay_types::{Tee, TrustTier};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use criterion::{Criterion, criterion_group, criterion_main};
use support::{Guest, World};

fn floor(c: &mut Criterion) {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let message = [7_u8; 632];
    let signature = pair.sign(&random, &message).unwrap();
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).unwrap();
    c.bench_function("floor: two P-256 verifications, one P-256 signature", |b| {
        b.iter(|| {
            public.verify_sig(black_box(&message), signature.as_ref()).unwrap();
            public.verify_sig(black_box(&message), signature.as_ref()).unwrap();
            pair.sign(&random, black_box(&message)).unwrap()
        });
    });
}

fn pipeline(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(async {
        let world = World::new().await;
        world.register_good_intel().await;
        world
    });
    for (name, guest) in [
        ("tdx: quote to token, no event log", Guest::of(Tee::Tdx).set("event_log", "none")),
        ("tdx: quote to token, with an event log", Guest::of(Tee::Tdx)),
        ("sgx: quote to token", Guest::of(Tee::Sgx)),
    ] {
        let prepared = world.prepare(guest);
        let issued = runtime.block_on(world.evaluate(&prepared)).unwrap();
        assert_eq!(issued.verdict.status, TrustTier::Affirming, "{name}");
        c.bench_function(name, |b| {
            b.iter(|| runtime.block_on(world.evaluate(black_box(&prepared))).unwrap());
        });
        let keys = world.service.keys().current();
        c.bench_function(&format!("{name}: issue alone"), |b| {
            b.iter(|| keys.current().sign(black_box(&issued.claims)).unwrap());
        });
    }
}

criterion_group!(benches, floor, pipeline);
criterion_main!(benches);
