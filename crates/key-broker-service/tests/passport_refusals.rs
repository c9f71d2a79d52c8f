//! The attestation service's own interface: what is refused, and that a challenge serves once.
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

use std::sync::Arc;

use assay_key_broker_service::{Rate, Settings};
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{Clock as _, Tee};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures_util::future::join_all;
use serde_json::{Value, json};
use world::passport::{attest, challenge, guest, one, open, request, structured, world};
use world::{Answer, Guest, World, base64url};

#[tokio::test]
async fn challenges_are_asked_for_a_tee_that_is_taken() {
    let world = world().await;
    let first = challenge(&world, "snp").await.ok();
    assert_eq!(first.header("content-type"), "text/plain; charset=utf-8");
    assert_ne!(first.text(), challenge(&world, "snp").await.ok().text());
    for (body, refusal) in [
        (json!({ "tee": "abacus", "tee_params": "" }).to_string(), (422, "KBS-003")),
        (json!({ "tee": "nvidia", "tee_params": "" }).to_string(), (422, "KBS-004")),
        (json!({ "tee_params": "" }).to_string(), (400, "KBS-001")),
        (json!({ "tee": 5 }).to_string(), (400, "KBS-001")),
        (json!({ "tee": "snp", "tee_params": 5 }).to_string(), (400, "KBS-001")),
        (String::new(), (400, "KBS-001")),
        ("x".repeat(70_000), (413, "KBS-021")),
    ] {
        let answer = world.call("POST", "/challenge", &[], body.clone()).await;
        assert_eq!(answer.refusal(), (refusal.0, refusal.1.to_owned()), "{body:.80}");
    }
    world.call("POST", "/challenge", &[], json!({ "tee": "snp" }).to_string()).await.ok();
}

/// Each changes one thing of a good request. None of them uses up the challenge.
#[tokio::test]
async fn each_refusal_alone() {
    type Change = fn(&mut Value);
    let changes: &[(Change, u16, &str, &str)] = &[
        (|all| all["verification_requests"] = json!([]), 422, "KBS-050", "0 verification_requests"),
        (
            |all| {
                let one = all["verification_requests"][0].clone();
                all["verification_requests"] = json!([one, one]);
            },
            422,
            "KBS-050",
            "exactly one is taken",
        ),
        (|all| drop(one(all).remove("runtime_data")), 422, "KBS-049", "there are none"),
        (|all| one(all)["runtime_data"] = json!(null), 422, "KBS-049", "there are none"),
        (|all| one(all)["runtime_data"] = json!({ "raw": "AAAA" }), 422, "KBS-049", "raw runtime data"),
        (|all| drop(structured(all).remove("nonce")), 422, "KBS-049", "no nonce"),
        (|all| structured(all)["nonce"] = json!(5), 422, "KBS-049", "no nonce"),
        (|all| drop(structured(all).remove("tee-pubkey")), 422, "KBS-049", "no tee-pubkey"),
        (|all| structured(all)["tee-pubkey"] = json!("key"), 422, "KBS-049", "no tee-pubkey"),
        (
            |all| drop(structured(all).insert("additional-evidence".into(), json!("{\"nvidia\":{}}"))),
            422,
            "KBS-049",
            "evidence of devices is not taken",
        ),
        (|all| one(all)["runtime_data"]["structured"] = json!([]), 422, "KBS-049", "no nonce"),
        (|all| structured(all)["nonce"] = json!("bm9uY2U="), 401, "KBS-046", "ask for one at /challenge"),
        (|all| structured(all)["nonce"] = json!(""), 401, "KBS-046", "too short"),
        (|all| structured(all)["nonce"] = json!("A".repeat(300)), 401, "KBS-046", "too long"),
        (|all| one(all)["tee"] = json!("snp"), 422, "KBS-051", "asked for sample"),
        (|all| one(all)["tee"] = json!("abacus"), 422, "KBS-003", "abacus"),
        (|all| one(all)["evidence"] = json!("a+b="), 400, "KBS-031", "evidence"),
        (|all| one(all)["evidence"] = json!(base64url("{}")), 400, "AS-001", ""),
        (|all| one(all)["runtime_data_hash_algorithm"] = json!("md5"), 400, "KBS-001", "md5"),
        (|all| one(all)["runtime_data_hash_algorithm"] = json!("sha512"), 401, "AS-003", ""),
        (
            |all| drop(structured(all).insert("more".into(), json!("member"))),
            401,
            "AS-003",
            "another nonce or key",
        ),
        (
            |all| drop(one(all).insert("init_data".into(), json!({ "init_data_toml": "no = toml = " }))),
            400,
            "AS-006",
            "",
        ),
        (
            |all| drop(one(all).insert("init_data".into(), json!({ "init_data_digest": "a+b=" }))),
            400,
            "KBS-031",
            "init_data_digest",
        ),
        (
            |all| drop(one(all).insert("init_data".into(), json!({ "init_data_digest": "AAAA" }))),
            422,
            "KBS-052",
            "3 bytes",
        ),
        (|all| one(all)["runtime_data"] = json!({ "structured": {}, "raw": "" }), 400, "KBS-001", ""),
        (|all| one(all)["runtime_data"] = json!({ "other": {} }), 400, "KBS-001", "other"),
        (|all| drop(all.as_object_mut().unwrap().remove("verification_requests")), 400, "KBS-001", ""),
        (|all| all["policy_ids"] = json!(["nobody-set-it"]), 422, "AS-008", "nobody-set-it"),
        (
            |all| all["policy_ids"] = (0..9).map(|n| json!(format!("p{n}"))).collect(),
            400,
            "AS-010",
            "9 policy ids",
        ),
    ];
    let world = world().await;
    let guest = guest(&world, Tee::Sample).await;
    let good = request(&world, &guest);
    for (index, (change, status, code, detail)) in changes.iter().enumerate() {
        let mut body = good.clone();
        change(&mut body);
        let answer = attest(&world, &body).await;
        assert_eq!(answer.refusal(), (*status, (*code).to_owned()), "{index}: {}", answer.text());
        let text = answer.text();
        let found = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(found.contains(detail) || text.contains(detail), "{index}: {text} / {detail}");
        assert!(answer.json()["type"].as_str().unwrap().contains("/kbs/errors/"), "Trustee's form");
    }
    attest(&world, &good).await.ok();
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let world = world().await;
    let answer = world.call("POST", "/attestation", &[], vec![b' '; (2 << 20) + 1]).await;
    assert_eq!(answer.refusal(), (413, "KBS-021".to_owned()));
}

#[tokio::test]
async fn a_challenge_gives_one_token_whatever_evidence_and_key_come_after() {
    let world = world().await;
    let mut guest = guest(&world, Tee::Sample).await;
    let body = request(&world, &guest);
    attest(&world, &body).await.ok();
    let used = (401, "KBS-048".to_owned());
    assert_eq!(attest(&world, &body).await.refusal(), used);
    guest.key = DecryptionKey::generate(KeyAlgorithm::EcdhP256).unwrap();
    let other = request(&world, &guest);
    assert_eq!(attest(&world, &other).await.refusal(), used);
    let replica = world.replica().await;
    assert_eq!(attest(&replica, &other).await.refusal(), used);
    let world = world.restarted().await;
    assert_eq!(attest(&world, &other).await.refusal(), used);
}

#[tokio::test]
async fn a_challenge_is_good_at_a_replica_and_after_a_restart() {
    let world = world().await;
    let (one, two) = (guest(&world, Tee::Sample).await, guest(&world, Tee::Sample).await);
    let replica = world.replica().await;
    attest(&replica, &request(&world, &one)).await.ok();
    drop(replica);
    let world = world.restarted().await;
    attest(&world, &request(&world, &two)).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_with_one_challenge_get_one_token() {
    let world = Arc::new(world().await);
    let replica = Arc::new(world.replica().await);
    let guest = guest(&world, Tee::Sample).await;
    let body = Arc::new(request(&world, &guest));
    let answers = join_all((0..20).map(|n| {
        let (world, body) = (Arc::clone(if n % 2 == 0 { &world } else { &replica }), Arc::clone(&body));
        tokio::spawn(async move { attest(&world, &body).await })
    }))
    .await;
    let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
    let given = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|a| a.status != 200 && a.refusal() == (401, "KBS-048".to_owned()));
    assert_eq!((given, refused.count()), (1, 19));
}

#[tokio::test]
async fn a_challenge_ends_with_its_time() {
    let world = world().await;
    let (one, two) = (guest(&world, Tee::Sample).await, guest(&world, Tee::Sample).await);
    world.clock.advance(299);
    attest(&world, &request(&world, &one)).await.ok();
    world.clock.advance(1);
    let late = attest(&world, &request(&world, &two)).await;
    assert_eq!(late.refusal(), (401, "KBS-047".to_owned()));
    assert!(late.text().contains(&world.clock.now().to_string()), "{}", late.text());
}

/// The challenge is public: it stands in the token. It must be no key to a session.
#[tokio::test]
async fn challenges_and_cookies_do_not_stand_for_each_other() {
    let world = World::with(open()).await;
    world.set_resource("a/b/c", b"x").await;
    let passport = guest(&world, Tee::Sample).await;
    attest(&world, &request(&world, &passport)).await.ok();
    let cookie = format!("kbs-session-id={}", passport.nonce);
    for path in ["/kbs/v0/resource/a/b/c", "/kbs/v0/verdict"] {
        let answer = world.call("GET", path, &[("cookie", &cookie)], "").await;
        assert_eq!(answer.refusal(), (401, "KBS-006".to_owned()), "{path}");
    }
    let rcar = world.guest(Tee::Sample).await;
    for nonce in [&rcar.cookie, &rcar.nonce] {
        let stolen = Guest { nonce: nonce.clone(), ..guest(&world, Tee::Sample).await };
        assert_eq!(attest(&world, &request(&world, &stolen)).await.refusal(), (401, "KBS-046".to_owned()));
    }
    let rcar = Guest { cookie: passport.nonce.clone(), ..rcar };
    assert_eq!(world.attest(&rcar, &[]).await.refusal(), (401, "KBS-006".to_owned()));
}

#[tokio::test]
async fn a_changed_challenge_is_none() {
    let world = world().await;
    let mut guest = guest(&world, Tee::Sample).await;
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&guest.nonce).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    guest.nonce = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    assert_eq!(attest(&world, &request(&world, &guest)).await.refusal(), (401, "KBS-046".to_owned()));
}

#[tokio::test]
async fn too_many_calls_from_one_address_are_refused() {
    let rate = Rate { per_minute: 1.try_into().unwrap(), burst: 3.try_into().unwrap() };
    let world = World::with(Settings { auth_rate: Some(rate), attest_rate: Some(rate), ..open() }).await;
    for path in ["/challenge", "/attestation"] {
        for _ in 0..3 {
            assert_eq!(world.call("POST", path, &[], "").await.status, 400);
        }
        let answer = world.call("POST", path, &[], "").await;
        assert_eq!(answer.refusal(), (429, "KBS-024".to_owned()), "{path}");
        assert!(!answer.header("retry-after").is_empty());
    }
    // The limit is the one of RCAR, not one beside it.
    assert_eq!(world.call("POST", "/kbs/v0/auth", &[], "").await.status, 429);
}
