//! The protocol: request, challenge, attestation, resource.
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

use assay_access::Role;
use assay_token::decode_unverified;
use assay_token::jwe::KeyAlgorithm;
use assay_types::{Clock as _, Tee};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use world::{ALLOW_ALL, World};

#[tokio::test]
async fn a_wanted_guest_gets_its_secret_by_cookie_and_by_token() {
    let world = World::new().await;
    world.register_good_guests().await;
    world.set_resource("default/key/1", b"the secret").await;
    for tee in [Tee::Sample, Tee::Snp] {
        let guest = world.guest(tee).await;
        let token = world.attest(&guest, &[]).await.token();
        for _ in 0..2 {
            let answer = world.get(&guest, "/kbs/v0/resource/default/key/1").await;
            assert_eq!(guest.decrypt(&answer), b"the secret");
        }
        let answer = world.get_with_token(&token, "/kbs/v0/resource//default/key/1").await;
        assert_eq!(guest.decrypt(&answer), b"the secret");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn every_kind_of_guest_key_gets_its_secret() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("a/b/c", b"x").await;
    for algorithm in KeyAlgorithm::ALL {
        let guest = world.guest_with_key(Tee::Sample, algorithm).await;
        world.attest(&guest, &[]).await.ok();
        assert_eq!(guest.decrypt(&world.get(&guest, "/kbs/v0/resource/a/b/c").await), b"x", "{algorithm}");
    }
}

#[tokio::test]
async fn keys_that_nothing_may_be_encrypted_to_are_refused() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("a/b/c", b"x").await;
    let rsa = world.guest_with_key(Tee::Sample, KeyAlgorithm::RsaOaep256).await;
    let mut rsa1_5 = serde_json::to_value(rsa.key.public_jwk()).unwrap();
    rsa1_5["alg"] = json!("RSA1_5");
    for (key, code) in [
        (rsa1_5, "JWE-003"),
        (json!({"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": "AA", "y": "AA"}), "JWE-004"),
        (json!({"kty": "EC", "crv": "secp256k1", "alg": "ECDH-ES+A256KW", "x": "AA", "y": "AA"}), "JWE-001"),
        (json!({"kty": "oct", "k": "AAAA"}), "KBS-013"),
        (json!({}), "KBS-013"),
        (Value::Null, "KBS-013"),
    ] {
        let guest = world.guest(Tee::Sample).await;
        let body = world.attestation_of_key(&guest, &key, &[]);
        world.post_attest(&guest.cookie, body.to_string()).await.ok();
        let answer = world.get(&guest, "/kbs/v0/resource/a/b/c").await;
        assert_eq!(answer.refusal(), (422, code.to_owned()), "{key}");
    }
}

/// The bodies are those that real guest components sent, byte for byte, but for the nonce and the
/// evidence that is bound to it. The runtime-data digest is the captured one where the nonce is.
#[tokio::test]
async fn the_recorded_exchange_is_replayed() {
    const KEY: &str = r#"{"kty":"EC","crv":"P-256","alg":"ECDH-ES+A256KW","x":"NE5dTdUfbOx2cDJyv8vo8hW74KaZi8gyITorYRxFdxs","y":"3LxM7pZMGfETTsGcyOyUTCQUuXr4eKiut6wEQJ-EhnY"}"#;
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("default/key/1", b"the secret").await;

    let request = r#"{"version":"0.4.0","tee":"sample","extra-params":{"supported-hash-algorithms":["sha256","sha384","sha512","sm3"]}}"#;
    let content =
        [("content-type", "application/json"), ("user-agent", "attestation-agent-kbs-client/0.1.0")];
    let challenge = world.call("POST", "/kbs/v0/auth", &content, request).await.ok();
    let nonce = challenge.json()["nonce"].as_str().unwrap().to_owned();
    assert_eq!(challenge.text(), format!(r#"{{"nonce":"{nonce}","extra-params":""}}"#));
    assert_eq!((nonce.len(), BASE64_STANDARD.decode(&nonce).unwrap().len()), (44, 32));

    let digest = |nonce: &str| {
        let canonical = format!(
            r#"{{"additional-evidence":"","nonce":"{nonce}","tee-pubkey":{{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"NE5dTdUfbOx2cDJyv8vo8hW74KaZi8gyITorYRxFdxs","y":"3LxM7pZMGfETTsGcyOyUTCQUuXr4eKiut6wEQJ-EhnY"}}}}"#
        );
        BASE64_STANDARD.encode(assay_types::Digest::sha384(canonical.as_bytes()).as_bytes())
    };
    assert_eq!(digest("bm9uY2U="), "NDWFKQW5HUrCrruMgFxUNWrpNRFvP37nh7MkeI1ViI+TGXzV5/bMVERtUW6Cql1f");

    let evidence = format!(r#"{{"svn":"1","report_data":"{}"}}"#, digest(&nonce));
    let attestation = format!(
        r#"{{"init-data":null,"runtime-data":{{"nonce":"{nonce}","tee-pubkey":{KEY}}},"tee-evidence":{{"primary_evidence":{evidence},"additional_evidence":""}}}}"#
    );
    let cookie = format!("kbs-session-id={}", challenge.cookie());
    let headers = [content[0], content[1], ("cookie", cookie.as_str())];
    let answer = world.call("POST", "/kbs/v0/attest", &headers, attestation).await.ok();
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(answer.text(), format!(r#"{{"token":"{token}"}}"#));
    assert_eq!(answer.cookie(), challenge.cookie(), "the cookie stays the same");
    let (header, claims) = decode_unverified(&token).unwrap();
    assert_eq!(header["jwk"]["alg"], "ES256");
    assert!(BASE64_STANDARD.decode(header["jwk"]["x5c"][0].as_str().unwrap()).is_ok());
    let annotated = &claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"];
    assert_eq!(annotated["runtime_data_claims"]["tee-pubkey"], serde_json::from_str::<Value>(KEY).unwrap());

    let answer = world.call("GET", "/kbs/v0/resource/default/key/1", &headers[1..], "").await.ok();
    let jwe = answer.json();
    let member = |name: &str| jwe[name].as_str().unwrap().to_owned();
    let protected = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(member("protected")).unwrap()).unwrap();
    let epk: Value = serde_json::from_str::<Value>(&protected).unwrap()["epk"].clone();
    assert_eq!(
        protected,
        format!(
            r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{{"crv":"P-256","kty":"EC","x":{},"y":{}}}}}"#,
            epk["x"], epk["y"]
        )
    );
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"protected":"{}","encrypted_key":"{}","iv":"{}","ciphertext":"{}","tag":"{}"}}"#,
            member("protected"),
            member("encrypted_key"),
            member("iv"),
            member("ciphertext"),
            member("tag")
        )
    );
}

#[tokio::test]
async fn the_cookie_is_for_this_service_only_and_secure_over_tls() {
    let world = World::new().await;
    let answer = world.auth("sample").await.ok();
    let line = answer.header("set-cookie").to_owned();
    assert_eq!(
        line,
        format!("kbs-session-id={}; Path=/kbs/v0; Max-Age=300; HttpOnly; SameSite=Strict", answer.cookie())
    );
    assert!(answer.cookie().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    let mut request = http::Request::post("/kbs/v0/auth")
        .body(axum::body::Body::from(r#"{"version":"0.4.0","tee":"snp","extra-params":""}"#))
        .unwrap();
    let peer = "192.0.2.1:1".parse().unwrap();
    request.extensions_mut().insert(assay_listener::Connection::new(peer, true));
    assert!(world.send(request).await.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn other_versions_are_refused_naming_both() {
    let world = World::new().await;
    for version in ["0.1.0", "0.2.0", "0.3.0", "0.4.1", "0.5.0", "1.0.0", "", "0.4", "=0.4.0", " 0.4.0"] {
        let body = json!({"version": version, "tee": "snp", "extra-params": ""}).to_string();
        let answer = world.call("POST", "/kbs/v0/auth", &[], body).await;
        assert_eq!(answer.refusal(), (400, "KBS-002".to_owned()));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!("{version:?}")) && detail.contains("0.4.0"), "{detail}");
    }
}

#[tokio::test]
async fn a_tee_that_cannot_be_verified_is_refused_at_once() {
    let world = World::new().await;
    assert_eq!(world.auth("hygondcu").await.refusal(), (422, "KBS-004".to_owned()));
    assert_eq!(world.auth("abacus").await.refusal(), (422, "KBS-003".to_owned()));
    let detail = world.auth("hygondcu").await.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("hygondcu") && detail.contains("snp"), "{detail}");
}

#[tokio::test]
async fn one_challenge_gives_one_token_also_at_the_same_moment() {
    let world = Arc::new(World::new().await);
    let guest = world.guest(Tee::Snp).await;
    let body = world.attestation(&guest, &[]).to_string();
    let barrier = Arc::new(tokio::sync::Barrier::new(16));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (world, body, cookie) = (Arc::clone(&world), body.clone(), guest.cookie.clone());
        let barrier = Arc::clone(&barrier);
        tasks.spawn(async move {
            barrier.wait().await;
            world.post_attest(&cookie, body).await.refusal()
        });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().filter(|(status, _)| *status == 200).count(), 1);
    assert_eq!(results.iter().filter(|r| **r == (401, "KBS-010".to_owned())).count(), 15, "{results:?}");
}

#[tokio::test]
async fn a_used_challenge_is_refused_before_and_after_its_session_was_used() {
    let world = World::new().await;
    let guest = world.attested(Tee::Sample, &[]).await;
    for _ in 0..2 {
        let answer = world.attest(&guest, &[]).await;
        assert_eq!(answer.refusal(), (401, "KBS-010".to_owned()));
        assert_eq!(answer.json()["detail"], "challenge already used: call auth again");
        world.get(&guest, "/kbs/v0/verdict").await.ok();
    }
}

#[tokio::test]
async fn a_failed_attestation_does_not_use_up_the_challenge() {
    let world = World::new().await;
    let guest = world.guest(Tee::Snp).await;
    let answer = world.attest(&guest, &[("report_data", &"00".repeat(64))]).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    let findings = answer.json()["findings"].as_array().unwrap().clone();
    assert_eq!(findings[0]["outcome"], "failed");
    assert!(!findings[0]["remedy"].as_str().unwrap().is_empty());
    assert!(findings.iter().any(|finding| finding["outcome"] == "passed"));
    world.attest(&guest, &[]).await.ok();
}

#[tokio::test]
async fn a_session_ends_with_its_cookie_and_its_token() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("a/b/c", b"x").await;
    let guest = world.guest(Tee::Sample).await;
    world.clock.advance(100);
    let answer = world.attest(&guest, &[]).await;
    assert!(answer.header("set-cookie").contains("Max-Age=200;"));
    let token = answer.token();
    world.get(&guest, "/kbs/v0/resource/a/b/c").await.ok();
    world.clock.advance(200);
    assert_eq!(world.get(&guest, "/kbs/v0/resource/a/b/c").await.refusal(), (401, "KBS-008".to_owned()));
    world.get_with_token(&token, "/kbs/v0/resource/a/b/c").await.ok();
    world.clock.advance(100);
    let ended = world.get_with_token(&token, "/kbs/v0/resource/a/b/c").await;
    assert_eq!(ended.refusal(), (401, "TOK-017".to_owned()));
}

#[tokio::test]
async fn a_stale_cookie_does_not_stand_in_the_way_of_a_token() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("a/b/c", b"x").await;
    let guest = world.guest(Tee::Sample).await;
    let token = world.attest(&guest, &[]).await.token();
    let other = world.guest(Tee::Sample).await;
    let cookie = format!("kbs-session-id={}", other.cookie);
    let headers = [("cookie", cookie.as_str()), ("authorization", &format!("Bearer {token}"))];
    let answer = world.call("GET", "/kbs/v0/resource/a/b/c", &headers, "").await;
    assert_eq!(guest.decrypt(&answer), b"x");
}

#[tokio::test]
async fn challenges_and_sessions_outlive_a_restart() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("a/b/c", b"x").await;
    let attested = world.attested(Tee::Snp, &[]).await;
    let challenged = world.guest(Tee::Snp).await;
    let world = world.restarted().await;
    assert_eq!(attested.decrypt(&world.get(&attested, "/kbs/v0/resource/a/b/c").await), b"x");
    world.attest(&challenged, &[]).await.ok();
    assert_eq!(world.attest(&attested, &[]).await.refusal(), (401, "KBS-010".to_owned()));
}

#[tokio::test]
async fn replicas_share_challenges_sessions_and_keys() {
    let one = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    let two = one.replica().await;
    one.set_resource("a/b/c", b"x").await;
    // One of them makes new keys; the other one learns of them when it meets them.
    one.clock.advance(90 * 86_400);
    one.broker.keep_house().await;
    let guest = one.guest(Tee::Sample).await;
    let token = two.attest(&guest, &[]).await.token();
    assert_eq!(guest.decrypt(&one.get(&guest, "/kbs/v0/resource/a/b/c").await), b"x");
    assert_eq!(guest.decrypt(&two.get(&guest, "/kbs/v0/resource/a/b/c").await), b"x");
    one.clock.advance(1);
    assert_eq!(guest.decrypt(&one.get_with_token(&token, "/kbs/v0/resource/a/b/c").await), b"x");
    let guest = one.guest(Tee::Sample).await;
    let token = one.attest(&guest, &[]).await.token();
    one.clock.advance(1);
    assert_eq!(guest.decrypt(&two.get_with_token(&token, "/kbs/v0/resource/a/b/c").await), b"x");
}

#[tokio::test]
async fn tokens_outlive_the_rotation_of_their_key() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("a/b/c", b"x").await;
    let guest = world.guest(Tee::Sample).await;
    let token = world.attest(&guest, &[]).await.token();
    world.attestation.keys().rotate().await.unwrap();
    assert_eq!(guest.decrypt(&world.get_with_token(&token, "/kbs/v0/resource/a/b/c").await), b"x");
    let keys = world.call("GET", "/.well-known/jwks.json", &[], "").await.ok().json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    let after = world.attested(Tee::Sample, &[]).await;
    assert_eq!(after.decrypt(&world.get(&after, "/kbs/v0/resource/a/b/c").await), b"x");
}

#[tokio::test]
async fn auth_stores_nothing_and_ended_sessions_are_swept() {
    let world = World::new().await;
    for _ in 0..500 {
        world.auth("snp").await.ok();
    }
    world.clock.advance(100_000);
    assert_eq!(world.store.sweep(world.clock.now()).await.unwrap(), 0, "auth left something behind");
    let guest = world.guest(Tee::Sample).await;
    let token = world.attest(&guest, &[]).await.token();
    let (_, claims) = decode_unverified(&token).unwrap();
    let jti = claims["jti"].as_str().unwrap();
    world.broker.keep_house().await;
    assert!(world.store.verdict(jti).await.unwrap().is_some());
    // Kept while the challenge could be shown again, and the verdict a while longer.
    world.clock.advance(600);
    world.broker.keep_house().await;
    assert!(world.store.verdict(jti).await.unwrap().is_some());
    world.clock.advance(1);
    world.broker.keep_house().await;
    assert!(world.store.verdict(jti).await.unwrap().is_none());
}

#[tokio::test]
async fn a_verdict_explains_itself_to_its_guest_and_to_administrators() {
    let world = World::new().await;
    let guest = world.guest(Tee::Snp).await;
    let token = world.attest(&guest, &[]).await.token();
    let own = world.get(&guest, "/kbs/v0/verdict").await.ok().json();
    assert_eq!(own, world.get_with_token(&token, "/kbs/v0/verdict").await.ok().json());
    let path = format!("/kbs/v0/verdict/{}", own["jti"].as_str().unwrap());
    assert_eq!(own, world.administer(Role::Auditor, "GET", &path, "").await.ok().json());
    assert_eq!(own["status"], "contraindicated");
    let missing = world.administer(Role::Admin, "GET", "/kbs/v0/verdict/none", "").await;
    assert_eq!(missing.refusal(), (404, "KBS-018".to_owned()));
    assert_eq!(world.call("GET", "/kbs/v0/verdict", &[], "").await.refusal(), (401, "KBS-011".to_owned()));
}

#[tokio::test]
async fn init_data_travel_to_the_claims() {
    let world = World::new().await;
    let guest = world.guest(Tee::Sample).await;
    let mut body = world.attestation(&guest, &[]);
    let toml = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"aa.toml\" = \"a = 1\"\n";
    body["init-data"] = json!({"format": "json", "body": toml});
    let refused = world.post_attest(&guest.cookie, body.to_string()).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    body["init-data"]["format"] = json!("toml");
    body["init-data"]["body"] = json!("not = [toml");
    assert_eq!(world.post_attest(&guest.cookie, body.to_string()).await.status, 400);
}
