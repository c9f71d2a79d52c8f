//! What the key broker makes of each answer of an attestation service.

use std::sync::Arc;
use std::time::Duration;

use assay_attestation_service::proto;
use assay_remote::RemoteSettings;
use assay_types::Tee;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonic::Status;

use crate::double::{Double, Signer, claims, runtime_data};
use crate::service::{asking, remote};
use crate::world::World;

/// A key broker of the double, by the signer's keys.
async fn broker(double: &Double, signer: &Signer) -> World {
    asking(remote(double.address), signer.by_keys()).await
}

async fn refusal(broker: &World) -> (u16, String) {
    let guest = broker.guest(Tee::Snp).await;
    let answer = broker.attest(&guest, &[]).await;
    let (status, code) = answer.refusal();
    // Whatever went wrong: the guest may try again.
    assert_eq!(broker.attest(&guest, &[]).await.refusal().0, status);
    (status, code)
}

/// The double signs what `change` makes of good claims.
async fn with_claims(change: impl Fn(&mut Value) + Send + Sync + 'static) -> (Double, Arc<Signer>) {
    let signer = Arc::new(Signer::new());
    let signing = Arc::clone(&signer);
    let double = Double::that(move |request| {
        let mut claims = claims(&request);
        change(&mut claims);
        std::future::ready(Ok(signing.sign(&claims)))
    })
    .await;
    (double, signer)
}

/// What is changed, in words, and how.
type Change = (&'static str, fn(&mut Value));

#[tokio::test]
async fn a_token_in_trustees_form_is_taken_and_named_by_its_hash() {
    let (double, signer) = with_claims(|_| ()).await;
    let broker = broker(&double, &signer).await;
    broker.set_resource("a/b/c", b"x").await;
    let guest = broker.guest(Tee::Snp).await;
    let token = broker.attest(&guest, &[]).await.token();
    assert_eq!(guest.decrypt(&broker.get(&guest, "/kbs/v0/resource/a/b/c").await), b"x");
    assert_eq!(guest.decrypt(&broker.get_with_token(&token, "/kbs/v0/resource/a/b/c").await), b"x");
    let verdict = broker.get(&guest, "/kbs/v0/verdict").await.ok().json();
    assert_eq!(verdict["jti"].as_str().unwrap().len(), 32);
    assert_eq!(verdict["attesters"]["cpu0"]["status"], "affirming");
    assert_eq!(verdict["emulated"], false);
}

#[tokio::test]
async fn what_trustees_key_broker_sends_is_sent() {
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let double = Double::that(move |request: proto::AttestationRequest| {
        sender.send(request).unwrap();
        std::future::ready(Err(Status::aborted("seen")))
    })
    .await;
    let broker = broker(&double, &Signer::new()).await;
    let guest = broker.guest(Tee::Sample).await;
    let mut body = broker.attestation(&guest, &[]);
    body["tee-evidence"]["additional_evidence"] = json!(r#"{"sampledevice":{"a":1}}"#);
    broker.post_attest(&guest.cookie, body.to_string()).await;
    let request = received.recv().await.unwrap();
    assert_eq!(request.policy_ids, ["default"]);
    let key = serde_json::to_value(guest.key.public_jwk()).unwrap();
    assert_eq!(
        runtime_data(&request),
        [
            json!({ "tee-pubkey": key, "nonce": guest.nonce, "additional-evidence": r#"{"sampledevice":{"a":1}}"# }),
            json!({ "tee-pubkey": key, "nonce": guest.nonce }),
        ]
    );
    let tees: Vec<_> = request.verification_requests.iter().map(|one| one.tee.as_str()).collect();
    assert_eq!(tees, ["sample", "sampledevice"]);
}

#[tokio::test]
async fn a_token_about_somebody_else_is_not_taken() {
    fn annotated(claims: &mut Value) -> &mut Value {
        &mut claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
    }
    let changes: Vec<Change> = vec![
        ("nonce", |claims| annotated(claims)["runtime_data_claims"]["nonce"] = json!("other")),
        ("no nonce", |claims| annotated(claims)["runtime_data_claims"]["nonce"] = json!(null)),
        ("key", |claims| annotated(claims)["runtime_data_claims"]["tee-pubkey"]["x"] = json!("AA")),
        ("no runtime data", |claims| {
            annotated(claims).as_object_mut().unwrap().remove("runtime_data_claims");
        }),
        ("another TEE", |claims| {
            let own = annotated(claims).as_object_mut().unwrap();
            let measured = own.remove("snp").unwrap();
            own.insert("sample".into(), measured);
        }),
        ("no cpu0", |claims| {
            let submods = claims["submods"].as_object_mut().unwrap();
            let cpu = submods.remove("cpu0").unwrap();
            submods.insert("gpu0".into(), cpu);
        }),
        ("another's device", |claims| {
            let mut device = claims["submods"]["cpu0"].clone();
            device["ear.veraison.annotated-evidence"]["runtime_data_claims"]["nonce"] = json!("other");
            claims["submods"]["gpu0"] = device;
        }),
    ];
    for (name, change) in changes {
        let (double, signer) = with_claims(change).await;
        let broker = broker(&double, &signer).await;
        assert_eq!(refusal(&broker).await, (502, "KBS-068".into()), "{name}");
    }
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_not_taken() {
    let changes: Vec<Change> = vec![
        ("ended", |claims| claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 60)),
        ("without end", |claims| {
            claims.as_object_mut().unwrap().remove("exp");
        }),
        ("of tomorrow", |claims| claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 61)),
        ("for somebody", |claims| claims["aud"] = json!("somebody")),
        ("no submods", |claims| claims["submods"] = json!({})),
        ("better than its vector", |claims| {
            claims["submods"]["cpu0"]["ear.trustworthiness-vector"]["hardware"] = json!(97);
        }),
    ];
    for (name, change) in changes {
        let (double, signer) = with_claims(change).await;
        let broker = broker(&double, &signer).await;
        assert_eq!(refusal(&broker).await, (502, "KBS-067".into()), "{name}");
    }
    // A minute between the clocks is borne.
    let (double, signer) =
        with_claims(|claims| claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 59)).await;
    let broker = broker(&double, &signer).await;
    let guest = broker.guest(Tee::Snp).await;
    broker.attest(&guest, &[]).await.ok();
}

#[tokio::test]
async fn only_trusted_keys_and_the_pinned_issuer_count() {
    let (double, signer) = with_claims(|_| ()).await;
    let broker_of = async |trusted| asking(remote(double.address), trusted).await;
    let other = Signer::new();
    assert_eq!(refusal(&broker_of(other.by_keys()).await).await, (502, "KBS-067".into()), "another key");
    let mut pinned = signer.by_keys();
    pinned.issuer = Some("somebody".into());
    assert_eq!(refusal(&broker_of(pinned.clone()).await).await, (502, "KBS-067".into()), "another issuer");
    pinned.issuer = Some("CoCo-Attestation-Service".into());
    let broker = broker_of(pinned).await;
    let guest = broker.guest(Tee::Snp).await;
    broker.attest(&guest, &[]).await.ok();
}

#[tokio::test]
async fn a_certificate_serves_as_well_as_a_key() {
    let signer = Arc::new(Signer::certified());
    let signing = Arc::clone(&signer);
    let double = Double::that(move |request| std::future::ready(Ok(signing.sign(&claims(&request))))).await;
    let broker = asking(remote(double.address), signer.by_certificate()).await;
    let guest = broker.guest(Tee::Snp).await;
    broker.attest(&guest, &[]).await.ok();
    let other = asking(remote(double.address), Signer::certified().by_certificate()).await;
    assert_eq!(refusal(&other).await, (502, "KBS-067".into()));
}

#[tokio::test]
async fn garbage_is_no_token() {
    for text in ["", "garbage", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
        let double = Double::saying(text).await;
        let broker = broker(&double, &Signer::new()).await;
        assert_eq!(refusal(&broker).await, (502, "KBS-067".into()), "{text:?}");
    }
}

#[tokio::test]
async fn each_status_says_who_is_at_fault() {
    for (status, expected) in [
        (Status::aborted("bad evidence"), (401, "KBS-066")),
        (Status::failed_precondition("bad evidence"), (401, "KBS-066")),
        (Status::invalid_argument("what?"), (400, "RPC-004")),
        (Status::unauthenticated("who?"), (503, "RPC-003")),
        (Status::permission_denied("no"), (503, "RPC-003")),
        (Status::unavailable("later"), (503, "RPC-001")),
        (Status::internal("oh"), (502, "RPC-005")),
        (Status::unimplemented("what?"), (502, "RPC-005")),
        (Status::unknown("?"), (502, "RPC-005")),
    ] {
        let answer = status.clone();
        let double = Double::that(move |_| std::future::ready(Err(answer.clone()))).await;
        let broker = broker(&double, &Signer::new()).await;
        let (code, name) = refusal(&broker).await;
        assert_eq!((code, name.as_str()), expected, "{status}");
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_given_up() {
    let double = Double::that(|_| std::future::pending()).await;
    let settings = RemoteSettings { deadline: Duration::from_millis(300), ..remote(double.address) };
    let broker = asking(settings, Signer::new().by_keys()).await;
    assert_eq!(refusal(&broker).await, (503, "RPC-002".into()));
}

#[tokio::test]
async fn what_speaks_another_protocol_is_said_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let broker = asking(remote(address), Signer::new().by_keys()).await;
    let (status, code) = refusal(&broker).await;
    assert!(status == 503 || status == 502, "{status} {code}");
    assert!(["RPC-001", "RPC-005"].contains(&code.as_str()), "{code}");
    serving.abort();
}

#[tokio::test]
async fn nobody_at_the_address_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let broker = asking(remote(address), Signer::new().by_keys()).await;
    assert_eq!(refusal(&broker).await, (503, "RPC-001".into()));
}
