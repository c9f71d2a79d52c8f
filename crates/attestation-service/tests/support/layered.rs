//! A verifier that proves nothing, in the shape of Arm CCA's: two layers, trust anchors from the
//! reference values, a comparison with endorsed reference values. Its evidence is JSON.

#![allow(dead_code)]

use std::sync::Arc;

use assay_types::{
    AskedReferenceValue, Authenticated, Binding, Check, Checks, CollateralKind, CollateralRequest,
    CollateralSet, CollateralUse, Digest, EndorsedAppraisal, EndorsedAppraiser, Facts, Finding,
    LayerAppraisal, LayerFinding, Lookup, Outcome, ParsedEvidence, RawEvidence, ReferenceValueSnapshot,
    ReportData, Tee, TeeClaimText as _, TeeClass, TrustClaim, TrustVector, UnixTime, Validity, Vendor,
    Verifier, VerifyError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const FORM: Check = Check { code: "CCA-001", name: "form", remedy: "send JSON", source: "test" };
const CHALLENGE: Check = Check { code: "CCA-002", name: "challenge", remedy: "attest again", source: "test" };
const ANCHOR: Check =
    Check { code: "CCA-011", name: "trust anchor", remedy: "register the key", source: "test" };
const RIM: Check =
    Check { code: "CCA-100", name: "realm measurement", remedy: "register it", source: "test" };
const CONFIG: Check = Check { code: "CCA-101", name: "platform config", remedy: "look", source: "test" };

/// The group of trust anchors.
pub const ANCHORS: &str = "test-anchor";
/// The group of realm measurements.
pub const REALMS: &str = "test-realm";

/// Evidence. Its key must be the `key` of a trust anchor, its `rim` a reference value of [`REALMS`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayeredEvidence {
    pub challenge: String,
    pub key: String,
    pub rim: String,
    #[serde(default)]
    pub emulated: bool,
}

impl LayeredEvidence {
    /// Of the key `k1` and the measurement `r1`, for a nonce.
    pub fn new(nonce: &[u8]) -> Self {
        let challenge = ReportData::padded(nonce).unwrap().to_string();
        LayeredEvidence { challenge, key: "k1".into(), rim: "r1".into(), emulated: false }
    }

    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap()
    }
}

/// The verifier.
pub struct LayeredVerifier;

impl Verifier for LayeredVerifier {
    fn tee(&self) -> Tee {
        Tee::Cca
    }

    fn checks(&self) -> &'static [Check] {
        &[FORM, CHALLENGE, ANCHOR]
    }

    fn parse(&self, evidence: &RawEvidence) -> Result<Box<dyn ParsedEvidence>, VerifyError> {
        let read: LayeredEvidence = serde_json::from_slice(&evidence.bytes)
            .map_err(|error| VerifyError::malformed(&FORM, "JSON", "", error.to_string()))?;
        Ok(Box::new(read))
    }
}

impl ParsedEvidence for LayeredEvidence {
    fn collateral_needed(&self, _now: UnixTime) -> Vec<CollateralRequest> {
        vec![CollateralRequest {
            vendor: Vendor::Arm,
            kind: CollateralKind::TrustAnchors,
            description: "the test's trust anchors".into(),
            cache_key: ANCHORS.into(),
            offline_paths: Vec::new(),
            service_path: String::new(),
            chain_headers: Vec::new(),
            required: true,
            max_len: 1024,
        }]
    }

    fn verify(
        &self,
        binding: &Binding,
        collateral: &CollateralSet,
        _now: UnixTime,
    ) -> Result<Vec<Authenticated>, VerifyError> {
        let mut record = Checks::new(&[FORM, CHALLENGE, ANCHOR]);
        record.pass(&FORM, "");
        let expected = ReportData::padded(binding.report_data.as_deref().unwrap()).unwrap().to_string();
        record.equal(&CHALLENGE, &expected, &self.challenge, "made for another nonce");
        let anchor = collateral.items.iter().find(|item| {
            let value: Value = serde_json::from_slice(&item.bytes).unwrap();
            item.kind == CollateralKind::TrustAnchors && value["key"] == *self.key
        });
        let Some(anchor) = anchor else {
            record.fail(&ANCHOR, &self.key, "none", "no trust anchor of this key");
            return Err(record.reject());
        };
        record.pass(&ANCHOR, &self.key);
        let claims = json!({
            "platform": { "cca-platform-profile": "http://arm.com/CCA-SSD/1.0.0" },
            "realm": { "cca-realm-initial-measurement": self.rim },
        });
        let Value::Object(claims) = claims else { unreachable!() };
        let authenticated = record.finish(Facts {
            tee: Tee::Cca,
            class: TeeClass::Cpu,
            claims,
            report_data: Some(self.challenge.clone()),
            init_data: None,
            validity: Validity::ALWAYS,
            collateral: vec![CollateralUse {
                name: "test key".into(),
                digest: Digest::sha256(&anchor.bytes),
                origin: anchor.origin.clone(),
                validity: Validity::ALWAYS,
            }],
            emulated: self.emulated,
            appraiser: Some(Arc::new(Appraiser { rim: self.rim.clone() })),
        })?;
        Ok(vec![authenticated])
    }
}

#[derive(Debug)]
struct Appraiser {
    rim: String,
}

impl EndorsedAppraiser for Appraiser {
    fn appraise(&self, values: &dyn ReferenceValueSnapshot, now: UnixTime) -> EndorsedAppraisal {
        let mut asked = values.group(REALMS, now);
        let known = asked
            .iter()
            .any(|one| matches!(&one.answer, Lookup::Found { value, .. } if value["rim"] == *self.rim));
        let config = values.query("test-config", now);
        let configured = config != Lookup::Missing;
        asked.push(AskedReferenceValue { id: "test-config".into(), answer: config });
        let finding = |claim, check: &Check, good: bool, detail: &str| {
            let outcome = if good { Outcome::Passed } else { Outcome::Failed };
            let found = self.rim.as_bytes().to_claim();
            LayerFinding { claim, finding: Finding::new(check, outcome, "", found, detail) }
        };
        let platform = TrustVector {
            instance_identity: 2,
            hardware: 2,
            configuration: if configured { 2 } else { 36 },
            ..TrustVector::default()
        };
        let realm = TrustVector {
            executables: if known { 2 } else { 33 },
            instance_identity: 2,
            ..Default::default()
        };
        let layer = |layer: &str, submodule: &str, trust_vector| LayerAppraisal {
            layer: layer.into(),
            submodule: submodule.into(),
            trust_vector,
        };
        EndorsedAppraisal {
            layers: vec![layer("platform", "CCA_SSD_PLATFORM", platform), layer("realm", "CCA_REALM", realm)],
            findings: vec![
                finding(TrustClaim::Configuration, &CONFIG, configured, "no reference config"),
                finding(TrustClaim::Executables, &RIM, known, "not a known realm"),
            ],
            asked,
            details: serde_json::Map::from_iter([("rim-known".to_owned(), Value::Bool(known))]),
        }
    }
}
