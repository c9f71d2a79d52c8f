//! The guest's client against a double: the handshake to the member, and what is retried.
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
use std::time::Duration;

use assay_client::{ClientError, KbsClient, RetryPolicy};
use assay_token::jwe::KeyAlgorithm;
use assay_types::{
    Coded, Fault, HashAlgorithm, InitDataMessage, ResourcePath, RuntimeData, additional_runtime_data,
    canonical_digest, primary_runtime_data,
};
use double::{Guest, LIFETIME, SECRET, Say, World};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const AUTH: &str = "POST /kbs/v0/auth";
const ATTEST: &str = "POST /kbs/v0/attest";
const RESOURCE: &str = "GET /kbs/v0/resource/r/t/t";

fn path() -> ResourcePath {
    "r/t/t".parse().unwrap()
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_handshake_is_the_recorded_one() {
    let world = World::new().await;
    let client = world.client();
    assert_eq!(client.resource(&path()).await.unwrap().expose(), SECRET);
    assert_eq!(world.kbs.all(), [AUTH, ATTEST, RESOURCE]);

    let auth = &world.kbs.asked(AUTH)[0];
    assert_eq!(
        String::from_utf8(auth.body.clone()).unwrap(),
        r#"{"version":"0.4.0","tee":"sample","extra-params":{"supported-hash-algorithms":["sha256","sha384","sha512"]}}"#
    );
    assert_eq!(auth.header("content-type"), "application/json");
    assert_eq!(auth.header("user-agent"), concat!("assay-client/", env!("CARGO_PKG_VERSION")));
    assert_eq!(auth.header("cookie"), "");

    let attest = &world.kbs.asked(ATTEST)[0];
    let body = attest.json();
    assert_eq!(members(&body), ["init-data", "runtime-data", "tee-evidence"]);
    assert_eq!(body["init-data"], Value::Null);
    assert_eq!(members(&body["runtime-data"]), ["nonce", "tee-pubkey"]);
    assert_eq!(body["runtime-data"]["nonce"], "bm9uY2U=");
    let key = &body["runtime-data"]["tee-pubkey"];
    assert_eq!(members(key), ["alg", "crv", "kty", "x", "y"]);
    assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!("P-256")));
    assert_eq!(key["alg"], "ECDH-ES+A256KW");
    assert_eq!(key["x"].as_str().unwrap().len(), 43);
    assert_eq!(members(&body["tee-evidence"]), ["additional_evidence", "primary_evidence"]);
    assert_eq!(body["tee-evidence"]["additional_evidence"], "");
    assert_eq!(attest.header("cookie"), "kbs-session-id=5f0c");

    let runtime_data: RuntimeData = serde_json::from_value(body["runtime-data"].clone()).unwrap();
    let digest = canonical_digest(&primary_runtime_data(&runtime_data, ""), HashAlgorithm::Sha384).unwrap();
    assert_eq!(*world.guest.digests.lock().unwrap(), std::slice::from_ref(&digest));
    assert_eq!(
        body["tee-evidence"]["primary_evidence"],
        json!({ "svn": "1", "report_data": digest.to_hex() })
    );

    let resource = &world.kbs.asked(RESOURCE)[0];
    assert!(resource.header("authorization").starts_with("Bearer ey"));
    assert_eq!((resource.header("cookie"), resource.body.len()), ("", 0));
}

#[tokio::test]
async fn init_data_devices_and_the_servers_hash_are_honoured() {
    let init_data = InitDataMessage { format: "toml".into(), body: "algorithm = \"sha256\"\n".into() };
    let additional = r#"{"sampledevice": {"svn":"2"}}"#.to_owned();
    let world = World::with(Guest { additional, init_data: Some(init_data), ..Guest::default() }).await;
    world.kbs.state.lock().unwrap().challenge_extra = json!({ "selected-hash-algorithm": "SHA512" });
    world.client().token().await.unwrap();
    let body = world.kbs.asked(ATTEST)[0].json();
    assert_eq!(body["init-data"], json!({ "format": "toml", "body": "algorithm = \"sha256\"\n" }));
    // As text: the digest is over exactly these characters.
    let additional = body["tee-evidence"]["additional_evidence"].as_str().unwrap();
    assert_eq!(additional, world.guest.additional);
    let runtime_data: RuntimeData = serde_json::from_value(body["runtime-data"].clone()).unwrap();
    let digest = |value| canonical_digest(&value, HashAlgorithm::Sha512).unwrap();
    assert_eq!(
        *world.guest.digests.lock().unwrap(),
        [digest(primary_runtime_data(&runtime_data, additional))]
    );
    assert_eq!(*world.guest.device_digests.lock().unwrap(), [digest(additional_runtime_data(&runtime_data))]);
}

#[tokio::test]
async fn every_kind_of_key_fetches_a_secret() {
    for algorithm in KeyAlgorithm::ALL {
        let world = World::new().await;
        let client = world.builder().key_algorithm(algorithm).build().unwrap();
        assert_eq!(client.resource(&path()).await.unwrap().expose(), SECRET, "{algorithm}");
    }
}

#[tokio::test]
async fn a_denial_is_not_retried_and_keeps_the_findings() {
    let findings =
        json!([{ "code": "SNP-012", "outcome": "failed", "expected": "aa", "found": "bb", "detail": "" }]);
    let problem = json!({
        "type": "https://github.com/confidential-containers/kbs/errors/PolicyDeny",
        "detail": "no\u{1b}[31m", "findings": findings, "code": "AS-003",
    });
    for status in [400, 401, 403, 409, 413, 422] {
        let world = World::new().await;
        world.kbs.script("/kbs/v0/attest", [Say::json(status, &problem)]);
        let error = world.client().token().await.unwrap_err();
        let ClientError::Denied { status: found, problem, .. } = &error else { panic!("{error}") };
        assert_eq!(*found, status);
        assert_eq!(problem.more["findings"], findings);
        assert_eq!(problem.detail, "no [31m");
        assert_eq!(error.code(), "CLI-001");
        assert_eq!(world.kbs.all(), [AUTH, ATTEST]);
        assert!(world.waited().is_empty());
    }
}

#[tokio::test]
async fn what_a_resource_request_is_refused_with_is_not_retried() {
    for (status, fault) in [
        (400, Fault::BadRequest),
        (403, Fault::PolicyDenied),
        (404, Fault::NotFound),
        (413, Fault::TooLarge),
        // Trustee says 401 when its policy says no; a new attestation would say the same.
        (401, Fault::Evidence),
    ] {
        let world = World::new().await;
        world.kbs.script("/kbs/v0/resource/r/t/t", [Say::problem(status, "PolicyDeny", "not for you")]);
        let error = world.client().resource(&path()).await.unwrap_err();
        assert_eq!(error.fault(), fault, "{error}");
        assert_eq!(error.problem().unwrap().detail, "not for you");
        assert_eq!(world.kbs.all(), [AUTH, ATTEST, RESOURCE]);
    }
}

#[tokio::test]
async fn an_unavailable_server_is_asked_again_with_growing_waits_and_a_new_handshake() {
    let world = World::new().await;
    world.kbs.script("/kbs/v0/auth", [Say::text(502, "<html>"), Say::text(429, "")]);
    world.kbs.script("/kbs/v0/attest", [Say::problem(503, "Unavailable", "collateral")]);
    world.client().token().await.unwrap();
    assert_eq!(world.kbs.all(), [AUTH, AUTH, AUTH, ATTEST, AUTH, ATTEST]);
    assert_eq!(world.waited(), [500, 1000, 2000]);
    let keys: Vec<Value> = world
        .kbs
        .asked(ATTEST)
        .iter()
        .map(|asked| asked.json()["runtime-data"]["tee-pubkey"].clone())
        .collect();
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_resource_request_is_asked_again_without_a_new_attestation() {
    let world = World::new().await;
    world
        .kbs
        .script("/kbs/v0/resource/r/t/t", [Say::text(500, ""), Say::text(429, "").with("retry-after", "7")]);
    assert_eq!(world.client().resource(&path()).await.unwrap().expose(), SECRET);
    assert_eq!(world.kbs.all(), [AUTH, ATTEST, RESOURCE, RESOURCE, RESOURCE]);
    assert_eq!(world.waited(), [500, 8000]);
}

#[tokio::test]
async fn attempts_are_bounded_and_listed() {
    let world = World::new().await;
    world.kbs.script("/kbs/v0/auth", std::iter::repeat_n(Say::problem(503, "X", "too busy"), 9));
    let error = world.client().token().await.unwrap_err();
    let ClientError::Unavailable { attempts, .. } = &error else { panic!("{error}") };
    assert_eq!((attempts.len(), world.kbs.count(AUTH)), (5, 5));
    let text = error.to_string();
    assert!(text.contains("attempt 5: POST /kbs/v0/auth: answered 503: too busy"), "{text}");
    assert_eq!(error.fault(), Fault::Unavailable);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let world = World::new().await;
    world.kbs.script("/kbs/v0/auth", [Say::text(429, "").with("retry-after", "3600")]);
    let error = world.client().token().await.unwrap_err();
    let ClientError::Unavailable { attempts, retry_after } = &error else { panic!("{error}") };
    assert_eq!((attempts.len(), *retry_after), (1, Some(Duration::from_secs(3600))));
    assert!(world.waited().is_empty());
}

#[tokio::test]
async fn a_date_to_retry_after_is_understood() {
    let world = World::new().await;
    let date = "Sun, 01 Mar 2026 12:00:20 GMT";
    world.kbs.script("/kbs/v0/auth", [Say::text(503, "").with("retry-after", date)]);
    world.client().token().await.unwrap();
    assert_eq!(world.waited(), [20_500]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = KbsClient::builder(&url)
        .unwrap()
        .evidence_provider(world.guest.clone())
        .clock(world.kbs.clock.clone())
        .waiting(world.waits.clone())
        .retry(RetryPolicy { max_attempts: 2, ..RetryPolicy::default() })
        .build()
        .unwrap();
    let error = client.token().await.unwrap_err();
    let ClientError::Unavailable { attempts, .. } = &error else { panic!("{error}") };
    assert_eq!(attempts.len(), 2);
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn fifty_callers_share_one_attestation() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    *world.kbs.gate.lock().unwrap() = Some(gate.clone());
    let client = world.client();
    let (tokens, ()) = tokio::join!(join_all((0..50).map(|_| client.token())), async {
        world.kbs.until(ATTEST, 1).await;
        gate.add_permits(50);
    });
    for token in tokens {
        assert_eq!(token.unwrap().id(), Some("token-1"));
    }
    assert_eq!(world.kbs.all(), [AUTH, ATTEST]);
}

#[tokio::test]
async fn fifty_callers_share_one_denial() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    *world.kbs.gate.lock().unwrap() = Some(gate.clone());
    world.kbs.script("/kbs/v0/attest", [Say::problem(403, "PolicyDeny", "no")]);
    let client = world.client();
    let (tokens, ()) = tokio::join!(join_all((0..50).map(|_| client.token())), async {
        world.kbs.until(ATTEST, 1).await;
        gate.add_permits(50);
    });
    assert!(tokens.iter().all(|token| matches!(token, Err(ClientError::Denied { status: 403, .. }))));
    assert_eq!(world.kbs.all(), [AUTH, ATTEST]);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_the_attestation() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    *world.kbs.gate.lock().unwrap() = Some(gate.clone());
    let client = world.client();
    let leader = tokio::spawn({
        let client = client.clone();
        async move { client.token().await.map(drop) }
    });
    world.kbs.until(ATTEST, 1).await;
    let (token, ()) = tokio::join!(client.token(), async {
        leader.abort();
        gate.add_permits(1);
    });
    assert_eq!(token.unwrap().id(), Some("token-1"));
    assert_eq!(world.kbs.count(ATTEST), 1);
}

#[tokio::test]
async fn a_token_serves_until_it_is_renewed_ahead_of_its_end() {
    let world = World::new().await;
    let client = world.client();
    for (advance, id) in [(0, "token-1"), (LIFETIME - 31, "token-1"), (1, "token-2"), (1, "token-2")] {
        world.kbs.clock.advance(advance);
        assert_eq!(client.token().await.unwrap().id(), Some(id));
    }
    assert_eq!(world.kbs.count(ATTEST), 2);
}

#[tokio::test]
async fn a_resource_request_does_not_wait_for_the_renewal() {
    let world = World::new().await;
    let client = world.client();
    client.token().await.unwrap();
    world.kbs.clock.advance(LIFETIME - 10);
    let gate = Arc::new(Semaphore::new(0));
    *world.kbs.gate.lock().unwrap() = Some(gate.clone());
    assert_eq!(client.resource(&path()).await.unwrap().expose(), SECRET);
    // The renewal runs meanwhile.
    world.kbs.until(ATTEST, 2).await;
    gate.add_permits(1);
    assert_eq!(client.token().await.unwrap().id(), Some("token-2"));
}

#[tokio::test]
async fn when_a_renewal_fails_the_old_token_serves_while_it_is_valid() {
    let world = World::new().await;
    let client = world.client();
    client.token().await.unwrap();
    world.kbs.clock.advance(LIFETIME - 10);
    world.kbs.script("/kbs/v0/auth", std::iter::repeat_n(Say::text(503, ""), 5));
    for _ in 0..3 {
        // Not tried again at once.
        assert_eq!(client.token().await.unwrap().id(), Some("token-1"));
        assert_eq!(world.kbs.count(AUTH), 6);
    }
    world.kbs.clock.advance(10);
    assert_eq!(client.token().await.unwrap().id(), Some("token-2"));
}

#[tokio::test]
async fn when_a_renewal_is_denied_the_old_token_serves_no_more() {
    let world = World::new().await;
    let client = world.client();
    client.token().await.unwrap();
    world.kbs.clock.advance(LIFETIME - 10);
    world.kbs.script("/kbs/v0/attest", std::iter::repeat_n(Say::problem(403, "PolicyDeny", "no"), 2));
    for _ in 0..2 {
        assert!(matches!(client.token().await, Err(ClientError::Denied { .. })));
    }
    assert_eq!(world.kbs.count(ATTEST), 3);
}

#[tokio::test]
async fn the_life_of_a_token_counts_by_its_span_and_not_by_the_guests_clock() {
    let world = World::new().await;
    // The server's clock is a day behind the guest's: by the guest's, the token ended long ago.
    let day = 24 * 3600;
    let iat = double::NOW - day;
    world.kbs.state.lock().unwrap().claims = Some(json!({ "iat": iat, "exp": iat + LIFETIME }));
    let client = world.client();
    for _ in 0..3 {
        assert_eq!(client.token().await.unwrap().id(), Some("token-1"));
    }
    world.kbs.clock.advance(LIFETIME);
    assert_eq!(client.token().await.unwrap().id(), Some("token-2"));
}

#[tokio::test]
async fn attest_always_makes_new_evidence() {
    let world = World::new().await;
    let client = world.client();
    for id in ["token-1", "token-2", "token-3"] {
        assert_eq!(client.attest().await.unwrap().id(), Some(id));
    }
    assert_eq!(client.token().await.unwrap().id(), Some("token-3"));
}

#[tokio::test]
async fn what_was_forgotten_is_not_given_again_nor_what_was_under_way() {
    let world = World::new().await;
    let client = world.client();
    assert_eq!(client.token().await.unwrap().id(), Some("token-1"));
    client.forget_token();
    assert_eq!(client.token().await.unwrap().id(), Some("token-2"));
    // One under way when the guest changed is for those who waited already, and for nobody else.
    client.forget_token();
    let gate = Arc::new(Semaphore::new(0));
    *world.kbs.gate.lock().unwrap() = Some(gate.clone());
    let (early, late) = tokio::join!(client.token(), async {
        world.kbs.until(ATTEST, 3).await;
        client.forget_token();
        let late = client.token();
        let (late, ()) = tokio::join!(late, async {
            world.kbs.until(ATTEST, 4).await;
            gate.add_permits(50);
        });
        late
    });
    let (early, late) = (early.unwrap(), late.unwrap());
    assert_ne!(early.id(), late.id());
    assert_eq!(client.token().await.unwrap().id(), late.id());
}

#[tokio::test]
async fn after_a_denial_the_next_call_attests_anew_unless_the_token_is_new() {
    let world = World::new().await;
    let client = world.client();
    client.token().await.unwrap();
    let denied = || Say::problem(403, "PolicyDeny", "no");
    for (seconds, attestations) in [(0, 1), (9, 1), (1, 2)] {
        world.kbs.clock.advance(seconds);
        world.kbs.script("/kbs/v0/resource/r/t/t", [denied()]);
        assert!(matches!(client.resource(&path()).await, Err(ClientError::Denied { .. })));
        client.token().await.unwrap();
        assert_eq!(world.kbs.count(ATTEST), attestations, "after {seconds} more seconds");
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_leads_to_one_new_attestation() {
    let world = World::new().await;
    let client = world.client();
    let refusal = Say::problem(401, "TokenVerifierError", "Token Verifier error");
    world.kbs.script("/kbs/v0/resource/r/t/t", [refusal.clone()]);
    assert_eq!(client.resource(&path()).await.unwrap().expose(), SECRET);
    assert_eq!(world.kbs.all(), [AUTH, ATTEST, RESOURCE, AUTH, ATTEST, RESOURCE]);

    world.kbs.script("/kbs/v0/resource/r/t/t", [refusal.clone(), refusal]);
    let error = client.resource(&path()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unauthenticated { .. }), "{error}");
    assert_eq!((error.code(), error.fault()), ("CLI-003", Fault::Unauthenticated));
    assert_eq!(world.kbs.count(ATTEST), 3);
    assert_eq!(world.kbs.count(RESOURCE), 4);
}

#[tokio::test]
async fn many_callers_with_a_refused_token_share_the_new_attestation() {
    let world = World::new().await;
    let client = world.client();
    client.token().await.unwrap();
    let refusal = Say::problem(401, "TokenVerifierError", "");
    world.kbs.script("/kbs/v0/resource/r/t/t", std::iter::repeat_n(refusal, 20));
    let path = path();
    let secrets = join_all((0..20).map(|_| client.resource(&path))).await;
    assert!(secrets.into_iter().all(|secret| secret.unwrap().expose() == SECRET));
    assert_eq!(world.kbs.count(ATTEST), 2);
}

#[tokio::test]
async fn evidence_that_cannot_be_made_is_an_error_of_its_own() {
    let world = World::new().await;
    *world.guest.fails.lock().unwrap() = Some("no /dev/sev-guest");
    let error = world.client().token().await.unwrap_err();
    assert_eq!(error.to_string(), "no evidence: no /dev/sev-guest");
    assert_eq!((error.code(), error.fault()), ("CLI-007", Fault::Evidence));
    assert_eq!(world.kbs.all(), [AUTH]);
}

#[tokio::test]
async fn the_verdict_is_asked_for_with_token_and_cookie() {
    let world = World::new().await;
    assert_eq!(world.client().verdict().await.unwrap(), json!({ "findings": [] }));
    let asked = &world.kbs.asked("GET /kbs/v0/verdict")[0];
    assert_eq!(asked.header("cookie"), "kbs-session-id=5f0c");
    assert!(asked.header("authorization").starts_with("Bearer "));
}

#[tokio::test]
async fn nothing_that_is_shown_holds_the_token() {
    let world = World::new().await;
    let client = world.client();
    let token = client.token().await.unwrap();
    let secret = client.resource(&path()).await.unwrap();
    for shown in [format!("{token:?}"), format!("{client:?}"), format!("{secret:?}")] {
        assert!(!shown.contains("ey") && !shown.contains("the secret"), "{shown}");
    }
    assert_eq!(format!("{token:?}"), r#"Token { id: Some("token-1"), expires: UnixTime(1772366700), .. }"#);
}
