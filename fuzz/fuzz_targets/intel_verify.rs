//! Any bytes as TDX or SGX evidence and as collateral: verification never panics, and never accepts
//! anything under Intel's root that is not signed under it.
#![no_main]

use std::sync::LazyLock;

use assay_tee_intel::{IntelSettings, IntelVerifier};
use assay_types::{
    Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, Digest, RawEvidence, UnixTime,
    Verifier, VerifyError,
};
use libfuzzer_sys::fuzz_target;

static VERIFIERS: LazyLock<[IntelVerifier; 2]> = LazyLock::new(|| {
    let settings = IntelSettings::production();
    [IntelVerifier::tdx(settings.clone()), IntelVerifier::sgx(settings)]
});

fuzz_target!(|input: (&[u8], Vec<&[u8]>, bool)| {
    let (evidence, collateral, sgx) = input;
    let verifier = &VERIFIERS[usize::from(sgx)];
    let now = UnixTime(1_780_272_000);
    let parsed = match verifier.parse(&RawEvidence::new(verifier.tee(), evidence.to_vec())) {
        Ok(parsed) => parsed,
        Err(VerifyError::Rejected(_)) => panic!("parsing does not reject"),
        Err(e) => return assert!(e.failures().count() == 1),
    };
    let item = |bytes: &&[u8]| CollateralItem {
        kind: CollateralKind::Unclassified,
        bytes: bytes.to_vec().into(),
        origin: CollateralOrigin::Cache,
    };
    let set = CollateralSet { items: collateral.iter().map(item).collect() };
    let needed = parsed.collateral_needed(now);
    for request in needed.iter().chain(&parsed.further_collateral_needed(&set, now)) {
        assert!(request.service_path.starts_with('/') && request.cache_key.is_ascii());
        assert!(request.offline_paths.iter().all(|path| !path.starts_with('/') && !path.contains("..")));
    }
    let binding = Binding { report_data: Some(vec![1; 48]), init_data: Some(Digest::sha384(b"fuzz")) };
    // The report data would have to be signed under Intel's root: no input found here can have them.
    let result = parsed.verify(&binding, &set, now);
    assert!(matches!(result, Err(VerifyError::Rejected(findings)) if findings.iter().any(|f| f.failed())));
});
