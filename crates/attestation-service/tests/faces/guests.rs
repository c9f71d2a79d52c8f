//! Guests at the door: a challenge of the service, a token for it, once.

use assay_access::Role;
use assay_types::{Tee, UnixTime};
use serde_json::{Value, json};

use crate::door::{Door, broker_request, rest_request};
use crate::support::NOW;

async fn challenge(door: &Door, tee: &str) -> (u16, String) {
    let body = json!({ "tee": tee, "tee_params": "" }).to_string();
    let (status, _, text) = door.rest(None, "POST", "/challenge", body).await;
    (status, text)
}

async fn attest(door: &Door, body: &Value) -> (u16, String) {
    let (status, _, text) = door.rest(None, "POST", "/attestation", body.to_string()).await;
    let code = match serde_json::from_str::<Value>(&text) {
        Ok(problem) => problem["code"].as_str().unwrap().to_owned(),
        Err(_) => text,
    };
    (status, code)
}

async fn passport(door: &Door, tee: Tee) -> Value {
    let (status, nonce) = challenge(door, tee.as_str()).await;
    assert_eq!(status, 200, "{nonce}");
    let mut body = rest_request(&broker_request(&door.world, tee, &nonce).0);
    let data = &mut body["verification_requests"][0]["runtime_data"]["structured"];
    assert_eq!(data["nonce"], nonce);
    body
}

#[tokio::test]
async fn nobody_is_let_in_unless_a_setting_says_so() {
    let door = Door::open(false).await;
    assert_eq!(challenge(&door, "snp").await.0, 401);
    let body = rest_request(&broker_request(&door.world, Tee::Snp, "n").0);
    assert_eq!(attest(&door, &body).await.0, 401);
}

#[tokio::test]
async fn a_challenge_gives_one_token_once() {
    let door = Door::open(true).await;
    for tee in [Tee::Snp, Tee::Tdx, Tee::Cca, Tee::Sample] {
        let body = passport(&door, tee).await;
        let (status, token) = attest(&door, &body).await;
        assert_eq!(status, 200, "{token}");
        door.verified(&token).await;
        assert_eq!(attest(&door, &body).await, (401, "AS-052".into()), "{tee}");
    }
}

#[tokio::test]
async fn racing_attempts_get_one_token() {
    let door = Door::open(true).await;
    let body = passport(&door, Tee::Snp).await;
    let attempts = futures_util::future::join_all((0..8).map(|_| attest(&door, &body))).await;
    assert_eq!(attempts.iter().filter(|(status, _)| *status == 200).count(), 1, "{attempts:?}");
    assert_eq!(attempts.iter().filter(|(_, code)| code == "AS-052").count(), 7, "{attempts:?}");
}

#[tokio::test]
async fn a_guest_has_less_freedom_than_a_key_broker() {
    let door = Door::open(true).await;
    let good = passport(&door, Tee::Snp).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        change(&mut body);
        body
    };
    let data = |body: &mut Value, name: &str, value: Value| {
        body["verification_requests"][0]["runtime_data"]["structured"][name] = value;
    };
    for (body, status, code) in [
        (with(&|body| data(body, "nonce", json!("own"))), 401, "AS-035"),
        (with(&|body| data(body, "nonce", json!(7))), 422, "AS-051"),
        (with(&|body| data(body, "tee-pubkey", json!("key"))), 422, "AS-051"),
        (with(&|body| data(body, "additional-evidence", json!("{}"))), 422, "AS-051"),
        (
            with(&|body| body["verification_requests"][0]["runtime_data"] = json!({ "raw": "AA" })),
            422,
            "AS-051",
        ),
        (with(&|body| body["verification_requests"][0]["tee"] = json!("sample")), 422, "AS-053"),
        (
            with(&|body| {
                let one = body["verification_requests"][0].clone();
                body["verification_requests"] = json!([one.clone(), one]);
            }),
            422,
            "AS-050",
        ),
    ] {
        assert_eq!(attest(&door, &body).await, (status, code.to_owned()));
    }
    assert_eq!(attest(&door, &good).await.0, 200, "the challenge is still good");
    assert_eq!(challenge(&door, "nvidia").await.0, 422);
}

#[tokio::test]
async fn a_guest_that_asks_too_often_waits() {
    use assay_attestation_service::{FaceSettings, Rate};
    let rate = Rate { per_minute: 1.try_into().unwrap(), burst: 2.try_into().unwrap() };
    let settings = FaceSettings { guest_rate: Some(rate), ..crate::door::settings(true) };
    let door = Door::with(crate::support::World::new().await, settings).await;
    for expected in [200, 200, 429] {
        assert_eq!(challenge(&door, "snp").await.0, expected);
    }
    let body = json!({ "tee": "snp" }).to_string();
    let (status, ..) = door.rest(Some(Role::Evaluator), "POST", "/challenge", body).await;
    assert_eq!(status, 200, "who is known is not counted");
}

#[tokio::test]
async fn challenges_end() {
    let door = Door::open(true).await;
    let body = passport(&door, Tee::Snp).await;
    door.world.clock.set(UnixTime(NOW.0 + 300));
    assert_eq!(attest(&door, &body).await, (401, "AS-036".into()));
}

#[tokio::test]
async fn guests_get_no_further_than_their_two_paths() {
    let door = Door::open(true).await;
    for (method, path) in [("POST", "/policy"), ("GET", "/policy"), ("GET", "/policy/default_cpu")] {
        assert_eq!(door.rest(None, method, path, "{}").await.0, 401, "{method} {path}");
    }
    let request = tonic::Request::new(broker_request(&door.world, Tee::Snp, "n").0);
    let status = door.client().attestation_evaluate(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated, "gRPC is for key brokers");
    assert_eq!(door.rest(Some(Role::Auditor), "POST", "/challenge", "{}").await.0, 403);
}
