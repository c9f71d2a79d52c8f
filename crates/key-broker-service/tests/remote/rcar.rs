//! RCAR with a real attestation service behind the key broker.

use assay_access::Role;
use assay_token::decode_unverified;
use assay_types::Tee;
use http::StatusCode;
use serde_json::json;

use crate::service::{Service, asking, remote};
use crate::world::{ALLOW_ALL, World, base64url};

#[tokio::test]
async fn a_wanted_guest_gets_its_secret_by_cookie_and_by_token() {
    let service = Service::open().await;
    service.world.register_good_guests().await;
    let broker = service.key_broker().await;
    broker.set_resource("default/key/1", b"the secret").await;
    for tee in [Tee::Snp, Tee::Sample] {
        let guest = broker.guest(tee).await;
        let token = broker.attest(&guest, &[]).await.token();
        let (_, claims) = decode_unverified(&token).unwrap();
        assert_eq!(claims["iss"], "CoCo-Attestation-Service");
        for _ in 0..2 {
            let answer = broker.get(&guest, "/kbs/v0/resource/default/key/1").await;
            assert_eq!(guest.decrypt(&answer), b"the secret");
        }
        let answer = broker.get_with_token(&token, "/kbs/v0/resource/default/key/1").await;
        assert_eq!(guest.decrypt(&answer), b"the secret");
        let verdict = broker.get(&guest, "/kbs/v0/verdict").await.ok().json();
        assert_eq!(verdict["jti"], claims["jti"]);
        assert_eq!(verdict["status"], "affirming");
        assert_eq!(verdict["emulated"], true);
        assert_eq!(verdict["attesters"]["cpu0"]["tee"], tee.as_str());
        let path = format!("/kbs/v0/verdict/{}", claims["jti"].as_str().unwrap());
        assert_eq!(broker.administer(Role::Auditor, "GET", &path, "").await.ok().json(), verdict);
    }
}

#[tokio::test]
async fn an_unwanted_guest_is_denied_with_its_status() {
    let service = Service::open().await;
    let broker = service.key_broker().await;
    broker.set_resource("default/key/1", b"the secret").await;
    let guest = broker.attested(Tee::Snp, &[]).await;
    let answer = broker.get(&guest, "/kbs/v0/resource/default/key/1").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.json()["detail"].as_str().unwrap().contains("cpu0 is contraindicated"));
}

#[tokio::test]
async fn bad_evidence_is_the_guests_fault_and_said_with_the_services_code() {
    let service = Service::open().await;
    let broker = service.key_broker().await;
    let guest = broker.guest(Tee::Snp).await;
    let other = broker.guest(Tee::Snp).await;
    let mut body = broker.attestation(&guest, &[]);
    body["tee-evidence"] = broker.attestation(&other, &[])["tee-evidence"].clone();
    let answer = broker.post_attest(&guest.cookie, body.to_string()).await;
    assert_eq!(answer.refusal(), (401, "RPC-004".into()), "{}", answer.text());
    assert!(answer.json()["detail"].as_str().unwrap().contains("AS-003"), "{}", answer.text());
    broker.attest(&guest, &[]).await.ok();
    body["tee-evidence"]["primary_evidence"] = json!({ "nonsense": 1 });
    let guest = broker.guest(Tee::Snp).await;
    body["runtime-data"]["nonce"] = json!(guest.nonce);
    let answer = broker.post_attest(&guest.cookie, body.to_string()).await;
    assert_eq!(answer.refusal(), (400, "RPC-004".into()), "{}", answer.text());
}

#[tokio::test]
async fn the_challenge_counts_once_and_the_nonce_must_be_its_own() {
    let service = Service::open().await;
    let broker = service.key_broker().await;
    let guest = broker.attested(Tee::Snp, &[]).await;
    assert_eq!(broker.attest(&guest, &[]).await.refusal(), (401, "KBS-010".into()));
    let guest = broker.guest(Tee::Snp).await;
    let mut body = broker.attestation(&guest, &[]);
    body["runtime-data"]["nonce"] = json!("other");
    assert_eq!(broker.post_attest(&guest.cookie, body.to_string()).await.refusal(), (401, "KBS-009".into()));
    assert_eq!(broker.auth("nvidia").await.refusal(), (422, "KBS-004".into()));
}

#[tokio::test]
async fn the_key_brokers_own_credentials_are_the_operators_affair() {
    let service = Service::open().await;
    for settings in [service.settings(Role::Auditor), remote(service.address)] {
        let broker = asking(settings, service.trusted()).await;
        let guest = broker.guest(Tee::Snp).await;
        let answer = broker.attest(&guest, &[]).await;
        assert_eq!(answer.refusal(), (503, "RPC-003".into()), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_token_that_was_renewed_is_in_force_with_the_next_call() {
    let service = Service::open().await;
    let broker = asking(service.settings(Role::Auditor), service.trusted()).await;
    // Files are read again once a second at most.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    service.give_token(Role::Evaluator);
    let guest = broker.guest(Tee::Snp).await;
    broker.attest(&guest, &[]).await.ok();
}

#[tokio::test]
async fn other_forms_of_the_result_are_not_made_of_a_foreign_token() {
    let service = Service::open().await;
    let broker = service.key_broker().await;
    let guest = broker.guest(Tee::Snp).await;
    let body = broker.attestation(&guest, &[]).to_string();
    let cookie = format!("kbs-session-id={}", guest.cookie);
    let headers = [("cookie", cookie.as_str()), ("accept", "application/eat+cwt")];
    let answer = broker.call("POST", "/kbs/v0/attest", &headers, body).await;
    assert_eq!(answer.refusal(), (406, "KBS-038".into()), "{}", answer.text());
    broker.attest(&guest, &[]).await.ok();
}

#[tokio::test]
async fn it_outlives_a_restart_of_the_service_on_the_same_port() {
    let service = Service::open().await;
    let broker = service.key_broker().await;
    let guest = broker.attested(Tee::Snp, &[]).await;
    let address = service.address;
    service.stop().await;
    let other = broker.guest(Tee::Snp).await;
    let refused = broker.attest(&other, &[]).await.refusal();
    assert_eq!(refused.0, 503, "{refused:?}");
    // Another service, with other keys, at the same place: also those are learned.
    let service = Service::of(World::new().await, address).await;
    let token = service.give_token(Role::Evaluator);
    let broker_of_new = asking(
        assay_remote::RemoteSettings { token_file: Some(token), ..remote(address) },
        service.trusted(),
    )
    .await;
    let other = broker_of_new.guest(Tee::Snp).await;
    broker_of_new.attest(&other, &[]).await.ok();
    // What the old one attested is still in its session.
    assert_eq!(broker.get(&guest, "/kbs/v0/verdict").await.status, StatusCode::OK);
}

/// The answer of `/readyz` is repeated for a second.
async fn readyz(broker: &World) -> crate::world::Answer {
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    broker.call("GET", "/readyz", &[], "").await
}

#[tokio::test]
async fn readiness_follows_the_service() {
    let service = Service::open().await;
    let broker = service.key_broker().await;
    assert_eq!(readyz(&broker).await.status, StatusCode::OK);
    service.world.store.close().await;
    let answer = readyz(&broker).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.text().contains("attestation-service") && answer.text().contains("RPC-005"),
        "{}",
        answer.text()
    );
    service.stop().await;
    let answer = readyz(&broker).await;
    assert!(answer.text().contains("RPC-001"), "{}", answer.text());
    assert_eq!(broker.call("GET", "/healthz", &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn resource_policies_stay_at_the_key_broker() {
    let service = Service::open().await;
    let broker = service.key_broker().await;
    broker.set_resource("a/b/c", b"x").await;
    let body = json!({ "policy": base64url(ALLOW_ALL) }).to_string();
    broker.administer(Role::PolicyWriter, "POST", "/kbs/v0/resource-policy", body).await.ok();
    let guest = broker.attested(Tee::Sample, &[]).await;
    assert_eq!(guest.decrypt(&broker.get(&guest, "/kbs/v0/resource/a/b/c").await), b"x");
}
