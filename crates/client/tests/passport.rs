//! Tokens from an attestation service: the handshake to the member, and what is made of its answers.
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

use assay_client::{ClientError, KbsClient, PassportClient, RetryPolicy};
use assay_types::{Coded as _, Fault, HashAlgorithm, InitDataMessage, ResourcePath, canonical_digest};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use double::{Guest, Kbs, LIFETIME, SECRET, Say, World, jwt};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const CHALLENGE: &str = "POST /challenge";
const ATTESTATION: &str = "POST /attestation";
const RESOURCE: &str = "GET /kbs/v0/resource/r/t/t";

fn path() -> ResourcePath {
    "r/t/t".parse().unwrap()
}

fn passport(world: &World) -> PassportClient {
    PassportClient::builder(&world.kbs.url)
        .unwrap()
        .evidence_provider(world.guest.clone())
        .clock(world.kbs.clock.clone())
        .waiting(world.waits.clone())
        .build()
        .unwrap()
}

/// Tokens from one double, secrets from another.
async fn both() -> (World, Arc<Kbs>, KbsClient) {
    let (world, attester) = (World::new().await, Kbs::start().await);
    let client = world.builder().passport(&attester.url, None).unwrap().build().unwrap();
    (world, attester, client)
}

fn evidence_in(request: &Value) -> Value {
    let text = BASE64_URL_SAFE_NO_PAD.decode(request["evidence"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn digest(value: &Value) -> assay_types::Digest {
    canonical_digest(value, HashAlgorithm::Sha384).unwrap()
}

#[tokio::test]
async fn the_evidence_is_bound_to_the_challenge_and_the_key() {
    let world = World::new().await;
    let client = passport(&world);
    client.token().await.unwrap();
    assert_eq!(world.kbs.all(), [CHALLENGE, ATTESTATION]);
    let challenge = &world.kbs.asked(CHALLENGE)[0];
    assert_eq!(String::from_utf8(challenge.body.clone()).unwrap(), r#"{"tee":"sample","tee_params":""}"#);
    assert_eq!(challenge.header("content-type"), "application/json");

    let body = world.kbs.asked(ATTESTATION)[0].json();
    let runtime_data = &body["verification_requests"][0]["runtime_data"]["structured"];
    let key = &runtime_data["tee-pubkey"];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&json!("EC"), &json!("P-256"), &json!("ECDH-ES+A256KW"))
    );
    assert_eq!(*runtime_data, json!({ "nonce": "a challenge", "tee-pubkey": key }));
    let evidence = &body["verification_requests"][0]["evidence"];
    assert_eq!(
        body,
        json!({
            "verification_requests": [{
                "tee": "sample",
                "evidence": evidence,
                "runtime_data": { "structured": runtime_data },
                "runtime_data_hash_algorithm": "sha384",
            }],
            "policy_ids": [],
        })
    );
    let bound = digest(runtime_data);
    assert_eq!(*world.guest.digests.lock().unwrap(), std::slice::from_ref(&bound));
    assert_eq!(evidence_in(&body["verification_requests"][0])["report_data"], bound.to_hex());
}

#[tokio::test]
async fn init_data_go_along_as_text() {
    let init_data = InitDataMessage { format: "toml".into(), body: "version = \"0.1.0\"".into() };
    let world = World::with(Guest { init_data: Some(init_data.clone()), ..Guest::default() }).await;
    passport(&world).token().await.unwrap();
    let body = world.kbs.asked(ATTESTATION)[0].json();
    assert_eq!(body["verification_requests"][0]["init_data"], json!({ "init_data_toml": init_data.body }));

    let other = InitDataMessage { format: "json".into(), ..init_data };
    let world = World::with(Guest { init_data: Some(other), ..Guest::default() }).await;
    let error = passport(&world).token().await.unwrap_err();
    assert!(matches!(error, ClientError::Evidence(_)), "{error}");
    assert_eq!(world.kbs.count(ATTESTATION), 0);
}

#[tokio::test]
async fn devices_are_further_requests_and_bound_from_both_sides() {
    let additional = r#"{"sampledevice":{"b":1,"a":2}}"#;
    let world = World::with(Guest { additional: additional.into(), ..Guest::default() }).await;
    passport(&world).token().await.unwrap();
    let requests = world.kbs.asked(ATTESTATION)[0].json()["verification_requests"].clone();
    assert_eq!(requests.as_array().unwrap().len(), 2);
    let (primary, device) = (&requests[0], &requests[1]);
    let bound = &primary["runtime_data"]["structured"];
    assert_eq!(bound["additional-evidence"], additional);
    assert_eq!(*world.guest.digests.lock().unwrap(), [digest(bound)]);
    assert_eq!(device["tee"], "sampledevice");
    assert_eq!(
        device["runtime_data"]["structured"],
        json!({ "nonce": bound["nonce"], "tee-pubkey": bound["tee-pubkey"] })
    );
    assert_eq!(*world.guest.device_digests.lock().unwrap(), [digest(&device["runtime_data"]["structured"])]);
    let text = BASE64_URL_SAFE_NO_PAD.decode(device["evidence"].as_str().unwrap()).unwrap();
    assert_eq!(text, br#"{"b":1,"a":2}"#, "the device's text is not written anew");

    for additional in ["[]", "nonsense"] {
        let world = World::with(Guest { additional: additional.into(), ..Guest::default() }).await;
        let error = passport(&world).token().await.unwrap_err();
        assert!(matches!(error, ClientError::Evidence(_)), "{error}");
    }
}

/// As Trustee's service does for nearly every TEE.
#[tokio::test]
async fn without_a_challenge_the_nonce_is_the_guests_own_and_new_each_time() {
    let world = World::new().await;
    world.kbs.script("/challenge", vec![Say::text(200, ""); 2]);
    let client = passport(&world);
    client.attest().await.unwrap();
    client.attest().await.unwrap();
    let nonces: Vec<String> = world
        .kbs
        .asked(ATTESTATION)
        .iter()
        .map(|asked| asked.json()["verification_requests"][0]["runtime_data"]["structured"]["nonce"].clone())
        .map(|nonce| nonce.as_str().unwrap().to_owned())
        .collect();
    assert_ne!(nonces[0], nonces[1]);
    assert!(nonces.iter().all(|nonce| BASE64_STANDARD.decode(nonce).unwrap().len() == 32), "{nonces:?}");
}

#[tokio::test]
async fn secrets_come_from_the_key_broker_by_the_passport() {
    let (world, attester, client) = both().await;
    let token = client.token().await.unwrap();
    world.kbs.state.lock().unwrap().key = attester.state.lock().unwrap().key.clone();
    for _ in 0..2 {
        assert_eq!(client.resource(&path()).await.unwrap().expose(), SECRET);
    }
    assert_eq!(attester.all(), [CHALLENGE, ATTESTATION]);
    assert_eq!(world.kbs.all(), [RESOURCE, RESOURCE]);
    let asked = &world.kbs.asked(RESOURCE)[0];
    assert_eq!(asked.header("authorization"), format!("Bearer {}", token.as_str()));
    assert_eq!(asked.header("cookie"), "");
    client.verdict().await.unwrap();
    assert_eq!(world.kbs.asked("GET /kbs/v0/verdict")[0].header("cookie"), "");
}

#[tokio::test]
async fn a_passport_that_the_key_broker_refuses_is_renewed_once() {
    let (world, attester, client) = both().await;
    let refusal = || Say::problem(401, "TokenVerifierError", "expired");
    world.kbs.script("/kbs/v0/resource/r/t/t", [refusal(), refusal(), refusal()]);
    let error = client.resource(&path()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unauthenticated { .. }), "{error}");
    assert_eq!((attester.count(ATTESTATION), world.kbs.count(RESOURCE)), (2, 2));
}

#[tokio::test]
async fn a_denial_is_one_and_not_retried() {
    for (at, status, fault) in [
        ("/attestation", 401, Fault::Evidence),
        ("/attestation", 403, Fault::Forbidden),
        ("/attestation", 422, Fault::Unprocessable),
        ("/challenge", 422, Fault::Unprocessable),
    ] {
        let world = World::new().await;
        world.kbs.script(at, [Say::problem(status, "AttestationError", "no")]);
        let error = passport(&world).token().await.unwrap_err();
        assert!(matches!(error, ClientError::Denied { .. }), "{error}");
        assert_eq!(error.fault(), fault, "{at} {status}");
        assert!(world.waited().is_empty());
        assert_eq!(world.kbs.count(CHALLENGE), 1);
    }
}

#[tokio::test]
async fn what_may_pass_is_retried_with_a_new_challenge_and_evidence() {
    let world = World::new().await;
    world.kbs.script("/attestation", [Say::problem(503, "ServiceError", "busy").with("retry-after", "3")]);
    passport(&world).token().await.unwrap();
    assert_eq!((world.kbs.count(CHALLENGE), world.kbs.count(ATTESTATION)), (2, 2));
    assert_eq!(world.waited(), [3500]);
    let digests = world.guest.digests.lock().unwrap();
    assert_ne!(digests[0], digests[1], "each handshake has a key of its own");
}

#[tokio::test]
async fn answers_that_are_none_are_named_and_not_retried() {
    let endless = || Say { status: 200, endless: true, ..Say::default() };
    for (at, say, detail) in [
        ("/challenge", Say::text(200, "<html>log in</html>"), "HTML page instead of text"),
        ("/challenge", Say { status: 200, body: vec![0xff], ..Say::default() }, "not UTF-8"),
        ("/challenge", endless(), "longer than 65536 bytes"),
        ("/challenge", Say::text(404, "nothing"), "there is no attestation service at this URL"),
        ("/challenge", Say::text(302, "").with("location", "https://elsewhere.example"), "not followed"),
        ("/attestation", Say::text(200, ""), "the token is not a JWT"),
        ("/attestation", Say::text(200, " <!doctype html>"), "HTML page instead of text"),
        ("/attestation", Say::json(200, &json!({ "token": "geheim" })), "the token is not a JWT"),
        ("/attestation", Say::text(200, "geheim.geheim.geheim"), "the token is not a JWT"),
        ("/attestation", Say::text(200, &jwt(&json!({ "iat": 5 }))), "no expiry"),
        ("/attestation", Say { status: 200, body: vec![0xff], ..Say::default() }, "not UTF-8"),
        ("/attestation", endless(), "longer than 1048576 bytes"),
    ] {
        let world = World::new().await;
        world.kbs.script(at, [say]);
        match passport(&world).token().await.unwrap_err() {
            ClientError::Protocol { what, detail: found } => {
                assert!(what.contains(at) && found.contains(detail), "{what}: {found} / {detail}");
                assert!(!found.contains("geheim"), "{found}");
            }
            other => panic!("{other}"),
        }
        assert!(world.waited().is_empty());
        assert_eq!(world.kbs.asked(&format!("POST {at}")).len(), 1);
    }
}

#[tokio::test]
async fn evidence_that_fails_is_no_fault_of_the_service() {
    let world = World::new().await;
    *world.guest.fails.lock().unwrap() = Some("no device");
    let error = passport(&world).token().await.unwrap_err();
    assert!(matches!(error, ClientError::Evidence(_)), "{error}");
    assert_eq!(world.kbs.all(), [CHALLENGE]);
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_passport() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    *world.kbs.gate.lock().unwrap() = Some(gate.clone());
    let client = passport(&world);
    let all = join_all((0..20).map(|_| client.token()));
    let opened = async {
        world.kbs.until(ATTESTATION, 1).await;
        gate.add_permits(100);
    };
    let (tokens, ()) = tokio::join!(all, opened);
    assert!(tokens.iter().all(|token| token.as_ref().unwrap().id() == Some("token-1")));
    assert_eq!(world.kbs.count(ATTESTATION), 1);
}

#[tokio::test]
async fn a_passport_is_renewed_ahead_of_its_end() {
    let world = World::new().await;
    let client = passport(&world);
    assert_eq!(client.token().await.unwrap().id(), Some("token-1"));
    world.kbs.clock.advance(LIFETIME - 31);
    assert_eq!(client.token().await.unwrap().id(), Some("token-1"));
    world.kbs.clock.advance(1);
    assert_eq!(client.token().await.unwrap().id(), Some("token-2"));
}

#[tokio::test]
async fn settings_are_checked_for_both_services() {
    let world = World::new().await;
    let error = world.builder().passport("ftp://127.0.0.1", None).unwrap_err();
    assert!(matches!(error, ClientError::Configuration(_)), "{error}");
    let error = world.builder().passport("https://127.0.0.1", Some(b"no certificate")).unwrap_err();
    assert!(matches!(error, ClientError::Configuration(_)), "{error}");
    let error = world.builder().passport("http://as.example", None).unwrap().build().unwrap_err();
    assert!(error.to_string().contains("plain http"), "{error}");
    let error = PassportClient::builder(&world.kbs.url).unwrap().build().unwrap_err();
    assert!(error.to_string().contains("no evidence provider"), "{error}");
}

/// A service that breaks off is unavailable, with its cause.
#[tokio::test]
async fn an_early_close_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let world = World::new().await;
    let client = PassportClient::builder(&url)
        .unwrap()
        .evidence_provider(world.guest.clone())
        .clock(world.kbs.clock.clone())
        .waiting(world.waits.clone())
        .retry(RetryPolicy { max_attempts: 3, ..RetryPolicy::default() })
        .build()
        .unwrap();
    match client.token().await.unwrap_err() {
        ClientError::Unavailable { attempts, .. } => assert_eq!(attempts.len(), 3),
        other => panic!("{other}"),
    }
}
