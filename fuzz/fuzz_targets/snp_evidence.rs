//! Any bytes as SNP evidence: the parser never panics, and what it accepts survives being written
//! and read again, in both forms.
#![no_main]

use assay_tee_snp::evidence::{SnpEvidence, reserved_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(evidence) = SnpEvidence::parse(bytes) else { return };
    let raw = SnpEvidence::from_raw(&evidence.to_raw()).expect("the raw form is read again");
    assert_eq!(raw, evidence);
    // JSON has no place for reserved bytes that are set.
    if reserved_bytes(evidence.report_bytes(), evidence.report.tcb_layout()).is_empty() {
        let json = SnpEvidence::from_json(&evidence.to_json()).expect("the JSON form is read again");
        assert_eq!(json, evidence);
    }
});
