//! What an administrator of the key broker does at the attestation service, and what only that has.

use assay_access::Role;
use assay_types::Tee;
use http::StatusCode;
use serde_json::json;

use crate::service::{Service, asking, believing};
use crate::world::base64url;

const POLICY: &str = "package policy\nimport rego.v1\ntrust_claims := {\"hardware\": 2}\n";

#[tokio::test]
async fn an_attestation_policy_is_set_at_the_service() {
    let service = Service::open().await;
    let broker = asking(service.settings(Role::PolicyWriter), service.trusted()).await;
    let body = json!({ "policy_id": "mine_cpu", "policy": base64url(POLICY) }).to_string();
    let path = "/kbs/v0/attestation-policy";
    broker.administer(Role::PolicyWriter, "POST", path, body.clone()).await.ok();
    assert_eq!(service.world.attestation.policies().get("mine_cpu").unwrap().text.as_ref(), POLICY);
    let answer = broker.administer(Role::Auditor, "POST", path, body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "an auditor of the key broker may not");
    let bad = json!({ "policy_id": "mine_cpu", "policy": base64url("package policy\nallow if {") });
    let answer = broker.administer(Role::PolicyWriter, "POST", path, bad.to_string()).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
    let none = json!({ "policy_id": "mine_cpu", "policy": "=" }).to_string();
    let answer = broker.administer(Role::PolicyWriter, "POST", path, none).await;
    assert_eq!(answer.refusal(), (400, "KBS-031".into()));
}

#[tokio::test]
async fn what_is_not_here_says_where_it_is() {
    let service = Service::open().await;
    let asking = service.key_broker().await;
    let believing = believing(service.trusted()).await;
    for (broker, part) in [(&asking, service.address.to_string()), (&believing, "bring a token".to_owned())] {
        for (method, path) in [
            ("GET", "/kbs/v0/attestation-policy"),
            ("GET", "/kbs/v0/attestation-policy/default_cpu"),
            ("DELETE", "/kbs/v0/attestation-policy/default_cpu"),
            ("GET", "/.well-known/jwks.json"),
            ("GET", "/.well-known/openid-configuration"),
        ] {
            let answer = broker.administer(Role::Admin, method, path, "").await;
            assert_eq!(answer.refusal(), (404, "KBS-053".into()), "{method} {path}: {}", answer.text());
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(&part), "{detail}");
        }
    }
    for path in ["/kbs/v0/reference-value", "/kbs/v0/reference-value-history/a", "/kbs/v0/reference-value/a"]
    {
        let answer = believing.administer(Role::Admin, "GET", path, "").await;
        assert_eq!(answer.refusal(), (404, "KBS-053".into()), "{path}: {}", answer.text());
    }
    assert_eq!(believing.auth(Tee::Snp.as_str()).await.refusal(), (404, "KBS-053".into()));
}
