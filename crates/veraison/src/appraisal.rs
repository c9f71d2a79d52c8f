//! What the service thinks of platform and realm, as an endorsed appraisal.
//!
//! The reference values are the service's, so ours are not asked: the vectors were made there, under
//! its signature, and are handed on.

use assay_types::{
    Check, EndorsedAppraisal, EndorsedAppraiser, Finding, LayerAppraisal, LayerFinding, Outcome,
    ReferenceValueSnapshot, TrustClaim, TrustTier, TrustVector, UnixTime,
};
use serde_json::{Map, Value, json};

use crate::ear::{LayerResult, PLATFORM, REALM};
use crate::error::shown;

const SOURCE: &str = "AR4SI, section 2.3; Veraison, scheme ARM_CCA";

const fn check(code: &'static str, name: &'static str, remedy: &'static str) -> Check {
    Check { code, name, remedy, source: SOURCE }
}

/// The trustworthiness claims of the service: one check for each, in the order of AR4SI. A finding
/// names the layer it is about. They are made of what the service says and fail no verification.
pub const APPRAISAL_CHECKS: &[Check] = &[
    check(
        "VER-101",
        "Veraison: instance identity",
        "look up the platform's lifecycle, and its trust anchor at the service",
    ),
    check(
        "VER-102",
        "Veraison: configuration",
        "provision the platform's configuration (cca.platform-config) at the service, or restore it",
    ),
    check(
        "VER-103",
        "Veraison: executables",
        "provision the reference values of firmware, RIM and REMs at the service, or start what they name",
    ),
    check("VER-104", "Veraison: file system", "see the policy of the service"),
    check("VER-105", "Veraison: hardware", "see the policy of the service"),
    check("VER-106", "Veraison: runtime opaque", "look up the platform's lifecycle: debug exposes memory"),
    check("VER-107", "Veraison: storage opaque", "look up the platform's lifecycle: debug exposes storage"),
    check("VER-108", "Veraison: sourced data", "see the policy of the service"),
];

/// The appraisal of a Veraison service.
#[derive(Clone, Debug, PartialEq)]
pub struct VeraisonAppraisal {
    platform: LayerResult,
    realm: LayerResult,
    verifier: Value,
}

impl VeraisonAppraisal {
    pub(crate) fn new(platform: LayerResult, realm: LayerResult, verifier: Value) -> Self {
        VeraisonAppraisal { platform, realm, verifier }
    }

    fn layers(&self) -> [(&'static str, &'static str, &LayerResult); 2] {
        [("platform", PLATFORM, &self.platform), ("realm", REALM, &self.realm)]
    }
}

impl EndorsedAppraiser for VeraisonAppraisal {
    /// The two layers with the vectors that the service gave. Where a layer's status is worse than its
    /// vector (a policy of the service condemned it as a whole), no claim of the vector stays better
    /// than the status: it is set to the mildest value of the status's tier, 32 or 96. Otherwise what
    /// the service thinks would be lost on the way.
    ///
    /// `details` has, for each layer, what the service said to the letter:
    /// `{"status", "vector", "policy-id", "policy-claims"}`, and `verifier`.
    fn appraise(&self, _values: &dyn ReferenceValueSnapshot, _now: UnixTime) -> EndorsedAppraisal {
        let mut appraisal = EndorsedAppraisal::default();
        for (layer, submodule, result) in self.layers() {
            let trust_vector = bounded_by_status(result);
            appraisal.layers.push(LayerAppraisal {
                layer: layer.to_owned(),
                submodule: submodule.to_owned(),
                trust_vector,
            });
            appraisal.findings.extend(findings(layer, result, trust_vector));
            appraisal.details.insert(layer.to_owned(), details(result));
        }
        appraisal.details.insert("verifier".to_owned(), self.verifier.clone());
        appraisal
    }
}

fn details(result: &LayerResult) -> Value {
    let mut details = Map::new();
    details.insert("status".into(), json!(result.status));
    details.insert("vector".into(), json!(result.vector));
    details.insert("policy-id".into(), json!(result.policy_id));
    details.insert("policy-claims".into(), Value::Object(result.policy_claims.clone()));
    Value::Object(details)
}

fn bounded_by_status(result: &LayerResult) -> TrustVector {
    let floor = match result.status {
        TrustTier::None | TrustTier::Affirming => return result.vector,
        TrustTier::Warning => 32,
        TrustTier::Contraindicated => 96,
    };
    if result.vector.status() >= result.status {
        return result.vector;
    }
    let mut bounded = result.vector;
    // Claims that were not made stay so.
    for claim in TrustClaim::ALL.into_iter().filter(|claim| result.vector.get(*claim) != 0) {
        bounded.set(claim, floor);
    }
    bounded
}

/// One finding for each claim that was made.
fn findings(layer: &str, result: &LayerResult, vector: TrustVector) -> Vec<LayerFinding> {
    let made = TrustClaim::ALL.into_iter().zip(APPRAISAL_CHECKS).filter(|(claim, _)| vector.get(*claim) != 0);
    made.map(|(claim, check)| {
        let value = vector.get(claim);
        let tier = TrustTier::of(value);
        let outcome = match tier {
            TrustTier::Affirming => Outcome::Passed,
            TrustTier::None => Outcome::NotChecked,
            TrustTier::Warning | TrustTier::Contraindicated => Outcome::Failed,
        };
        let own = result.vector.get(claim);
        let mut detail = if own == value {
            format!("{layer}: {}", meaning(claim, value))
        } else {
            format!(
                "{layer}: the service says {own} ({}), but the whole is {} by its policy",
                meaning(claim, own),
                result.status
            )
        };
        if outcome != Outcome::Passed && !result.policy_id.is_empty() {
            detail.push_str(&format!(" (policy {})", shown(&result.policy_id)));
        }
        let expected = if outcome == Outcome::Passed { "" } else { "affirming (2 to 31)" };
        LayerFinding {
            claim,
            finding: Finding::new(check, outcome, expected, format!("{value} ({tier})"), detail),
        }
    })
    .collect()
}

/// What AR4SI (section 2.3.4) means by a value.
fn meaning(claim: TrustClaim, value: i8) -> &'static str {
    use TrustClaim as C;
    match (claim, value) {
        (_, -1) => "the verifier failed while it made this claim",
        (_, 1) => "the evidence holds what the verifier does not expect",
        (_, 99) => "cryptographic validation failed",
        (C::InstanceIdentity, 2) => "the instance is known and not known to be compromised",
        (C::InstanceIdentity, 96) => "the instance is known and untrustworthy",
        (C::InstanceIdentity, 97) => "the instance is not known",
        (C::Configuration, 2) => "the configuration is a known good one",
        (C::Configuration, 3) => "the configuration has no known vulnerability",
        (C::Configuration, 32) => "the configuration is vulnerable or not a known good one",
        (C::Configuration, 36) => "there is nothing to judge the configuration by",
        (C::Configuration, 96) => "the configuration is unacceptable",
        (C::Executables, 2) => "only approved software, at start and since",
        (C::Executables, 3) => "only approved software at start",
        (C::Executables, 32) => "software with known defects",
        (C::Executables, 33) => "software that is not recognised",
        (C::Executables, 96) => "software that must not run",
        (C::Hardware, 2) => "genuine hardware and firmware",
        (C::Hardware, 32) => "genuine hardware or firmware with known vulnerabilities",
        (C::Hardware, 96) => "hardware or firmware that must not be used",
        (C::Hardware, 97) => "hardware or firmware that is not recognised",
        (C::RuntimeOpaque, 2) => "memory is hidden from others",
        (C::RuntimeOpaque, 32) => "memory is isolated, not encrypted",
        (C::RuntimeOpaque, 96) => "memory is visible to others",
        (C::StorageOpaque, 2) => "storage is encrypted under keys in hardware",
        (C::StorageOpaque, 32) => "storage is encrypted in software",
        (C::StorageOpaque, 96) => "storage is not encrypted",
        (_, value) => match TrustTier::of(value) {
            TrustTier::None => "the verifier makes no claim",
            TrustTier::Affirming => "the verifier affirms it",
            TrustTier::Warning => "the verifier warns of it",
            TrustTier::Contraindicated => "the verifier advises against it",
        },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use assay_types::{AskedReferenceValue, Digest, Lookup};

    /// No reference values.
    pub(crate) struct NoValues;

    impl ReferenceValueSnapshot for NoValues {
        fn query(&self, _id: &str, _now: UnixTime) -> Lookup {
            Lookup::Missing
        }
        fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
            Vec::new()
        }
        fn digest(&self) -> Digest {
            Digest::sha384(b"")
        }
    }

    fn layer(status: TrustTier, executables: i8, instance_identity: i8) -> LayerResult {
        LayerResult {
            status,
            vector: TrustVector { executables, instance_identity, ..TrustVector::default() },
            policy_id: "policy:ARM_CCA/1".into(),
            annotated_evidence: Map::new(),
            policy_claims: Map::new(),
        }
    }

    fn appraise(platform: LayerResult, realm: LayerResult) -> EndorsedAppraisal {
        VeraisonAppraisal::new(platform, realm, json!({"build": "b"})).appraise(&NoValues, UnixTime(0))
    }

    #[test]
    fn both_vectors_come_out_as_they_were_with_a_reason_for_each_claim() {
        let appraisal = appraise(layer(TrustTier::Warning, 33, 2), layer(TrustTier::Contraindicated, 96, 2));
        let layers: Vec<_> = appraisal
            .layers
            .iter()
            .map(|l| (l.layer.as_str(), l.submodule.as_str(), l.trust_vector))
            .collect();
        assert_eq!(
            layers,
            [
                ("platform", "CCA_SSD_PLATFORM", layer(TrustTier::None, 33, 2).vector),
                ("realm", "CCA_REALM", layer(TrustTier::None, 96, 2).vector),
            ]
        );
        assert_eq!(appraisal.combined().status(), TrustTier::Contraindicated);
        let failed: Vec<_> = appraisal
            .findings
            .iter()
            .filter(|f| f.finding.failed())
            .map(|f| (f.finding.code.as_ref(), f.finding.found.as_str(), f.finding.detail.as_str()))
            .collect();
        assert_eq!(
            failed,
            [
                (
                    "VER-103",
                    "33 (warning)",
                    "platform: software that is not recognised (policy policy:ARM_CCA/1)"
                ),
                (
                    "VER-103",
                    "96 (contraindicated)",
                    "realm: software that must not run (policy policy:ARM_CCA/1)"
                ),
            ]
        );
        assert_eq!(appraisal.findings.len(), 4);
        assert_eq!(appraisal.details["verifier"]["build"], "b");
    }

    #[test]
    fn a_status_worse_than_the_vector_is_not_lost() {
        let appraisal = appraise(layer(TrustTier::Contraindicated, 33, 2), layer(TrustTier::Warning, 2, 2));
        assert_eq!(appraisal.layers[0].trust_vector, layer(TrustTier::None, 96, 96).vector);
        assert_eq!(appraisal.layers[1].trust_vector, layer(TrustTier::None, 32, 32).vector);
        assert_eq!(appraisal.details["realm"]["vector"]["executables"], 2, "what the service said is kept");
        assert!(appraisal.findings.iter().all(|f| f.finding.failed()));
        assert!(appraisal.findings[0].finding.detail.contains("says 2"));
    }

    #[test]
    fn a_claim_of_no_tier_is_not_taken_for_good() {
        let appraisal = appraise(layer(TrustTier::Affirming, 1, 2), layer(TrustTier::Affirming, -1, 2));
        let open: Vec<_> =
            appraisal.findings.iter().filter(|f| f.finding.outcome == Outcome::NotChecked).collect();
        assert_eq!(open.len(), 2);
        assert!(open[1].finding.detail.contains("failed"));
    }

    #[test]
    fn each_claim_has_its_check() {
        assert_eq!(APPRAISAL_CHECKS.len(), TrustClaim::ALL.len());
        for (claim, check) in TrustClaim::ALL.into_iter().zip(APPRAISAL_CHECKS) {
            assert_eq!(check.name, format!("Veraison: {}", claim.as_str().replace('-', " ")));
        }
    }
}
