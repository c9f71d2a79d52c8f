//! Any bytes as SNP evidence and as collateral: verification never panics, and never accepts
//! anything under AMD's roots that is not signed by them.
#![no_main]

use std::sync::LazyLock;

use assay_tee_snp::{CrlPolicy, SnpSettings, SnpVerifier, VmplPolicy};
use assay_types::{
    Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, Digest, RawEvidence, Tee,
    UnixTime, Verifier, VerifyError,
};
use libfuzzer_sys::fuzz_target;

static VERIFIER: LazyLock<SnpVerifier> = LazyLock::new(|| {
    SnpVerifier::new(SnpSettings {
        crl: CrlPolicy::Required,
        vmpl: VmplPolicy::only(&[0, 1, 2, 3]),
        ..SnpSettings::production()
    })
});

fuzz_target!(|input: (&[u8], &[u8], u8)| {
    let (evidence, collateral, kind) = input;
    let now = UnixTime(1_780_272_000);
    let parsed = match VERIFIER.parse(&RawEvidence::new(Tee::Snp, evidence.to_vec())) {
        Ok(parsed) => parsed,
        Err(VerifyError::Rejected(_)) => panic!("parsing does not reject"),
        Err(e) => return assert!(e.failures().count() == 1),
    };
    for request in parsed.collateral_needed(now) {
        assert!(request.service_path.starts_with('/') && request.cache_key.is_ascii());
        assert!(request.offline_paths.iter().all(|path| !path.starts_with('/') && !path.contains("..")));
    }
    let kinds = [CollateralKind::Certificates, CollateralKind::Crl, CollateralKind::Unclassified];
    let item = CollateralItem {
        kind: kinds[usize::from(kind) % kinds.len()],
        bytes: collateral.to_vec().into(),
        origin: CollateralOrigin::Cache,
    };
    let binding = Binding { report_data: Some(vec![1; 48]), init_data: Some(Digest::sha384(b"fuzz")) };
    // The report data would have to be signed by AMD: no input found here can have them.
    let result = parsed.verify(&binding, &CollateralSet { items: vec![item] }, now);
    assert!(matches!(result, Err(VerifyError::Rejected(findings)) if findings.iter().any(|f| f.failed())));
});
