//! The pipeline as a whole: the production verifiers under an emulator's trust anchors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod support;

use assay_attestation_service::EvaluationError;
use assay_token::{TokenVerifier, TrustedKeys};
use assay_types::{Clock as _, Coded as _, Fault, Outcome, Tee, TrustTier, UnixTime, VerifyError};
use serde_json::json;
use support::{Guest, NOW, Options, World};

#[tokio::test]
async fn a_wanted_guest_is_affirming_and_its_token_verifies_under_the_published_keys() {
    let world = World::new().await;
    world.register_good_snp().await;
    let issued = world.attest(Guest::snp()).await.unwrap();
    assert_eq!(issued.verdict.status, TrustTier::Affirming);
    let verifier = TokenVerifier::new(TrustedKeys {
        jwks: world.service.keys().jwks(),
        issuer: Some("CoCo-Attestation-Service".into()),
        ..TrustedKeys::default()
    })
    .unwrap();
    let token = verifier.verify(&issued.token, NOW).unwrap();
    assert_eq!(token.claims["submods"]["cpu0"]["ear.status"], "affirming");
    assert_eq!(token.claims["submods"]["cpu0"]["ear.assay.emulated"], true);
    assert_eq!(token.claims["jti"], issued.verdict.jti);
    for digest in ["evidence", "collateral", "policy", "reference-values"] {
        let name = format!("ear.assay.{digest}-digest");
        let text = token.claims["submods"]["cpu0"][&name].as_str().unwrap();
        assert!(text.parse::<assay_types::Digest>().is_ok(), "{name}: {text}");
    }
    assert_eq!(
        token.claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["runtime_data_claims"]["tee-pubkey"]
            ["x"],
        "AA"
    );
}

#[tokio::test]
async fn without_reference_values_nothing_is_affirming_and_each_missing_one_is_named() {
    let world = World::new().await;
    let verdict = world.attest(Guest::snp()).await.unwrap().verdict;
    assert_eq!(verdict.status, TrustTier::Contraindicated);
    let findings = &verdict.attesters["cpu0"].findings;
    for name in ["snp_launch_measurement", "snp_bootloader", "snp_microcode", "snp_snp_svn", "snp_tee_svn"] {
        let detail = format!("there is no reference value {name}");
        assert!(findings.iter().any(|f| f.failed() && f.detail.contains(&detail)), "{name}: {findings:#?}");
    }
}

#[tokio::test]
async fn each_broken_expectation_worsens_its_own_claim_and_explains_itself() {
    let world = World::new().await;
    world.register_good_snp().await;
    let measurement = "ab".repeat(48);
    for (field, value, code, executables, hardware, configuration) in [
        ("measurement", measurement.as_str(), "APR-SNP-001", 33, 2, 3),
        ("reported_tcb.bootloader", "99", "APR-SNP-002", 3, 97, 3),
        ("reported_tcb.microcode", "99", "APR-SNP-003", 3, 97, 3),
        ("reported_tcb.snp", "99", "APR-SNP-004", 3, 97, 3),
        ("reported_tcb.tee", "99", "APR-SNP-005", 3, 97, 3),
        ("policy.debug", "true", "APR-SNP-007", 3, 2, 96),
        ("policy.migrate_ma", "true", "APR-SNP-008", 3, 2, 36),
    ] {
        let verdict = world.attest(Guest::snp().set(field, value)).await.unwrap().verdict;
        let attester = &verdict.attesters["cpu0"];
        let vector = attester.trust_vector;
        assert_eq!(
            (vector.executables, vector.hardware, vector.configuration),
            (executables, hardware, configuration),
            "{field}"
        );
        let codes: Vec<&str> =
            attester.findings.iter().filter(|f| f.failed()).map(|f| f.code.as_ref()).collect();
        assert_eq!(codes, [code], "{field}");
    }
}

#[tokio::test]
async fn emulated_and_sample_evidence_are_refused_unless_admitted() {
    let world = World::with(Options::default()).await;
    match world.attest(Guest::snp()).await.unwrap_err() {
        EvaluationError::Evidence { tee: Tee::Snp, error: VerifyError::Rejected(findings) } => {
            assert!(findings.iter().any(|f| f.failed()));
        }
        other => panic!("{other}"),
    }
    let error = world.attest(Guest::of(Tee::Sample)).await.unwrap_err();
    assert!(matches!(error, EvaluationError::NotTaken { tee: Tee::Sample, .. }), "{error}");
    assert_eq!(error.fault(), Fault::Unprocessable);
}

#[tokio::test]
async fn evidence_for_another_nonce_is_rejected() {
    let world = World::new().await;
    let guest = Guest { nonce: Some("b3RoZXI=".into()), ..Guest::snp() };
    let error = world.attest(guest).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Evidence);
    assert!(error.to_string().contains("report data"), "{error}");
}

#[tokio::test]
async fn init_data_are_claims_when_measured_and_an_error_when_changed() {
    let text = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\nnote = \"hello\"\n";
    let world = World::new().await;
    let good = Guest { init_data: Some(text.into()), ..Guest::snp() };
    let issued = world.attest(good).await.unwrap();
    assert_eq!(issued.claims.submods["cpu0"].annotated_evidence["init_data_claims"]["note"], "hello");
    let changed = Guest { init_data: Some(text.into()), init_data_suffix: "more = \"x\"\n", ..Guest::snp() };
    let error = world.attest(changed).await.unwrap_err();
    assert!(error.to_string().contains("init data") || error.to_string().contains("host data"), "{error}");
}

#[tokio::test]
async fn init_data_that_the_tee_does_not_bind_never_become_claims() {
    let text = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\nnote = \"hello\"\n";
    let world = World::new().await;
    let issued =
        world.attest(Guest { init_data: Some(text.into()), ..Guest::of(Tee::Sample) }).await.unwrap();
    assert!(issued.claims.submods["cpu0"].annotated_evidence.get("init_data_claims").is_none());
    assert!(
        issued.verdict.attesters["cpu0"].findings.iter().any(|f| f.outcome == Outcome::NotChecked),
        "what was not checked is visible"
    );
    assert!(!issued.claims.submods["cpu0"].appraised.not_checked.is_empty());
}

#[tokio::test]
async fn every_requested_policy_is_applied_and_a_missing_one_is_an_error() {
    let strict =
        "package policy\nimport rego.v1\ntrust_claims := {\"executables\": 96, \"file-system\": 2}\n";
    let world = World::with(Options {
        trust_emulator: true,
        allow_sample: true,
        stored_policy: Some(("strict_cpu", strict)),
        ..Options::default()
    })
    .await;
    world.register_good_snp().await;
    for policy_ids in [vec!["default", "strict"], vec!["strict", "default"]] {
        let policy_ids: Vec<String> = policy_ids.into_iter().map(str::to_owned).collect();
        let requested = policy_ids.join(",");
        let issued = world.attest(Guest { policy_ids, ..Guest::snp() }).await.unwrap();
        let vector = issued.verdict.attesters["cpu0"].trust_vector;
        assert_eq!((vector.executables, vector.hardware, vector.file_system), (96, 2, 2));
        assert_eq!(issued.claims.submods["cpu0"].appraisal_policy_id, requested);
        assert_eq!(issued.verdict.attesters["cpu0"].policies.len(), 2);
    }
    let error = world.attest(Guest { policy_ids: vec!["none".into()], ..Guest::snp() }).await.unwrap_err();
    assert!(matches!(&error, EvaluationError::NoPolicy { id } if id == "none_cpu"), "{error}");
    let many = vec!["default".to_owned(); 9];
    let error = world.attest(Guest { policy_ids: many, ..Guest::snp() }).await.unwrap_err();
    assert!(matches!(error, EvaluationError::TooManyPolicies { found: 9 }));
}

#[tokio::test]
async fn a_token_ends_with_the_first_thing_it_rests_on() {
    let world = World::new().await;
    world.register_good_snp().await;
    let ordinary = world.attest(Guest::snp()).await.unwrap();
    assert_eq!(ordinary.claims.exp, Some(NOW.plus(300)));
    // A reference value that ends in a minute.
    let measurement = ordinary.claims.submods["cpu0"].annotated_evidence["snp"]["measurement"].clone();
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let message = json!({
        "version": "0.1.0", "type": "sample", "expires": NOW.plus(60).to_string(),
        "payload": BASE64_STANDARD.encode(json!({ "snp_launch_measurement": [measurement] }).to_string()),
    });
    world.service.reference_values().register(message.to_string().as_bytes()).await.unwrap();
    assert_eq!(world.attest(Guest::snp()).await.unwrap().claims.exp, Some(NOW.plus(60)));
    world.clock.advance(61);
    let verdict = world.attest(Guest::snp()).await.unwrap().verdict;
    assert_eq!(verdict.status, TrustTier::Warning);
    assert!(verdict.attesters["cpu0"].findings.iter().any(|f| f.code == "APR-003"));
}

#[tokio::test]
async fn evidence_after_the_end_of_its_certificates_is_rejected() {
    let world = World::new().await;
    world.clock.set(UnixTime::parse_rfc3339("2060-01-01T00:00:00Z").unwrap());
    assert_eq!(world.clock.now(), UnixTime::parse_rfc3339("2060-01-01T00:00:00Z").unwrap());
    let error = world.attest(Guest::snp()).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Evidence);
}

#[tokio::test]
async fn a_policy_cannot_use_the_tokens_own_names_in_either_spelling() {
    for name in ["ear.status", "ear.assay.emulated", "ear_status", "ear_trustee_x"] {
        let text = format!(
            "package policy\nimport rego.v1\ntrust_claims := {{\"executables\": 2}}\nextensions := [{{\"name\": \"{name}\", \"key\": -1, \"value\": 1}}]\n"
        );
        let stored_policy = Some(("default_cpu", text.leak() as &'static str));
        let world = World::with(Options {
            trust_emulator: true,
            allow_sample: true,
            stored_policy,
            ..Options::default()
        })
        .await;
        let error = world.attest(Guest::of(Tee::Sample)).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Internal, "{name}");
        assert!(error.to_string().contains("a name that the token itself uses"), "{name}: {error}");
    }
}

#[tokio::test]
async fn rotated_keys_stay_published_until_their_tokens_ended() {
    let world = World::new().await;
    let before = world.attest(Guest::of(Tee::Sample)).await.unwrap();
    world.service.keys().rotate().await.unwrap();
    let after = world.attest(Guest::of(Tee::Sample)).await.unwrap();
    let verifier =
        TokenVerifier::new(TrustedKeys { jwks: world.service.keys().jwks(), ..TrustedKeys::default() })
            .unwrap();
    let kids = [&before, &after].map(|issued| verifier.verify(&issued.token, NOW).unwrap().kid);
    assert_ne!(kids[0], kids[1]);
    // Long after: the old key is gone, and the current one rotates by itself.
    world.clock.advance(100 * 86_400);
    assert!(world.service.keys().rotate_if_due().await.unwrap());
    assert!(!world.service.keys().jwks().keys.iter().any(|jwk| jwk.name() == kids[0]));
}

#[tokio::test]
async fn additional_evidence_is_verified_and_bound() {
    let world = World::new().await;
    let error = world
        .attest(Guest { additional: Some(Tee::Sample), ..Guest::snp() })
        .await
        .map(|issued| issued.claims);
    // Two CPU-class attesters: both stand in the token.
    let claims = error.unwrap();
    assert!(claims.submods.contains_key("cpu0") && claims.submods.contains_key("cpu1"));
}

#[tokio::test]
async fn a_realm_affirms_when_platform_and_realm_match_signed_corims() {
    let world = World::new().await;
    let before = world.attest(Guest::of(Tee::Cca)).await.unwrap();
    assert_ne!(before.verdict.status, TrustTier::Affirming, "nothing is endorsed yet");
    world.register_good_cca().await;
    let issued = world.attest(Guest::of(Tee::Cca)).await.unwrap();
    assert_eq!(issued.verdict.status, TrustTier::Affirming);
    let verdict = &issued.verdict.attesters["cpu0"];
    let layers: Vec<&str> = verdict.layers.iter().map(|layer| layer.layer.as_str()).collect();
    assert_eq!(layers, ["platform", "realm"]);
    assert!(verdict.layers.iter().all(|layer| layer.trust_vector.status() == TrustTier::Affirming));
    // Both vectors reach the token as well.
    let claims = &issued.claims.submods["cpu0"].annotated_evidence["cca"];
    assert_eq!(claims["appraisal"]["platform"]["vector"]["hardware"], 2);
    assert_eq!(claims["appraisal"]["realm"]["status"], "affirming");
    assert!(issued.verdict.emulated, "the token says what it rests on");
    let other = world.attest(Guest::of(Tee::Cca).set("lifecycle", "0x6000")).await.unwrap();
    assert_eq!(other.verdict.status, TrustTier::Contraindicated);
}
