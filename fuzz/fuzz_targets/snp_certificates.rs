//! Any bytes as the certificates and revocation list that come with a report: no panic, nothing
//! accepted.
#![no_main]

use assay_tee_snp::evidence::{CertEntry, CertType, MAX_CERTIFICATE_LEN, Report, SnpEvidence};
use assay_tee_snp::{SnpSettings, SnpVerifier};
use assay_types::{Binding, CollateralSet, RawEvidence, Tee, UnixTime, Verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: Vec<(u8, Vec<u8>)>| {
    let types = [CertType::Ark, CertType::Ask, CertType::Vcek, CertType::Vlek, CertType::Crl];
    let entries = input
        .into_iter()
        .take(16)
        .filter(|(_, data)| data.len() <= MAX_CERTIFICATE_LEN)
        .map(|(kind, data)| CertEntry { cert_type: types[usize::from(kind) % types.len()], data })
        .collect();
    let report = Report {
        version: 3,
        policy: 1 << 17,
        sig_algo: 1,
        cpuid_fam_id: Some(0x19),
        cpuid_mod_id: Some(1),
        cpuid_step: Some(1),
        chip_id: [1; 64],
        ..Report::default()
    };
    let evidence = SnpEvidence::new(report, Some(entries)).to_raw();
    let verifier = SnpVerifier::new(SnpSettings::production());
    let parsed = verifier.parse(&RawEvidence::new(Tee::Snp, evidence)).expect("the form is right");
    let result = parsed.verify(&Binding::default(), &CollateralSet::default(), UnixTime(1_780_272_000));
    assert!(result.is_err());
});
