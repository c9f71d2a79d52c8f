//! What the default policy makes of CCA claims, and that policies in Trustee's manner can read them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use std::collections::BTreeMap;

use assay_attestation_service::ATTESTATION_POLICIES;
use assay_policy::{Policy, PolicyKind};
use assay_types::{
    AskedReferenceValue, Digest, EndorsedAppraisal, LayerAppraisal, Lookup, ReferenceValueSnapshot,
    TrustClaim, TrustTier, TrustVector, UnixTime,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime(1_790_000_000);

/// Named reference values.
#[derive(Default)]
struct Values(BTreeMap<&'static str, Value>);

impl ReferenceValueSnapshot for Values {
    fn query(&self, id: &str, _now: UnixTime) -> Lookup {
        match self.0.get(id) {
            Some(value) => Lookup::Found { value: value.clone(), expires: UnixTime::MAX },
            None => Lookup::Missing,
        }
    }

    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"values")
    }
}

fn default_policy() -> Policy {
    let (_, text) = ATTESTATION_POLICIES.iter().find(|(id, _)| *id == "default_cpu").unwrap();
    Policy::bundled(PolicyKind::Attestation, text).unwrap()
}

fn good_platform() -> TrustVector {
    TrustVector {
        instance_identity: 2,
        configuration: 2,
        executables: 2,
        hardware: 2,
        runtime_opaque: 2,
        storage_opaque: 2,
        ..TrustVector::default()
    }
}

fn good_realm() -> TrustVector {
    TrustVector { instance_identity: 2, executables: 3, ..TrustVector::default() }
}

fn appraisal(layers: &[(&str, TrustVector)]) -> Value {
    let layer = |(name, trust_vector): &(&str, TrustVector)| LayerAppraisal {
        layer: (*name).into(),
        submodule: (*name).into(),
        trust_vector: *trust_vector,
    };
    let appraisal =
        EndorsedAppraisal { layers: layers.iter().map(layer).collect(), ..EndorsedAppraisal::default() };
    Value::Object(appraisal.to_claims())
}

/// Claims under the names that Trustee gives them, bytes in base64.
fn input(appraisal: Option<Value>) -> Value {
    let b64 = |byte: u8, len: usize| BASE64_STANDARD.encode(vec![byte; len]);
    let mut cca = json!({
        "platform": {
            "cca-platform-profile": "tag:arm.com,2023:cca_platform#1.0.0",
            "cca-platform-implementation-id": b64(0x1d, 32),
            "cca-platform-lifecycle": 0x3003,
            "cca-platform-sw-components": [
                { "measurement-type": "BL", "measurement-value": b64(1, 32), "signer-id": b64(0x51, 32) },
            ],
        },
        "realm": {
            "cca-realm-initial-measurement": b64(0x11, 64),
            "cca-realm-extensible-measurements": [b64(0x20, 64), b64(0x21, 64), b64(0x22, 64), b64(0x23, 64)],
        },
    });
    if let Some(appraisal) = appraisal {
        cca["appraisal"] = appraisal;
    }
    json!({ "cca": cca, "report_data": "11".repeat(64), "init_data": "22".repeat(64) })
}

fn verdict(input: &Value) -> TrustVector {
    default_policy().appraise(input, &Values::default(), NOW).unwrap().trust_vector
}

#[test]
fn the_default_policy_takes_the_worse_of_both_layers_for_every_claim() {
    let best = verdict(&input(Some(appraisal(&[("platform", good_platform()), ("realm", good_realm())]))));
    assert_eq!(best, TrustVector { executables: 3, ..good_platform() });
    assert_eq!(best.status(), TrustTier::Affirming);
    for claim in TrustClaim::ALL {
        for bad in [33, 96, -128] {
            for layer in 0..2 {
                let mut vectors = [good_platform(), good_realm()];
                vectors[layer].set(claim, bad);
                let [platform, realm] = vectors;
                let said = verdict(&input(Some(appraisal(&[("platform", platform), ("realm", realm)]))));
                let mut expected = best;
                expected.set(claim, bad);
                assert_eq!(said, expected, "{claim} {bad} in layer {layer}");
            }
        }
    }
}

#[test]
fn the_default_policy_affirms_nothing_that_was_not_appraised() {
    let not_appraised = input(None);
    let nothing = TrustVector { executables: 33, hardware: 97, configuration: 36, ..TrustVector::default() };
    assert_eq!(verdict(&not_appraised), nothing);
    let reasons = default_policy().explain(&not_appraised, &Values::default(), NOW).unwrap();
    assert_eq!(reasons.len(), 1);
    assert_eq!(reasons[0].code, "APR-CCA-001");

    // One layer alone, or none.
    for layers in [&[("platform", good_platform())][..], &[("realm", good_realm())], &[]] {
        assert_eq!(verdict(&input(Some(appraisal(layers)))), nothing, "{layers:?}");
    }
    // A layer of which nothing is said.
    let empty = TrustVector::default();
    let no_realm = verdict(&input(Some(appraisal(&[("platform", good_platform()), ("realm", empty)]))));
    assert_eq!(no_realm, TrustVector { executables: 33, ..good_platform() });
    let no_platform = verdict(&input(Some(appraisal(&[("platform", empty), ("realm", good_realm())]))));
    assert_eq!(no_platform, TrustVector { instance_identity: 2, ..nothing });
}

#[test]
fn the_further_claims_are_no_claims_for_other_tees() {
    for input in [json!({ "snp": {} }), json!({ "sample": {} }), json!({})] {
        let nothing =
            TrustVector { executables: 33, hardware: 97, configuration: 36, ..TrustVector::default() };
        assert_eq!(verdict(&input), nothing);
        let reasons = default_policy().explain(&input, &Values::default(), NOW).unwrap();
        assert!(reasons.iter().all(|reason| !reason.code.starts_with("APR-CCA")), "{reasons:?}");
    }
}

/// As people write them for Trustee: the claims by ccatoken's names, reference values by name.
const IN_TRUSTEES_MANNER: &str = r#"package policy

import rego.v1

default hardware := 97
default executables := 33

hardware := 2 if {
	input.cca.platform["cca-platform-implementation-id"] in query_reference_value("cca_implementation_id")
	input.cca.platform["cca-platform-lifecycle"] >= 12288
	input.cca.platform["cca-platform-lifecycle"] <= 12543
}

executables := 3 if {
	input.cca.realm["cca-realm-initial-measurement"] in query_reference_value("cca.realm.cca-realm-initial-measurement")
	count(input.cca.realm["cca-realm-extensible-measurements"]) == 4
}

trust_claims := {"hardware": hardware, "executables": executables, "instance-identity": 2}
"#;

#[test]
fn a_policy_in_trustees_manner_compares_claims_with_named_reference_values() {
    let policy = Policy::bundled(PolicyKind::Attestation, IN_TRUSTEES_MANNER).unwrap();
    let rim = "cca.realm.cca-realm-initial-measurement";
    let mut values = Values::default();
    values.0.insert("cca_implementation_id", json!([BASE64_STANDARD.encode([0x1d; 32])]));
    values.0.insert(rim, json!([BASE64_STANDARD.encode([0x11; 64])]));
    let good = policy.appraise(&input(None), &values, NOW).unwrap();
    assert_eq!(
        good.trust_vector,
        TrustVector { hardware: 2, executables: 3, instance_identity: 2, ..TrustVector::default() }
    );
    values.0.insert(rim, json!([BASE64_STANDARD.encode([0x12; 64])]));
    let other = policy.appraise(&input(None), &values, NOW).unwrap();
    assert_eq!(other.trust_vector.executables, 33);
    assert!(other.asked.iter().any(|asked| asked.id == rim));
}

/// Allows what the default does not: a component twice. From docs/cca-appraisal.md.
const COMPONENT_TWICE: &str = r#"package policy

import rego.v1

details := input.cca.appraisal.details

platform := input.cca.appraisal.platform.vector

realm := input.cca.appraisal.realm.vector

default executables := 33

executables := realm.executables if {
	platform.executables == 2
} else := realm.executables if {
	is_string(details["platform-set-closest"])
	details["missing-components"] == []
	details["unexpected-components"] == []
	details["differing-components"] == []
	count(details["duplicate-components"]) > 0
}

trust_claims := {
	"executables": executables,
	"hardware": platform.hardware,
	"configuration": platform.configuration,
	"runtime-opaque": input.cca.appraisal.combined["runtime-opaque"],
}
"#;

#[test]
fn a_policy_can_allow_a_component_twice_and_nothing_else() {
    let policy = Policy::bundled(PolicyKind::Attestation, COMPONENT_TWICE).unwrap();
    let details = |missing: Value, duplicate: Value| {
        json!({ "platform-set": null, "platform-set-closest": "cca/platform/1d#acme", "missing-components": missing,
            "unexpected-components": [], "differing-components": [], "duplicate-components": duplicate })
    };
    for (details, expected) in [
        (details(json!([]), json!(["BL2"])), 3),
        (details(json!(["RMM"]), json!(["BL2"])), 33),
        (details(json!([]), json!([])), 33),
    ] {
        let platform = TrustVector { executables: 33, ..good_platform() };
        let mut appraisal = appraisal(&[("platform", platform), ("realm", good_realm())]);
        appraisal["details"] = details.clone();
        let said = policy.appraise(&input(Some(appraisal)), &Values::default(), NOW).unwrap();
        assert_eq!(said.trust_vector.executables, expected, "{details}");
    }
}
