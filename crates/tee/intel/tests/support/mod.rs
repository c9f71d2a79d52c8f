//! What the tests share: one emulated platform, verification with one call, findings by code.
#![allow(dead_code)]

use assay_emulator::intel::{Body, COLLATERAL_VALIDITY, Collateral, IntelEvidence, IntelGuest};
use assay_emulator::{Emulator, IntelSilicon, Seed};
use assay_tee_intel::{IntelAnchors, IntelSettings, IntelVerifier};
use assay_types::{
    Authenticated, Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, Digest,
    RawEvidence, Tee, UnixTime, Verifier, VerifyError,
};
use serde_json::Value;

pub(crate) const REPORT_DATA: [u8; 48] = [7; 48];
pub(crate) const INIT_DATA: &[u8] = b"init data";

/// 2026-06-01T00:00:00Z, inside all validity of the emulator.
pub(crate) fn now() -> UnixTime {
    UnixTime(1_780_272_000)
}

pub(crate) fn silicon() -> IntelSilicon {
    IntelSilicon::new(Seed::DEVELOPMENT)
}

pub(crate) fn anchors(seed: Seed) -> IntelAnchors {
    IntelAnchors::emulated_only(&Emulator::new(seed).anchors().anchors[&Tee::Tdx]).unwrap()
}

pub(crate) fn settings() -> IntelSettings {
    IntelSettings { anchors: anchors(Seed::DEVELOPMENT), ..IntelSettings::production() }
}

pub(crate) fn verifier(tee: Tee, settings: IntelSettings) -> IntelVerifier {
    if tee == Tee::Sgx { IntelVerifier::sgx(settings) } else { IntelVerifier::tdx(settings) }
}

pub(crate) fn binding() -> Binding {
    Binding { report_data: Some(REPORT_DATA.to_vec()), init_data: Some(Digest::sha384(INIT_DATA)) }
}

/// A TD that is bound as [`binding`] wants it.
pub(crate) fn td(silicon: &IntelSilicon) -> IntelGuest<'static> {
    silicon.td().td_report(|report| {
        report.report_data[..48].copy_from_slice(&REPORT_DATA);
        report.mr_config_id.copy_from_slice(Digest::sha384(INIT_DATA).as_bytes());
    })
}

/// An enclave that is bound as [`binding`] wants it.
pub(crate) fn enclave(silicon: &IntelSilicon) -> IntelGuest<'static> {
    silicon.enclave().enclave_report(|report| {
        report.report_data[..48].copy_from_slice(&REPORT_DATA);
        report.config_id[..48].copy_from_slice(Digest::sha384(INIT_DATA).as_bytes());
    })
}

/// The collateral of a guest's platform, valid as long as the emulator's certificates are.
pub(crate) fn collateral(guest: &IntelGuest<'_>) -> Collateral {
    guest.collateral(COLLATERAL_VALIDITY)
}

pub(crate) fn items(pieces: &[Vec<u8>]) -> CollateralSet {
    let item = |bytes: &Vec<u8>| CollateralItem {
        kind: CollateralKind::Unclassified,
        bytes: bytes.clone().into(),
        origin: CollateralOrigin::File("given".to_owned()),
    };
    CollateralSet { items: pieces.iter().map(item).collect() }
}

pub(crate) fn set(json: &Value) -> CollateralSet {
    items(&[json.to_string().into_bytes()])
}

pub(crate) fn json(evidence: &IntelEvidence) -> Vec<u8> {
    evidence.to_json().to_string().into_bytes()
}

pub(crate) fn verify(
    verifier: &IntelVerifier,
    evidence: &[u8],
    collateral: &CollateralSet,
    binding: &Binding,
    now: UnixTime,
) -> Result<Authenticated, VerifyError> {
    let parsed = verifier.parse(&RawEvidence::new(verifier.tee(), evidence.to_vec()))?;
    let mut all = parsed.verify(binding, collateral, now)?;
    assert_eq!(all.len(), 1);
    Ok(all.remove(0))
}

/// The codes of the failed findings, sorted.
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

pub(crate) fn tee_of(guest: &IntelGuest<'_>) -> Tee {
    match guest.current_body() {
        Body::Td(_) => Tee::Tdx,
        Body::Enclave(_) => Tee::Sgx,
    }
}

/// The verdict on a guest with collateral, changed.
pub(crate) fn judge_with(
    guest: IntelGuest<'_>,
    edit: impl FnOnce(&mut Collateral),
) -> Result<Authenticated, VerifyError> {
    let tee = tee_of(&guest);
    let mut published = collateral(&guest);
    edit(&mut published);
    let published = set(&published.to_json(tee).unwrap());
    let bytes = json(&guest.build().unwrap());
    verify(&verifier(tee, settings()), &bytes, &published, &binding(), now())
}

pub(crate) fn claims(result: Result<Authenticated, VerifyError>) -> Value {
    let genuine = result.unwrap();
    assert!(genuine.facts().emulated);
    Value::Object(genuine.facts().claims.clone())
}
