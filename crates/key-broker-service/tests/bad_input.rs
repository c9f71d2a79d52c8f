//! What bad input gets: a precise error with the right status, and nothing else.
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

mod world;

use std::time::Duration;

use assay_access::Role;
use assay_key_broker_service::{Rate, Settings};
use assay_types::Tee;
use axum::body::Body;
use futures_util::stream;
use serde_json::{Value, json};
use world::{ALLOW_ALL, World, base64url, settings};

#[tokio::test]
async fn auth_bodies_that_are_not_the_message() {
    let world = World::new().await;
    let deep =
        format!(r#"{{"version":"0.4.0","tee":"snp","extra-params":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    for body in [
        "",
        "{",
        "null",
        "[]",
        "not json",
        r#"{"version":"0.4.0","tee":"snp"}"#,
        r#"{"version":"0.4.0","extra-params":""}"#,
        r#"{"tee":"snp","extra-params":""}"#,
        r#"{"version":0.4,"tee":"snp","extra-params":""}"#,
        r#"{"version":"0.4.0","tee":["snp"],"extra-params":""}"#,
        r#"{"version":"0.4.0","tee":"snp","extra-params":""} trailing"#,
        "\u{0}\u{1}",
        &deep[..deep.len() / 2],
    ] {
        let answer = world.call("POST", "/kbs/v0/auth", &[], body.to_owned()).await;
        assert_eq!(answer.refusal(), (400, "KBS-001".to_owned()), "{body}");
    }
    let not_utf8 = world.call("POST", "/kbs/v0/auth", &[], vec![0xff_u8, 0xfe]).await;
    assert_eq!(not_utf8.refusal(), (400, "KBS-001".to_owned()));
    // Ignored members are skipped without recursion, however deep.
    world.call("POST", "/kbs/v0/auth", &[], deep).await;
}

#[tokio::test]
async fn attest_bodies_that_are_not_the_message() {
    let world = World::new().await;
    let guest = world.guest(Tee::Snp).await;
    let good = world.attestation(&guest, &[]);
    let text = good.to_string();
    let deep_key = {
        let mut body = good.clone();
        body["runtime-data"]["tee-pubkey"] = json!("KEY");
        body.to_string().replace("\"KEY\"", &format!("{}{}", "[".repeat(200), "]".repeat(200)))
    };
    for body in ["", "{}", "[]", "null", &text[..text.len() / 2], &text[..text.len() - 1], &deep_key] {
        let answer = world.post_attest(&guest.cookie, body.to_owned()).await;
        assert_eq!(answer.refusal(), (400, "KBS-001".to_owned()), "{body:.80}");
    }
    for (pointer, value, status) in [
        ("/runtime-data/nonce", json!("AAAA"), 401),
        ("/runtime-data/nonce", json!(""), 401),
        ("/runtime-data/nonce", json!(7), 400),
        ("/runtime-data/tee-pubkey", json!({"kty": "EC"}), 401),
        ("/tee-evidence/primary_evidence", json!({}), 400),
        ("/tee-evidence/primary_evidence", json!("text"), 400),
        ("/tee-evidence/primary_evidence", Value::Null, 400),
        ("/tee-evidence/primary_evidence/attestation_report/report_data", json!([1, 2, 3]), 400),
        ("/tee-evidence/primary_evidence/attestation_report/version", json!(99), 422),
        ("/tee-evidence/additional_evidence", json!("{"), 400),
        ("/tee-evidence/additional_evidence", json!("{\"abacus\":{}}"), 400),
        ("/tee-evidence/additional_evidence", json!({}), 400),
        ("/init-data", json!("text"), 400),
        ("/init-data", json!({"format": "toml"}), 400),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value.clone();
        let answer = world.post_attest(&guest.cookie, body.to_string()).await;
        assert_eq!(answer.status, status, "{pointer} = {value}: {}", answer.text());
    }
    let deep_evidence = {
        let mut body = good.clone();
        body["tee-evidence"]["primary_evidence"] = json!("EVIDENCE");
        body.to_string().replace("\"EVIDENCE\"", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))
    };
    assert_eq!(world.post_attest(&guest.cookie, deep_evidence).await.status, 400);
    // After all that the challenge is still good.
    world.attest(&guest, &[]).await.ok();
}

#[tokio::test]
async fn certificates_that_are_none() {
    let world = World::new().await;
    let guest = world.guest(Tee::Snp).await;
    let good = world.attestation(&guest, &[]);
    for data in
        [vec![], vec![0x30_u8], vec![0; 27], b"-----BEGIN CERTIFICATE-----".to_vec(), vec![0x30; 100_000]]
    {
        let mut body = good.clone();
        body["tee-evidence"]["primary_evidence"]["cert_chain"] = json!([{"cert_type": "VCEK", "data": data}]);
        let answer = world.post_attest(&guest.cookie, body.to_string()).await;
        assert!(answer.status.is_client_error(), "{} bytes: {}", data.len(), answer.text());
        assert!(!answer.json()["code"].as_str().unwrap().is_empty());
    }
    let mut body = good.clone();
    body["tee-evidence"]["primary_evidence"]["cert_chain"] =
        json!([{"cert_type": "VCEK", "data": vec![0_u8; 1 << 20]}]);
    let answer = world.post_attest(&guest.cookie, body.to_string()).await;
    assert_eq!(answer.refusal(), (413, "KBS-021".to_owned()));
}

#[tokio::test]
async fn bodies_beyond_their_limit() {
    let world = World::new().await;
    let guest = world.guest(Tee::Sample).await;
    let auth = world.call("POST", "/kbs/v0/auth", &[], vec![b' '; (64 << 10) + 1]).await;
    assert_eq!(auth.refusal(), (413, "KBS-021".to_owned()));
    assert!(auth.json()["detail"].as_str().unwrap().contains("65536"));
    let attest = world.post_attest(&guest.cookie, vec![b' '; (2 << 20) + 1]).await;
    assert_eq!(attest.refusal(), (413, "KBS-021".to_owned()));
    // Without a length, counted as it comes.
    let endless =
        stream::iter((0..100_000).map(|_| Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 1024]))));
    let attest = world.post_attest(&guest.cookie, Body::from_stream(endless)).await;
    assert_eq!(attest.refusal(), (413, "KBS-021".to_owned()));
    for path in [
        "/kbs/v0/resource/a/b/c",
        "/kbs/v0/resource-policy",
        "/kbs/v0/attestation-policy",
        "/kbs/v0/reference-value",
    ] {
        let answer = world.administer(Role::Admin, "POST", path, vec![b' '; (2 << 20) + 1]).await;
        assert_eq!(answer.status, 413, "{path}");
    }
}

#[tokio::test]
async fn bodies_that_do_not_come_or_break_off() {
    let world = World::with(Settings { body_timeout: Duration::from_millis(50), ..settings() }).await;
    let silent = Body::from_stream(stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    assert_eq!(world.call("POST", "/kbs/v0/auth", &[], silent).await.refusal(), (408, "KBS-022".to_owned()));
    let broken = stream::iter([Ok(bytes::Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))]);
    let answer = world.call("POST", "/kbs/v0/auth", &[], Body::from_stream(broken)).await;
    assert_eq!(answer.refusal(), (400, "KBS-023".to_owned()));
}

#[tokio::test]
async fn requests_that_take_too_long() {
    let settings = Settings {
        body_timeout: Duration::from_secs(100),
        request_timeout: Duration::from_millis(50),
        ..settings()
    };
    let world = World::with(settings).await;
    let silent = Body::from_stream(stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let answer = world.call("POST", "/kbs/v0/auth", &[], silent).await;
    assert_eq!(answer.refusal(), (503, "KBS-025".to_owned()));
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test]
async fn cookies_that_are_missing_forged_foreign_or_stale() {
    let world = World::new().await;
    let elsewhere = World::new().await;
    let guest = world.guest(Tee::Sample).await;
    let body = world.attestation(&guest, &[]).to_string();
    let none = world.call("POST", "/kbs/v0/attest", &[], body.clone()).await;
    assert_eq!(none.refusal(), (401, "KBS-005".to_owned()));
    let foreign = elsewhere.guest(Tee::Sample).await.cookie;
    let mut forged = guest.cookie.clone().into_bytes();
    forged[60] = if forged[60] == b'A' { b'B' } else { b'A' };
    for (what, cookie, code) in [
        ("empty", String::new(), "KBS-006"),
        ("Trustee's form", "5f0c0e6f3f5b4f0c9d3a1c2b3d4e5f60".to_owned(), "KBS-006"),
        ("forged", String::from_utf8(forged).unwrap(), "KBS-006"),
        ("cut", guest.cookie[..guest.cookie.len() - 4].to_owned(), "KBS-006"),
        ("too long", "A".repeat(300), "KBS-006"),
        ("not base64", "!!!!".to_owned(), "KBS-006"),
        ("foreign", foreign, "KBS-007"),
    ] {
        assert_eq!(
            world.post_attest(&cookie, body.clone()).await.refusal(),
            (401, code.to_owned()),
            "{what}"
        );
        let headers = [("cookie", format!("kbs-session-id={cookie}"))];
        let headers = [(headers[0].0, headers[0].1.as_str())];
        let get = world.call("GET", "/kbs/v0/resource/a/b/c", &headers, "").await;
        assert_eq!(get.refusal(), (401, code.to_owned()), "{what}");
    }
    world.clock.advance(300);
    assert_eq!(world.post_attest(&guest.cookie, body).await.refusal(), (401, "KBS-008".to_owned()));
}

#[tokio::test]
async fn one_guests_evidence_does_not_serve_anothers_challenge() {
    let world = World::new().await;
    let (one, two) = (world.guest(Tee::Snp).await, world.guest(Tee::Snp).await);
    let body = world.attestation(&one, &[]);
    assert_eq!(world.post_attest(&two.cookie, body.to_string()).await.refusal(), (401, "KBS-009".to_owned()));
    let mut renamed = body.clone();
    renamed["runtime-data"]["nonce"] = json!(two.nonce);
    let answer = world.post_attest(&two.cookie, renamed.to_string()).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    // Evidence of another TEE than auth was called for.
    let sample = world.guest(Tee::Sample).await;
    let mut other = world.attestation(&sample, &[]);
    other["tee-evidence"] = body["tee-evidence"].clone();
    assert_eq!(world.post_attest(&sample.cookie, other.to_string()).await.status, 400);
}

#[tokio::test]
async fn resource_paths_that_are_none() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("a/b/c", b"x").await;
    let guest = world.attested(Tee::Sample, &[]).await;
    for (path, status) in [
        ("a/b/c", 200),
        ("/a/b/c", 200),
        ("%61/b/c", 200),
        ("a/b", 400),
        ("a/b/c/d", 400),
        ("a//c", 400),
        ("//a/b/c", 400),
        ("a/b/c/", 400),
        ("a/../c", 400),
        ("../b/c", 400),
        ("%2e%2e/b/c", 400),
        ("a%2fb/c/d", 400),
        ("a/b%2Fc", 400),
        ("a/b/c%00", 400),
        ("a/b/%", 400),
        ("a/b/%ff", 400),
        (&format!("a/b/{}", "x".repeat(129)), 400),
        (&format!("a/b/{}", "x".repeat(8000)), 400),
    ] {
        let answer = world.get(&guest, &format!("/kbs/v0/resource/{path}")).await;
        assert_eq!(answer.status, status, "{path:.60}: {}", answer.text());
        if status == 400 {
            assert!(answer.json()["type"].as_str().unwrap().ends_with("/InvalidRequestPath"));
        }
        let posted = world.administer(Role::Admin, "POST", &format!("/kbs/v0/resource/{path}"), "x").await;
        assert_eq!(posted.status, status, "{path:.60}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_served() {
    let world = World::new().await;
    for path in [
        "/",
        "/kbs",
        "/kbs/v0",
        "/kbs/v0/",
        "/kbs/v1/auth",
        "/kbs/v0/sample/x",
        "/kbs/v0/resource/",
        "/kbs/v0/auth/",
        "//kbs/v0/auth",
    ] {
        let answer = world.call("POST", path, &[], "").await;
        assert_eq!(answer.refusal(), (404, "KBS-019".to_owned()), "{path}");
        assert!(answer.json()["type"].as_str().unwrap().ends_with("/PluginNotFound"));
    }
    for (method, path, allow) in [
        ("GET", "/kbs/v0/auth", "POST"),
        ("PUT", "/kbs/v0/attest", "POST"),
        ("PUT", "/kbs/v0/resource/a/b/c", "GET,HEAD,POST,DELETE"),
        ("POST", "/metrics", "GET,HEAD"),
        ("OPTIONS", "/kbs/v0/auth", "POST"),
        ("BREW", "/healthz", "GET,HEAD"),
    ] {
        let answer = world.call(method, path, &[], "").await;
        assert_eq!(answer.refusal(), (405, "KBS-020".to_owned()), "{method} {path}");
        let mut found: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        let mut expected: Vec<&str> = allow.split(',').collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn policies_that_are_not_admitted() {
    let world = World::new().await;
    let encode = |text: &str| {
        json!({"type": "rego", "policy_id": "default_cpu", "policy": base64url(text)}).to_string()
    };
    let endless = "package policy\nimport rego.v1\nallow if { allow }\ntrust_claims := {}\n";
    let huge = format!("package policy\n# {}\n", "x".repeat(70_000));
    for (body, status) in [
        (encode("package policy\nthis is no rego"), 422),
        (encode(endless), 422),
        (encode(""), 422),
        (encode(&huge), 413),
        (json!({"type": "rego", "policy_id": "default_cpu", "policy": "a+b/c="}).to_string(), 400),
        (json!({"type": "rego", "policy_id": "default_cpu", "policy": "_w"}).to_string(), 400),
        (json!({"type": "cel", "policy_id": "default_cpu", "policy": ""}).to_string(), 422),
        (json!({"policy_id": "../x", "policy": base64url(ALLOW_ALL)}).to_string(), 400),
        (json!({"policy_id": "", "policy": base64url(ALLOW_ALL)}).to_string(), 400),
        (json!({"policy": base64url(ALLOW_ALL)}).to_string(), 400),
        ("{".to_owned(), 400),
    ] {
        let answer =
            world.administer(Role::PolicyWriter, "POST", "/kbs/v0/attestation-policy", body.clone()).await;
        assert_eq!(answer.status, status, "{body:.120}: {}", answer.text());
    }
    let id = "/kbs/v0/attestation-policy/default_cpu";
    let text = world.administer(Role::Auditor, "GET", id, "").await.ok().text();
    assert!(text.contains("snp_launch_measurement"), "what was in force is in force");
}

#[tokio::test]
async fn too_many_calls_from_one_address() {
    let rate = Rate { per_minute: 1.try_into().unwrap(), burst: 3.try_into().unwrap() };
    let world = World::with(Settings { auth_rate: Some(rate), attest_rate: Some(rate), ..settings() }).await;
    for path in ["/kbs/v0/auth", "/kbs/v0/attest"] {
        for _ in 0..3 {
            assert_ne!(world.call("POST", path, &[], "").await.status, 429);
        }
        let answer = world.call("POST", path, &[], "").await;
        assert_eq!(answer.refusal(), (429, "KBS-024".to_owned()));
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=61).contains(&seconds));
    }
    // Other endpoints go on, and so do other addresses.
    world.call("GET", "/healthz", &[], "").await.ok();
    let mut request = http::Request::post("/kbs/v0/auth").body(Body::empty()).unwrap();
    let peer = "192.0.2.77:1".parse().unwrap();
    request.extensions_mut().insert(assay_listener::Connection::new(peer, false));
    assert_eq!(world.send(request).await.status, 400);
}

#[tokio::test]
async fn a_store_that_is_closed_is_unavailable() {
    let world = World::new().await;
    let guest = world.guest(Tee::Sample).await;
    let body = world.attestation(&guest, &[]).to_string();
    world.store.close().await;
    assert_eq!(world.post_attest(&guest.cookie, body).await.status, 503);
    assert_eq!(world.get(&guest, "/kbs/v0/resource/a/b/c").await.status, 503);
    let answer = world.call("GET", "/readyz", &[], "").await;
    let failing = answer.json()["failing"].clone();
    assert_eq!(failing[0]["name"], "store");
    assert!(failing[0]["code"].as_str().unwrap().starts_with("STORE-"), "{failing}");
    assert_eq!(failing[0]["reason"], "is not available");
    assert_eq!(answer.refusal(), (503, "KBS-036".to_owned()));
    world.call("GET", "/healthz", &[], "").await.ok();
    // What needs no store goes on.
    world.auth("snp").await.ok();
}
