//! What the tests share: vectors, verification with one call, findings by code.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use assay_emulator::{Emulator, Seed};
use assay_tee_snp::evidence::{CertEntry, CertType};
use assay_tee_snp::{SnpAnchors, SnpSettings, SnpVerifier, VmplPolicy};
use assay_types::{
    Authenticated, Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, Outcome,
    RawEvidence, Tee, UnixTime, Verifier, VerifyError,
};

/// The folder of published evidence, when it is at hand.
pub(crate) fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/snp");
    if folder.exists() {
        Some(folder)
    } else {
        println!("skipped: the folder of published evidence is not at hand");
        None
    }
}

pub(crate) fn at(text: &str) -> UnixTime {
    UnixTime::parse_rfc3339(text).unwrap()
}

/// AMD's roots; VMPL 0 and 1, because the published VLEK report has 1.
pub(crate) fn amd() -> SnpVerifier {
    SnpVerifier::new(SnpSettings { vmpl: VmplPolicy::only(&[0, 1]), ..SnpSettings::production() })
}

pub(crate) fn certificates(bytes: &[&[u8]]) -> CollateralSet {
    let item = |bytes: &&[u8]| CollateralItem {
        kind: CollateralKind::Unclassified,
        bytes: bytes.to_vec().into(),
        origin: CollateralOrigin::File("given".to_owned()),
    };
    CollateralSet { items: bytes.iter().map(item).collect() }
}

pub(crate) fn entry(cert_type: CertType, data: &[u8]) -> CertEntry {
    CertEntry { cert_type, data: data.to_vec() }
}

pub(crate) fn verify(
    verifier: &SnpVerifier,
    evidence: &[u8],
    collateral: &CollateralSet,
    binding: &Binding,
    now: UnixTime,
) -> Result<Authenticated, VerifyError> {
    let parsed = verifier.parse(&RawEvidence::new(Tee::Snp, evidence.to_vec()))?;
    let mut all = parsed.verify(binding, collateral, now)?;
    assert_eq!(all.len(), 1);
    Ok(all.remove(0))
}

/// The codes of the failed findings, in order.
pub(crate) fn failed(result: &Result<Authenticated, VerifyError>) -> Vec<String> {
    match result {
        Ok(_) => Vec::new(),
        Err(e) => {
            let mut codes: Vec<String> = e.failures().map(|f| f.code.to_string()).collect();
            codes.sort();
            codes
        }
    }
}

pub(crate) fn outcome(findings: &[assay_types::Finding], code: &str) -> Option<Outcome> {
    findings.iter().find(|f| f.code == code).map(|f| f.outcome)
}

/// The roots of an emulator and no others.
pub(crate) fn emulated_anchors(seed: Seed) -> SnpAnchors {
    let file = Emulator::new(seed).anchors();
    SnpAnchors::emulated_only(&file.anchors[&Tee::Snp]).unwrap()
}

/// Trusts the emulator of [`Seed::DEVELOPMENT`].
pub(crate) fn emulated() -> SnpVerifier {
    SnpVerifier::new(emulated_settings())
}

pub(crate) fn emulated_settings() -> SnpSettings {
    SnpSettings { anchors: emulated_anchors(Seed::DEVELOPMENT), ..SnpSettings::production() }
}

/// A time at which all that the emulator issues is valid.
pub(crate) fn now() -> UnixTime {
    at("2026-06-01T00:00:00Z")
}
