//! Trust anchors and endorsed reference values, with a verifier that has both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code
)]

mod support;

use assay_attestation_service::{DirectEvaluation, EvaluationError, Issued};
use assay_types::{Binding, CollateralOrigin, Outcome, RawEvidence, Tee, TrustTier};
use serde_json::json;
use support::layered::{ANCHORS, LayeredEvidence, REALMS};
use support::{NOW, Options, World};

/// A policy that takes the comparison's word.
const TAKES_ITS_WORD: &str = "package policy\nimport rego.v1\ntrust_claims := input.cca.appraisal.combined\n";

/// A policy that affirms whatever the comparison says.
const OVERRULES: &str = "package policy\nimport rego.v1\ntrust_claims := {\"executables\": 2}\n";

const NONCE: &[u8] = &[5; 32];

async fn world(policy: &'static str) -> World {
    let stored_policy = Some(("layered_cpu", policy));
    let world = World::with(Options { stored_policy, layered: true, ..Options::default() }).await;
    let (anchor, realm) = (format!("{ANCHORS}#1"), format!("{REALMS}#1"));
    world.register(json!({ anchor: { "key": "k1" }, realm: { "rim": "r1" }, "test-config": 1 })).await;
    world
}

async fn evaluate(world: &World, evidence: &LayeredEvidence) -> Result<Issued, EvaluationError> {
    let policy_ids = ["layered".to_owned()];
    world
        .service
        .evaluate_direct(DirectEvaluation {
            evidence: RawEvidence::new(Tee::Cca, evidence.bytes()),
            binding: Binding { report_data: Some(NONCE.to_vec()), init_data: None },
            policy_ids: &policy_ids,
            nonce: Some(NONCE),
        })
        .await
}

fn failed_codes(error: &EvaluationError) -> Vec<&str> {
    error.findings().iter().filter(|f| f.failed()).map(|f| f.code.as_ref()).collect()
}

#[tokio::test]
async fn what_the_comparison_says_reaches_policy_token_and_verdict() {
    let world = world(TAKES_ITS_WORD).await;
    let issued = evaluate(&world, &LayeredEvidence::new(NONCE)).await.unwrap();
    let attester = &issued.verdict.attesters["cpu0"];
    assert_eq!(attester.status, TrustTier::Affirming);
    assert_eq!((attester.trust_vector.executables, attester.trust_vector.configuration), (2, 2));
    let layers: Vec<(&str, &str, i8)> = attester
        .layers
        .iter()
        .map(|l| (l.layer.as_str(), l.submodule.as_str(), l.trust_vector.executables))
        .collect();
    assert_eq!(layers, [("platform", "CCA_SSD_PLATFORM", 0), ("realm", "CCA_REALM", 2)]);
    for code in ["CCA-100", "CCA-101"] {
        let finding = attester.findings.iter().find(|f| f.code == code).unwrap();
        assert_eq!(finding.outcome, Outcome::Passed, "passed checks are shown too");
    }
    let appraisal = &issued.claims.submods["cpu0"].annotated_evidence["cca"]["appraisal"];
    assert_eq!(appraisal["realm"]["status"], "affirming");
    assert_eq!(appraisal["platform"]["vector"]["hardware"], 2);
    assert_eq!(appraisal["combined"]["executables"], 2);
    assert_eq!(appraisal["details"]["rim-known"], true);
    let asked: Vec<&str> = attester.reference_values.iter().map(|v| v.id.as_str()).collect();
    assert_eq!(asked, ["test-realm#1", "test-config"]);
    let text = serde_json::to_string(&issued.verdict).unwrap();
    let back: assay_attestation_service::Verdict = serde_json::from_str(&text).unwrap();
    assert_eq!(back, issued.verdict);
}

#[tokio::test]
async fn a_failed_comparison_explains_its_claim_once() {
    let world = world(TAKES_ITS_WORD).await;
    let evidence = LayeredEvidence { rim: "unknown".into(), ..LayeredEvidence::new(NONCE) };
    let verdict = evaluate(&world, &evidence).await.unwrap().verdict;
    let attester = &verdict.attesters["cpu0"];
    assert_eq!((verdict.status, attester.trust_vector.executables), (TrustTier::Warning, 33));
    let failed: Vec<(&str, &str)> = attester
        .findings
        .iter()
        .filter(|f| f.failed())
        .map(|f| (f.code.as_ref(), f.detail.as_str()))
        .collect();
    assert_eq!(failed, [("CCA-100", "not a known realm; executables is 33, warning")]);
}

#[tokio::test]
async fn a_policy_may_judge_otherwise_and_the_finding_says_so() {
    let world = world(OVERRULES).await;
    let evidence = LayeredEvidence { rim: "unknown".into(), ..LayeredEvidence::new(NONCE) };
    let verdict = evaluate(&world, &evidence).await.unwrap().verdict;
    assert_eq!(verdict.status, TrustTier::Affirming);
    let finding = verdict.attesters["cpu0"].findings.iter().find(|f| f.code == "CCA-100").unwrap();
    assert_eq!(finding.detail, "not a known realm; executables is 2, affirming");
    let realm = &verdict.attesters["cpu0"].layers[1];
    assert_eq!(realm.trust_vector.executables, 33, "the layers are not the policy's");
}

#[tokio::test]
async fn trust_anchors_are_those_of_the_group_asked_for() {
    let world = world(TAKES_ITS_WORD).await;
    world
        .register(json!({ "test-anchor-of-others#1": { "key": "k2" }, "test-anchor": { "key": "k2" } }))
        .await;
    let evidence = LayeredEvidence { key: "k2".into(), ..LayeredEvidence::new(NONCE) };
    let error = evaluate(&world, &evidence).await.unwrap_err();
    assert_eq!(failed_codes(&error), ["CCA-011"]);
    let second = format!("{ANCHORS}#2");
    world.register(json!({ second: { "key": "k2" } })).await;
    let verdict = evaluate(&world, &evidence).await.unwrap().verdict;
    let origin = &verdict.attesters["cpu0"].collateral[0].origin;
    assert_eq!(*origin, CollateralOrigin::ReferenceValue("test-anchor#2".into()));
}

#[tokio::test]
async fn a_token_ends_with_the_trust_anchor_that_was_used_and_with_no_other() {
    let world = world(TAKES_ITS_WORD).await;
    let other = format!("{ANCHORS}#0");
    world.register_for(json!({ other: { "key": "k0" } }), 30).await;
    let used = evaluate(&world, &LayeredEvidence::new(NONCE)).await.unwrap();
    assert_eq!(used.claims.exp, Some(NOW.plus(300)));
    let own = format!("{ANCHORS}#1");
    world.register_for(json!({ own: { "key": "k1" } }), 60).await;
    let bounded = evaluate(&world, &LayeredEvidence::new(NONCE)).await.unwrap();
    assert_eq!((bounded.claims.exp, bounded.verdict.expires), (Some(NOW.plus(60)), NOW.plus(60)));
}

#[tokio::test]
async fn an_expired_trust_anchor_is_not_used() {
    let world = world(TAKES_ITS_WORD).await;
    let own = format!("{ANCHORS}#1");
    world.register_for(json!({ own: { "key": "k1" } }), 60).await;
    world.clock.advance(60);
    let error = evaluate(&world, &LayeredEvidence::new(NONCE)).await.unwrap_err();
    assert_eq!(failed_codes(&error), ["CCA-011"]);
}

#[tokio::test]
async fn a_token_ends_with_the_endorsed_values_that_were_compared() {
    let world = world(TAKES_ITS_WORD).await;
    let realm = format!("{REALMS}#1");
    world.register_for(json!({ realm: { "rim": "r1" } }), 45).await;
    let issued = evaluate(&world, &LayeredEvidence::new(NONCE)).await.unwrap();
    assert_eq!(issued.claims.exp, Some(NOW.plus(45)));
    world.clock.advance(45);
    let verdict = evaluate(&world, &LayeredEvidence::new(NONCE)).await.unwrap().verdict;
    assert_eq!(verdict.status, TrustTier::Warning);
    assert!(verdict.attesters["cpu0"].findings.iter().any(|f| f.code == "APR-003"));
}

#[tokio::test]
async fn direct_evidence_is_bound_to_what_the_caller_says_and_brings_no_runtime_data() {
    let world = world(TAKES_ITS_WORD).await;
    let issued = evaluate(&world, &LayeredEvidence::new(NONCE)).await.unwrap();
    assert_eq!(issued.claims.eat_nonce.as_deref(), Some(NONCE));
    let tree = &issued.claims.submods["cpu0"].annotated_evidence;
    assert!(tree.get("report_data").is_some() && tree.get("runtime_data_claims").is_none());
    let error = evaluate(&world, &LayeredEvidence::new(&[6; 32])).await.unwrap_err();
    assert_eq!(failed_codes(&error), ["CCA-002"]);
}
