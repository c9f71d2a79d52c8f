//! What the verification of Intel quotes costs, beside the floor: two ECDSA P-256 verifications (the report
//! of the quoting enclave, the quote) and one P-256 signature (the token that follows); and dcap-qvl on the
//! same quotes and collateral, with its RustCrypto back end, the only one that is built here.
//!
//! Quote to token, with policy and signature, is `cargo bench -p assay-attestation-service --bench intel`.
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

use assay_emulator::intel::{COLLATERAL_VALIDITY, IntelGuest, Role};
use assay_tee_intel::quote::Quote;
use assay_types::{Binding, CollateralSet, RawEvidence, Tee, Verifier as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;
use support::{now, settings, silicon, verifier};

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

fn verify(c: &mut Criterion) {
    let silicon = silicon();
    let root = silicon.authority(Role::Root).issue().unwrap();
    let none = Binding::default();
    let guests: [(&str, Tee, IntelGuest<'_>); 3] = [
        ("TDX v4", Tee::Tdx, silicon.td().without_log()),
        ("TDX v5", Tee::Tdx, silicon.td().tdx_1_5().without_log()),
        ("SGX v3", Tee::Sgx, silicon.enclave()),
    ];
    for (name, tee, guest) in guests {
        let published = guest.collateral(COLLATERAL_VALIDITY).to_json(tee).unwrap();
        let collateral: CollateralSet = support::set(&published);
        let quote = guest.build().unwrap().quote;
        let raw = RawEvidence::new(tee, quote.clone());
        let mut group = c.benchmark_group(name);
        group.bench_function("parse", |b| b.iter(|| Quote::parse(black_box(raw.bytes.clone())).unwrap()));
        group.bench_function("parse and verify, nothing known", |b| {
            b.iter_batched(
                || verifier(tee, settings()),
                |cold| cold.parse(&raw).unwrap().verify(&none, &collateral, now()).unwrap(),
                BatchSize::SmallInput,
            );
        });
        let warm = verifier(tee, settings());
        group.bench_function("parse and verify, platform and collateral known", |b| {
            b.iter(|| warm.parse(black_box(&raw)).unwrap().verify(&none, &collateral, now()).unwrap());
        });
        let theirs: QuoteCollateralV3 = serde_json::from_value(published).unwrap();
        let seconds = u64::try_from(now().0).unwrap();
        group.bench_function("dcap-qvl, all of it each time", |b| {
            let verifier = QuoteVerifier::new(root.clone());
            b.iter(|| verifier.verify(black_box(&quote), &theirs, seconds).unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, floor, verify);
criterion_main!(benches);
