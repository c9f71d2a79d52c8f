//! What the service records: who, what, on what grounds, with what result; and no secret.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod world;

use assay_access::Role;
use assay_audit::{Event, Filter, Kind, Outcome, export_store, find, verify_store};
use assay_types::{Tee, UnixTime};
use axum::body::Body;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::json;
use world::{ALLOW_ALL, DENY_ALL, World, base64url};

const SECRET: &[u8] = b"the-secret-that-nobody-may-read-in-a-log";

/// The records of that kind, the oldest first, after everything that waits was written.
async fn events(world: &World, kind: Kind) -> Vec<Event> {
    // Somebody who waits takes along what is gathered.
    world.audit.append(Event::new(Kind::Heads, Outcome::Ok)).await.unwrap();
    let filter = Filter { kind: Some(kind), ..Filter::default() };
    let mut records = find(&world.store, &filter, 1000).await.unwrap().records;
    records.reverse();
    records.into_iter().map(|record| record.event).collect()
}

async fn set_resource_policy(world: &World, text: &str) {
    let body = json!({"policy": base64url(text)}).to_string();
    world.administer(Role::PolicyWriter, "POST", "/kbs/v0/resource-policy", body).await.ok();
}

#[tokio::test]
async fn a_verdict_a_release_and_a_denial_are_recorded_with_their_grounds() {
    let world = World::new().await;
    world.register_good_guests().await;
    world.set_resource("a/b/c", SECRET).await;
    set_resource_policy(&world, ALLOW_ALL).await;
    let guest = world.attested(Tee::Snp, &[]).await;
    let answer = world.get(&guest, "/kbs/v0/resource/a/b/c").await;
    assert_eq!(guest.decrypt(&answer), SECRET);

    let verdict = events(&world, Kind::Verdict).await.pop().unwrap();
    assert_eq!((verdict.outcome, verdict.status.as_deref()), (Outcome::Ok, Some("affirming")));
    assert_eq!(verdict.evidence.len(), 1);
    assert_eq!(verdict.evidence[0].tee, Tee::Snp);
    assert_eq!(verdict.policies[0].id, "default_cpu");
    assert!(verdict.policies[0].digest.is_some());
    let values = verdict.values.unwrap();
    assert!(values.names.contains(&"snp_launch_measurement".to_owned()), "{values:?}");
    assert!(verdict.address.is_some() && verdict.request.is_some());
    let jti = verdict.token.unwrap();

    let release = events(&world, Kind::Release).await.pop().unwrap();
    assert_eq!(release.outcome, Outcome::Ok);
    assert_eq!(release.who.as_deref(), Some(format!("attestation {jti}").as_str()));
    assert_eq!(release.resource.as_deref(), Some("a/b/c"));
    assert_eq!((release.policies[0].id.as_str(), release.policies[0].version), ("resource-policy", 1));
    assert_eq!(release.request.as_deref(), Some(answer.header("x-request-id")));

    set_resource_policy(&world, DENY_ALL).await;
    assert_eq!(world.get(&guest, "/kbs/v0/resource/a/b/c").await.refusal().0, 403);
    let denial = events(&world, Kind::Denial).await.pop().unwrap();
    assert_eq!((denial.outcome, denial.code.as_deref()), (Outcome::Refused, Some("KBS-014")));
    assert_eq!((denial.policies[0].version, denial.resource.as_deref()), (2, Some("a/b/c")));

    set_resource_policy(&world, ALLOW_ALL).await;
    assert_eq!(world.get(&guest, "/kbs/v0/resource/a/b/missing").await.refusal().0, 404);
    let missing = events(&world, Kind::Release).await.pop().unwrap();
    assert_eq!((missing.outcome, missing.code.as_deref()), (Outcome::Refused, Some("KBS-018")));
    assert!(verify_store(&world.store, &[]).await.unwrap().is_sound());
}

#[tokio::test]
async fn refused_evidence_and_used_challenges_are_recorded() {
    let world = World::new().await;
    let guest = world.guest(Tee::Snp).await;
    let mut attestation = world.attestation(&guest, &[]);
    attestation["tee-evidence"]["primary_evidence"] = json!({"nonsense": true});
    let refusal = world.post_attest(&guest.cookie, attestation.to_string()).await.refusal();
    assert!(refusal.0 >= 400);
    let recorded = events(&world, Kind::Refusal).await.pop().unwrap();
    assert_eq!(recorded.code.unwrap(), refusal.1);
    assert_eq!((recorded.outcome, recorded.evidence[0].tee), (Outcome::Refused, Tee::Snp));

    world.attest(&guest, &[]).await.ok();
    assert_eq!(world.attest(&guest, &[]).await.refusal().1, "KBS-010");
    let recorded = events(&world, Kind::Refusal).await.pop().unwrap();
    assert_eq!(recorded.code.as_deref(), Some("KBS-010"));
}

#[tokio::test]
async fn each_admin_action_is_recorded_with_its_outcome() {
    let world = World::new().await;
    let policy =
        |text: &str| json!({"policy_id": "x_cpu", "policy": base64url(text), "type": "rego"}).to_string();
    let good = "package policy\nimport rego.v1\ntrust_claims := {\"executables\": 33}\n";
    let calls: [(&str, &str, Vec<u8>, u16); 9] = [
        ("POST", "/kbs/v0/resource/a/b/c", SECRET.to_vec(), 200),
        ("DELETE", "/kbs/v0/resource/a/b/c", vec![], 200),
        ("DELETE", "/kbs/v0/resource/a/b/c", vec![], 404),
        ("POST", "/kbs/v0/attestation-policy", policy(good).into_bytes(), 200),
        ("POST", "/kbs/v0/attestation-policy", policy("no rego").into_bytes(), 422),
        ("DELETE", "/kbs/v0/attestation-policy/x_cpu", vec![], 200),
        ("DELETE", "/kbs/v0/reference-value/none", vec![], 404),
        ("POST", "/kbs/v0/reference-value-expiry/none", vec![], 404),
        ("POST", "/kbs/v0/reference-value", b"{}".to_vec(), 400),
    ];
    for (method, path, body, status) in &calls {
        let answer = world.administer(Role::Admin, method, path, body.clone()).await;
        assert_eq!(answer.status.as_u16() / 100, status / 100, "{method} {path}: {}", answer.text());
    }
    world.register(json!({"v1": ["a"], "v2": ["b"]})).await;
    let events = events(&world, Kind::Admin).await;
    let found: Vec<(String, Outcome)> =
        events.iter().map(|event| (event.action.clone().unwrap(), event.outcome)).collect();
    let expected = [
        ("resource stored", Outcome::Ok),
        ("resource deleted", Outcome::Ok),
        ("resource deleted", Outcome::Refused),
        ("attestation policy set", Outcome::Ok),
        ("attestation policy set", Outcome::Refused),
        ("policy deleted", Outcome::Ok),
        ("reference value deleted", Outcome::Refused),
        ("reference value ended", Outcome::Refused),
        ("reference values registered", Outcome::Refused),
        ("reference values registered", Outcome::Ok),
    ]
    .map(|(action, outcome)| (action.to_owned(), outcome));
    assert_eq!(found, expected);
    assert!(events.iter().all(|event| event.who.as_ref().is_some_and(|who| who.starts_with("token "))));
    assert_eq!(events[9].values.as_ref().unwrap().names, ["v1", "v2"]);
    assert_eq!(events[3].policies[0].version, 1);
}

#[tokio::test]
async fn whoever_may_not_administer_is_recorded_and_nothing_is_done() {
    let world = World::new().await;
    let path = "/kbs/v0/resource/a/b/c";
    assert_eq!(world.call("POST", path, &[], SECRET.to_vec()).await.status, 401);
    assert_eq!(world.administer(Role::Auditor, "POST", path, SECRET.to_vec()).await.status, 403);
    let recorded = events(&world, Kind::Access).await;
    assert_eq!(recorded.len(), 2);
    assert!(recorded.iter().all(|event| event.outcome == Outcome::Refused && event.code.is_some()));
    assert!(recorded.iter().all(|event| event.target.as_deref().is_some_and(|what| what.contains("POST"))));
}

#[tokio::test]
async fn without_the_log_nothing_is_verified_released_or_administered() {
    let world = World::new().await;
    world.set_resource("a/b/c", SECRET).await;
    set_resource_policy(&world, ALLOW_ALL).await;
    let guest = world.attested(Tee::Snp, &[]).await;
    let late = world.guest(Tee::Snp).await;
    world.audit.close().await.unwrap();

    let unavailable = (503, "AUD-004".to_owned());
    assert_eq!(world.attest(&late, &[]).await.refusal(), unavailable);
    assert_eq!(world.get(&guest, "/kbs/v0/resource/a/b/c").await.refusal(), unavailable);
    assert_eq!(
        world.administer(Role::Admin, "POST", "/kbs/v0/resource/a/b/d", SECRET.to_vec()).await.refusal(),
        unavailable
    );
    let readiness = world.call("GET", "/readyz", &[], Body::empty()).await;
    assert!(String::from_utf8_lossy(&readiness.body).contains("AUD-004"));
    assert_eq!(readiness.refusal(), (503, "KBS-036".to_owned()));
    // Nothing of it took place.
    assert_eq!(world.get(&late, "/kbs/v0/verdict").await.refusal().1, "KBS-012");
    let listed = world.administer(Role::Auditor, "GET", "/kbs/v0/resources", Body::empty()).await.ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_auditor_reads_the_log_and_its_heads_and_others_do_not() {
    let world = World::new().await;
    world.set_resource("a/b/c", SECRET).await;
    for role in [Role::ResourceWriter, Role::PolicyWriter, Role::ReferenceValueWriter] {
        for path in ["/kbs/v0/audit", "/kbs/v0/audit/heads"] {
            assert_eq!(world.administer(role, "GET", path, Body::empty()).await.status, 403, "{role} {path}");
        }
    }
    let path = "/kbs/v0/audit?kind=admin&resource=a/b&limit=5";
    let found = world.administer(Role::Auditor, "GET", path, Body::empty()).await.ok().json();
    assert_eq!(found["records"].as_array().unwrap().len(), 1);
    assert_eq!(found["records"][0]["event"]["action"], "resource stored");
    assert_eq!(found["unreadable"], 0);
    let wrong = world.administer(Role::Auditor, "GET", "/kbs/v0/audit?limit=0", Body::empty()).await;
    assert_eq!(wrong.refusal(), (400, "KBS-034".to_owned()));
    let heads =
        world.administer(Role::Auditor, "GET", "/kbs/v0/audit/heads", Body::empty()).await.ok().text();
    assert!(heads.lines().any(|line| line.starts_with("{\"head\":")), "{heads}");
}

/// The secret goes through everything there is; its bytes, their usual encodings, the tokens and the
/// evidence are in no record.
#[tokio::test]
async fn no_secret_no_token_and_no_evidence_is_in_the_log() {
    let world = World::new().await;
    world.register_good_guests().await;
    world.set_resource("a/b/c", SECRET).await;
    set_resource_policy(&world, ALLOW_ALL).await;
    let guest = world.guest(Tee::Snp).await;
    let attestation = world.attestation(&guest, &[]);
    let token = world.post_attest(&guest.cookie, attestation.to_string()).await.token();
    let cookie_answer = world.get(&guest, "/kbs/v0/resource/a/b/c").await;
    let token_answer = world.get_with_token(&token, "/kbs/v0/resource/a/b/c").await;
    assert_eq!(guest.decrypt(&cookie_answer), SECRET);
    assert_eq!(guest.decrypt(&token_answer), SECRET);
    let admin_token = world.admin_token(Role::Auditor);
    let bearer = format!("Bearer {admin_token}");
    world.call("POST", "/kbs/v0/resource/a/b/c", &[("authorization", &bearer)], SECRET.to_vec()).await;
    let secret = std::str::from_utf8(SECRET).unwrap();
    world
        .call(
            "POST",
            "/kbs/v0/resource/a/b/c",
            &[("authorization", &format!("Bearer {secret}"))],
            SECRET.to_vec(),
        )
        .await;
    world.audit.append(Event::new(Kind::Heads, Outcome::Ok)).await.unwrap();

    let mut export = Vec::new();
    export_store(&world.store, &mut export, UnixTime(0), true).await.unwrap();
    let log = String::from_utf8(export).unwrap();
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let evidence = attestation["tee-evidence"]["primary_evidence"].to_string();
    let needles = [
        secret.to_owned(),
        SECRET.iter().map(|byte| format!("{byte:02x}")).collect(),
        BASE64_STANDARD.encode(SECRET)[..40].to_owned(),
        BASE64_URL_SAFE_NO_PAD.encode(SECRET)[..40].to_owned(),
        signature(&token),
        signature(&admin_token),
        guest.cookie.clone(),
        guest.nonce.clone(),
        evidence[evidence.len() / 2..evidence.len() / 2 + 40].to_owned(),
    ];
    for needle in needles {
        assert!(!log.contains(&needle), "{needle}");
    }
    assert!(log.contains("a/b/c"));
}
