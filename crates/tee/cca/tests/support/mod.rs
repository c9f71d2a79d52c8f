//! What the tests share.
#![allow(dead_code, unreachable_pub)]

pub mod shelf;

use std::path::PathBuf;

use assay_tee_cca::{CcaSettings, CcaVerifier};
use assay_types::{
    Authenticated, Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, Finding,
    Outcome, RawEvidence, Tee, UnixTime, Verifier, VerifyError,
};

/// The folder of real evidence, or `None` with a reason printed.
pub fn vectors() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/cca");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no evidence of real firmware at ../shared/vectors/cca");
    None
}

/// 2026-11-01.
pub const NOW: UnixTime = UnixTime(1_793_491_200);

/// Files given by hand.
pub fn files<B: AsRef<[u8]>>(contents: impl IntoIterator<Item = B>) -> CollateralSet {
    let item = |(n, bytes): (usize, B)| CollateralItem {
        kind: CollateralKind::Unclassified,
        bytes: bytes.as_ref().to_vec().into(),
        origin: CollateralOrigin::File(format!("file {n}")),
    };
    CollateralSet { items: contents.into_iter().enumerate().map(item).collect() }
}

pub fn with_test_keys() -> CcaSettings {
    CcaSettings { allow_test_keys: true, ..CcaSettings::production() }
}

pub fn verify_with(
    settings: CcaSettings,
    token: &[u8],
    binding: &Binding,
    collateral: &CollateralSet,
) -> Result<Authenticated, VerifyError> {
    let verifier = CcaVerifier::new(settings);
    let parsed = verifier.parse(&RawEvidence::new(Tee::Cca, token.to_vec()))?;
    let needed = parsed.collateral_needed(NOW);
    assert!(needed.len() == 1 && needed[0].kind == CollateralKind::TrustAnchors);
    let mut all = parsed.verify(binding, collateral, NOW)?;
    assert_eq!(all.len(), 1);
    Ok(all.remove(0))
}

/// The codes that failed, in order, each once.
pub fn failed(error: &VerifyError) -> Vec<&str> {
    let mut codes: Vec<&str> = error.failures().map(|finding| finding.code.as_ref()).collect();
    codes.dedup();
    codes
}

pub fn finding<'a>(findings: &'a [Finding], code: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("no {code}"))
}

pub fn outcome(findings: &[Finding], code: &str) -> Outcome {
    finding(findings, code).outcome
}

/// The emulated platform, and the trust anchors of its three keys as files.
pub fn silicon() -> assay_emulator::CcaSilicon {
    assay_emulator::CcaSilicon::new(assay_emulator::Seed::new([7; 32]))
}

/// The challenge that evidence is to have.
pub const CHALLENGE: [u8; 48] = [0x5a; 48];

pub fn binding() -> Binding {
    Binding { report_data: Some(CHALLENGE.to_vec()), init_data: None }
}

/// A good realm of this generation, with the challenge.
pub fn guest<'a>(generation: assay_emulator::cca::Cca) -> assay_emulator::cca::CcaGuest<'a> {
    silicon().guest(generation).realm(|realm| realm.challenge[..48].copy_from_slice(&CHALLENGE))
}

/// Stores of trust anchors, one for each of the three keys of the emulated platform: a store has one key
/// for a platform.
pub fn anchors() -> CollateralSet {
    files(silicon().trust_anchors().into_iter().map(|anchor| serde_json::json!([anchor]).to_string()))
}

pub fn verify(token: &[u8]) -> Result<Authenticated, VerifyError> {
    verify_with(CcaSettings::production(), token, &binding(), &anchors())
}
