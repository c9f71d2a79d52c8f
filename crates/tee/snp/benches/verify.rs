//! What the verification of SNP evidence costs, beside the floor: the one ECDSA P-384 verification
//! that no cache can avoid.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::hint::black_box;

use assay_emulator::{Emulator, Seed, SnpSilicon};
use assay_tee_snp::evidence::{SIGNED_LEN, SnpEvidence};
use assay_tee_snp::{Product, SnpAnchors, SnpSettings, SnpVerifier};
use assay_types::{Binding, CollateralSet, RawEvidence, Tee, UnixTime, Verifier};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use criterion::{Criterion, criterion_group, criterion_main};

const NOW: UnixTime = UnixTime(1_780_272_000);

fn verify(c: &mut Criterion) {
    let anchors = Emulator::new(Seed::DEVELOPMENT).anchors();
    let settings = SnpSettings {
        anchors: SnpAnchors::emulated_only(&anchors.anchors[&Tee::Snp]).unwrap(),
        ..SnpSettings::production()
    };
    let silicon = SnpSilicon::new(Seed::DEVELOPMENT);
    let guest = silicon.guest(Product::Milan);
    let key = silicon.endorsement_key(&guest.endorsement_key_id()).public_key_info();
    let built = guest.build().unwrap();
    let evidence = SnpEvidence::new(built.report.clone(), built.cert_chain.clone());
    let json = RawEvidence::new(Tee::Snp, evidence.to_json());
    let raw = RawEvidence::new(Tee::Snp, evidence.to_raw());
    let verifier = SnpVerifier::new(settings.clone());
    let binding = Binding { report_data: Some(vec![0; 48]), init_data: None };
    let none = CollateralSet::default();

    let mut group = c.benchmark_group("snp");
    // The point is at the end of the SubjectPublicKeyInfo.
    let point = &key[key.len() - 97..];
    let parsed_key = ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).unwrap();
    let (signed, signature) = (&built.bytes[..SIGNED_LEN], built.report.signature.to_fixed().unwrap());
    group.bench_function("floor: one P-384 verification", |b| {
        b.iter(|| parsed_key.verify_sig(black_box(signed), &signature).unwrap());
    });
    group.bench_function("parse JSON", |b| b.iter(|| verifier.parse(black_box(&json)).unwrap()));
    group.bench_function("parse raw", |b| b.iter(|| verifier.parse(black_box(&raw)).unwrap()));
    group.bench_function("parse JSON and verify, cold chain", |b| {
        b.iter_batched(
            || SnpVerifier::new(settings.clone()),
            |cold| cold.parse(&json).unwrap().verify(&binding, &none, NOW).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("parse JSON and verify, cached chain", |b| {
        b.iter(|| verifier.parse(black_box(&json)).unwrap().verify(&binding, &none, NOW).unwrap());
    });
    group.bench_function("verify only, cached chain", |b| {
        let parsed = verifier.parse(&json).unwrap();
        b.iter(|| black_box(&parsed).verify(&binding, &none, NOW).unwrap());
    });
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
