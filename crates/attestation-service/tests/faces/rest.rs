//! The REST face: bodies as Trustee's RESTful service has them.

use assay_access::Role;
use assay_types::Tee;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};

use crate::door::{Door, broker_request, rest_request};

#[tokio::test]
async fn evidence_gives_a_token_as_text() {
    let door = Door::open(false).await;
    for tee in [Tee::Snp, Tee::Tdx, Tee::Cca, Tee::Sample] {
        let (request, data) = broker_request(&door.world, tee, "n");
        let body = rest_request(&request).to_string();
        let (status, kind, token) = door.rest(Some(Role::Evaluator), "POST", "/attestation", body).await;
        assert_eq!((status, kind.as_str()), (200, "text/plain; charset=utf-8"), "{token}");
        let claims = door.verified(&token).await.claims;
        let annotated = &claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"];
        assert_eq!(annotated["runtime_data_claims"], data);
    }
}

#[tokio::test]
async fn policies_are_set_listed_and_read() {
    let door = Door::open(false).await;
    let text = "package policy\nimport rego.v1\ntrust_claims := {\"hardware\": 2}\n";
    let body = json!({ "policy_id": "mine_cpu", "policy": BASE64_URL_SAFE_NO_PAD.encode(text) });
    let (status, _, answer) = door.rest(Some(Role::PolicyWriter), "POST", "/policy", body.to_string()).await;
    assert_eq!((status, answer.as_str()), (200, ""));
    let (_, kind, list) = door.rest(Some(Role::Auditor), "GET", "/policy", "").await;
    assert_eq!(kind, "application/json");
    assert_eq!(list, r#"[{"policy-id":"default_cpu"},{"policy-id":"mine_cpu"}]"#);
    let (_, kind, found) = door.rest(Some(Role::Auditor), "GET", "/policy/mine_cpu", "").await;
    assert_eq!((kind.as_str(), found.as_str()), ("text/plain; charset=utf-8", text));
}

#[tokio::test]
async fn discovery_leads_to_the_keys() {
    let door = Door::open(false).await;
    let (_, _, text) = door.rest(None, "GET", "/.well-known/openid-configuration", "").await;
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["issuer"], "CoCo-Attestation-Service");
    assert_eq!(found["jwks_uri"], format!("http://{}/.well-known/jwks.json", door.address));
}

#[tokio::test]
async fn errors_are_problem_details() {
    let door = Door::open(false).await;
    let evaluator = Some(Role::Evaluator);
    let (request, _) = broker_request(&door.world, Tee::Snp, "n");
    let good = rest_request(&request);
    let mut other = good.clone();
    other["verification_requests"][0]["runtime_data"]["structured"]["nonce"] = json!("m");
    let mut raw = good.clone();
    raw["verification_requests"][0]["runtime_data"] = json!({ "raw": "=" });
    for (method, path, body, status, code) in [
        ("POST", "/attestation", "{".to_owned(), 400, "AS-040"),
        ("POST", "/attestation", "{}".to_owned(), 400, "AS-040"),
        ("POST", "/attestation", r#"{"verification_requests":[]}"#.to_owned(), 400, "AS-011"),
        ("POST", "/attestation", raw.to_string(), 400, "AS-041"),
        ("POST", "/attestation", other.to_string(), 401, "AS-003"),
        ("POST", "/challenge", r#"{"tee":"abacus"}"#.to_owned(), 422, "AS-042"),
        ("POST", "/challenge", r#"{"tee":"nvidia"}"#.to_owned(), 422, "AS-004"),
        ("PUT", "/attestation", String::new(), 405, "AS-070"),
        ("GET", "/nothing", String::new(), 404, "AS-069"),
        ("POST", "/attestation", "x".repeat(3 << 20), 413, "AS-062"),
    ] {
        let (found, kind, text) = door.rest(evaluator, method, path, body).await;
        assert_eq!((found, kind.as_str()), (status, "application/problem+json"), "{method} {path}: {text}");
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["code"], code, "{text}");
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].is_string() && problem["request-id"].is_string());
        assert_eq!(problem.get("findings").is_some(), code == "AS-003");
    }
    let (status, ..) = door.rest(evaluator, "POST", "/attestation", good.to_string()).await;
    assert_eq!(status, 200, "the good one is good");
}

#[tokio::test]
async fn metrics_count_by_route_and_tee() {
    let door = Door::open(false).await;
    let (request, _) = broker_request(&door.world, Tee::Snp, "n");
    door.evaluate(request).await.unwrap();
    door.rest(None, "GET", "/no/such/path", "").await;
    let (_, _, text) = door.rest(None, "GET", "/metrics", "").await;
    for line in [
        "as_attestation_successes_total{tee_type=\"snp\"} 1",
        "as_requests_total{route=\"/attestation.AttestationService/AttestationEvaluate\",outcome=\"0\"} 1",
        "as_requests_total{route=\"other\",outcome=\"404\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
