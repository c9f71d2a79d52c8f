//! The administrator's client against a double: each call, to the byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[allow(dead_code, reason = "each test file uses its part of it")]
mod double;

use std::sync::Arc;

use assay_client::{AdminClient, ClientError};
use assay_types::{Coded, Fault, ResourcePath, SecretBytes};
use double::{Kbs, Say};
use serde_json::{Value, json};

fn client(kbs: &Kbs) -> AdminClient {
    AdminClient::builder(&kbs.url).unwrap().token(" ey.admin.token\n").build().unwrap()
}

async fn with(path: &str, say: Say) -> (Arc<Kbs>, AdminClient) {
    let kbs = Kbs::start().await;
    kbs.script(path, [say]);
    let client = client(&kbs);
    (kbs, client)
}

fn ok(body: &Value) -> Say {
    Say::json(200, body)
}

fn empty() -> Say {
    Say::text(200, "")
}

/// The one request that was made, with its body as text.
fn only(kbs: &Kbs) -> (String, String) {
    let state = kbs.state.lock().unwrap();
    assert_eq!(state.asked.len(), 1);
    assert_eq!(state.asked[0].header("authorization"), "Bearer ey.admin.token");
    (state.asked[0].what.clone(), String::from_utf8(state.asked[0].body.clone()).unwrap())
}

fn sent(what: &str, body: &str) -> (String, String) {
    (what.to_owned(), body.to_owned())
}

#[tokio::test]
async fn resources() {
    let path: ResourcePath = "r/t/v1.2".parse().unwrap();
    let (kbs, client) = with("/kbs/v0/resource/r/t/v1.2", empty()).await;
    client.put_resource(&path, &SecretBytes::new(b"raw bytes".to_vec())).await.unwrap();
    assert_eq!(only(&kbs), sent("POST /kbs/v0/resource/r/t/v1.2", "raw bytes"));
    assert_eq!(kbs.state.lock().unwrap().asked[0].header("content-type"), "application/octet-stream");

    let (kbs, client) = with("/kbs/v0/resource/r/t/v1.2", empty()).await;
    client.delete_resource(&path).await.unwrap();
    assert_eq!(only(&kbs), sent("DELETE /kbs/v0/resource/r/t/v1.2", ""));

    for (prefix, what) in [
        (None, "GET /kbs/v0/resources"),
        (Some("r/t"), "GET /kbs/v0/resources?prefix=r%2Ft"),
        (Some("a&b=c"), "GET /kbs/v0/resources?prefix=a%26b%3Dc"),
    ] {
        let list = json!([{ "path": "r/t/t", "version": 3 }]);
        let (kbs, client) = with("/kbs/v0/resources", ok(&list)).await;
        assert_eq!(client.resources(prefix).await.unwrap(), list);
        assert_eq!(only(&kbs), sent(what, ""));
    }
}

#[tokio::test]
async fn resource_policies() {
    let endpoint = "/kbs/v0/resource-policy";
    let (kbs, client) = with(endpoint, empty()).await;
    client.set_resource_policy(None, "package policy\n").await.unwrap();
    assert_eq!(only(&kbs), sent("POST /kbs/v0/resource-policy", r#"{"policy":"cGFja2FnZSBwb2xpY3kK"}"#));

    let (kbs, client) = with(endpoint, empty()).await;
    client.set_resource_policy(Some("tenant-a"), "package policy\n").await.unwrap();
    let body = r#"{"policy":"cGFja2FnZSBwb2xpY3kK","policy_id":"tenant-a"}"#;
    assert_eq!(only(&kbs), sent("POST /kbs/v0/resource-policy", body));

    let (_, client) = with(endpoint, ok(&json!(["resource-policy", "tenant-a"]))).await;
    assert_eq!(client.resource_policies().await.unwrap(), ["resource-policy", "tenant-a"]);

    let (kbs, client) = with("/kbs/v0/resource-policy/tenant-a", Say::text(200, "package policy\n")).await;
    assert_eq!(client.resource_policy("tenant-a").await.unwrap(), "package policy\n");
    assert_eq!(only(&kbs), sent("GET /kbs/v0/resource-policy/tenant-a", ""));

    let (kbs, client) = with("/kbs/v0/resource-policy/tenant-a", empty()).await;
    client.delete_resource_policy("tenant-a").await.unwrap();
    assert_eq!(only(&kbs), sent("DELETE /kbs/v0/resource-policy/tenant-a", ""));
}

#[tokio::test]
async fn attestation_policies() {
    let endpoint = "/kbs/v0/attestation-policy";
    let (kbs, client) = with(endpoint, empty()).await;
    client.set_attestation_policy("default_cpu", "package policy\n").await.unwrap();
    let body = r#"{"policy":"cGFja2FnZSBwb2xpY3kK","policy_id":"default_cpu","type":"rego"}"#;
    assert_eq!(only(&kbs), sent("POST /kbs/v0/attestation-policy", body));

    let (kbs, client) = with(endpoint, ok(&json!(["default_cpu"]))).await;
    assert_eq!(client.attestation_policies().await.unwrap(), json!(["default_cpu"]));
    assert_eq!(only(&kbs), sent("GET /kbs/v0/attestation-policy", ""));

    let (_, client) = with("/kbs/v0/attestation-policy/default_cpu", Say::text(200, "text")).await;
    assert_eq!(client.attestation_policy("default_cpu").await.unwrap(), "text");

    let (kbs, client) = with("/kbs/v0/attestation-policy/default_cpu", empty()).await;
    client.delete_attestation_policy("default_cpu").await.unwrap();
    assert_eq!(only(&kbs), sent("DELETE /kbs/v0/attestation-policy/default_cpu", ""));
}

#[tokio::test]
async fn reference_values() {
    let endpoint = "/kbs/v0/reference-value";
    let (kbs, client) = with(endpoint, empty()).await;
    let values = json!({ "snp_launch_measurement": ["aa"] });
    client.register_sample_reference_values(values.as_object().unwrap()).await.unwrap();
    let (what, body) = only(&kbs);
    assert_eq!(what, "POST /kbs/v0/reference-value");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({ "version": "0.1.0", "type": "sample",
            "payload": "eyJzbnBfbGF1bmNoX21lYXN1cmVtZW50IjpbImFhIl19" })
    );

    let (kbs, client) = with(endpoint, ok(&json!([1]))).await;
    assert_eq!(client.reference_values().await.unwrap(), json!([1]));
    assert_eq!(only(&kbs), sent("GET /kbs/v0/reference-value", ""));

    let id = "github.com/x/mr td:v0?#%2e";
    let escaped = "github.com/x/mr%20td:v0%3F%23%252e";
    let (kbs, client) = with(&format!("/kbs/v0/reference-value/{escaped}"), ok(&json!(5))).await;
    assert_eq!(client.reference_value(id).await.unwrap(), json!(5));
    assert_eq!(only(&kbs), sent(&format!("GET /kbs/v0/reference-value/{escaped}"), ""));

    let (kbs, client) = with("/kbs/v0/reference-value/a/b", empty()).await;
    client.delete_reference_value("a/b").await.unwrap();
    assert_eq!(only(&kbs), sent("DELETE /kbs/v0/reference-value/a/b", ""));

    let (kbs, client) = with("/kbs/v0/reference-value-history/a/b", ok(&json!([]))).await;
    assert_eq!(client.reference_value_history("a/b").await.unwrap(), json!([]));
    assert_eq!(only(&kbs), sent("GET /kbs/v0/reference-value-history/a/b", ""));
}

#[tokio::test]
async fn explanations() {
    let verdict = json!({ "findings": [{ "code": "SNP-001" }] });
    let (kbs, client) = with("/kbs/v0/verdict/token-1", ok(&verdict)).await;
    assert_eq!(client.explain("token-1").await.unwrap(), verdict);
    assert_eq!(only(&kbs), sent("GET /kbs/v0/verdict/token-1", ""));
}

#[tokio::test]
async fn names_that_would_become_another_path_are_refused_before_anything_is_sent() {
    let kbs = Kbs::start().await;
    let client = client(&kbs);
    for id in ["", ".", "..", "a/../b", "a//b", "/a", "a/", "../resource/r/t/t"] {
        let error = client.delete_reference_value(id).await.unwrap_err();
        assert!(matches!(error, ClientError::Argument(_)), "{id:?}: {error}");
        assert_eq!(error.code(), "CLI-009");
        assert!(client.reference_value(id).await.is_err());
        assert!(client.explain(id).await.is_err());
    }
    assert!(kbs.all().is_empty());
}

#[tokio::test]
async fn nothing_is_retried_and_errors_keep_their_class() {
    for (status, code, fault) in [
        (401, "CLI-003", Fault::Unauthenticated),
        (403, "CLI-001", Fault::Forbidden),
        (404, "CLI-002", Fault::NotFound),
        (406, "CLI-001", Fault::NotAcceptable),
        (409, "CLI-001", Fault::Conflict),
        (415, "CLI-001", Fault::UnsupportedMediaType),
        (422, "CLI-001", Fault::Unprocessable),
        (429, "CLI-004", Fault::Unavailable),
        (503, "CLI-004", Fault::Unavailable),
    ] {
        let say = Say::problem(status, "AdminAuthAccess", "why").with("retry-after", "7");
        let (kbs, client) = with("/kbs/v0/reference-value", say).await;
        let error = client.reference_values().await.unwrap_err();
        assert_eq!((error.code(), error.fault()), (code, fault), "{error}");
        assert!(error.to_string().contains("why"), "{error}");
        if let ClientError::Unavailable { retry_after, .. } = error {
            assert_eq!(retry_after.unwrap().as_secs(), 7);
        }
        assert_eq!(kbs.all().len(), 1);
    }
}

#[tokio::test]
async fn a_policy_that_is_no_text_is_refused() {
    let say = Say { status: 200, body: vec![0xff, 0xfe], ..Say::default() };
    let (_, client) = with("/kbs/v0/resource-policy/a", say).await;
    assert!(matches!(client.resource_policy("a").await, Err(ClientError::Protocol { .. })));
}

#[tokio::test]
async fn the_administrators_token_is_not_shown() {
    let kbs = Kbs::start().await;
    assert!(!format!("{:?}", client(&kbs)).contains("ey.admin"));
}
