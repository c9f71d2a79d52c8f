//! Tokens of an attestation service that is only believed: the passport model.

use std::sync::Arc;

use assay_key_broker_service::{TrustError, TrustedIssuer, TrustedIssuerSettings};
use assay_token::{JwkSet, SigningAlgorithm, SigningKey};
use assay_types::{Coded as _, Tee, UnixTime};
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::service::{Service, believing, clock, issuer};
use crate::world::{Kind, NOW, World};

const SECRET: &str = "/kbs/v0/resource/default/key/1";

#[tokio::test]
async fn a_passport_opens_the_secret_by_every_way_to_the_keys() {
    let service = Service::open().await;
    service.world.register_good_guests().await;
    let file = service.folder.path().join("jwks.json");
    std::fs::write(&file, serde_json::to_vec(&service.world.attestation.keys().jwks()).unwrap()).unwrap();
    let base = format!("http://{}", service.address);
    for keys in [
        file.display().to_string(),
        format!("{base}/.well-known/jwks.json"),
        format!("{base}/.well-known/openid-configuration"),
        format!("{base}/"),
    ] {
        let trusted = TrustedIssuerSettings { keys: Some(keys.clone()), ..TrustedIssuerSettings::default() };
        let broker = believing(trusted).await;
        broker.set_resource("default/key/1", b"the secret").await;
        let (guest, token) = service.passport(Tee::Snp).await;
        let answer = broker.get_with_token(&token, SECRET).await;
        assert_eq!(guest.decrypt(&answer), b"the secret", "{keys}");
    }
}

#[tokio::test]
async fn a_key_broker_with_a_service_of_its_own_believes_another_too() {
    let service = Service::open().await;
    service.world.register_good_guests().await;
    let broker = World::of_kind(Kind::Trusting(issuer(service.trusted()))).await;
    broker.register_good_guests().await;
    broker.set_resource("default/key/1", b"the secret").await;
    let (guest, token) = service.passport(Tee::Snp).await;
    assert_eq!(guest.decrypt(&broker.get_with_token(&token, SECRET).await), b"the secret");
    let own = broker.attested(Tee::Snp, &[]).await;
    assert_eq!(own.decrypt(&broker.get(&own, SECRET).await), b"the secret");
    let alone = World::new().await;
    let answer = alone.get_with_token(&token, SECRET).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
}

#[tokio::test]
async fn a_token_ends_and_a_token_of_another_key_is_refused() {
    let service = Service::open().await;
    let broker = believing(service.trusted()).await;
    let (_, token) = service.passport(Tee::Snp).await;
    assert_eq!(broker.get_with_token(&token, "/kbs/v0/verdict").await.refusal().1, "KBS-018");
    let (_, foreign) = Service::open().await.passport(Tee::Snp).await;
    let answer = broker.get_with_token(&foreign, SECRET).await;
    assert_eq!(answer.status, 401);
    assert!(answer.json()["detail"].as_str().unwrap().contains("nothing trusted vouches"));
    // The token lives five minutes; a minute between the clocks is borne.
    for (seconds, good) in [(359, true), (360, false)] {
        broker.clock.set(NOW.plus(seconds));
        let answer = broker.get_with_token(&token, SECRET).await;
        assert_eq!(answer.status != 401, good, "{seconds}: {}", answer.text());
    }
}

#[tokio::test]
async fn keys_that_are_not_there_yet_are_learned_without_a_restart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let keys = Some(format!("http://{address}/.well-known/jwks.json"));
    let broker = believing(TrustedIssuerSettings { keys, ..TrustedIssuerSettings::default() }).await;
    let ready = broker.call("GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("trusted-keys") && ready.text().contains("KBS-063"), "{}", ready.text());
    let service = Service::of(World::new().await, address).await;
    // The answer is repeated for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(broker.call("GET", "/readyz", &[], "").await.status, 200);
    let (_, token) = service.passport(Tee::Snp).await;
    assert_ne!(broker.get_with_token(&token, SECRET).await.status, 401);
}

/// A place where keys are published, and may change.
async fn published(text: Arc<std::sync::Mutex<String>>) -> std::net::SocketAddr {
    let answer = move || std::future::ready(text.lock().unwrap().clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/keys", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn key_and_token() -> (String, String) {
    let key = SigningKey::generate(SigningAlgorithm::Es384).unwrap();
    let jwks = JwkSet { keys: vec![key.public_jwk().clone()] };
    let claims = serde_json::json!({ "exp": NOW.0 + 300 });
    (serde_json::to_string(&jwks).unwrap(), key.sign_jwt(&serde_json::Map::new(), &claims).unwrap())
}

#[tokio::test]
async fn a_new_key_is_learned_at_most_once_a_second() {
    let ((first, first_token), (second, second_token)) = (key_and_token(), key_and_token());
    let text = Arc::new(std::sync::Mutex::new(first));
    let address = published(Arc::clone(&text)).await;
    let keys = Some(format!("http://{address}/keys"));
    let settings = TrustedIssuerSettings { keys, ..TrustedIssuerSettings::default() };
    let clock = clock();
    let trusted = TrustedIssuer::new(settings, clock.clone()).unwrap();
    trusted.verify(&first_token, NOW).await.unwrap();
    *text.lock().unwrap() = second;
    let unknown = trusted.verify(&second_token, NOW).await.unwrap_err();
    assert!(matches!(unknown, TrustError::Token(_)), "asked in this second already: {unknown}");
    clock.set(NOW.plus(1));
    trusted.verify(&second_token, NOW).await.unwrap();
    assert!(trusted.verify(&first_token, NOW).await.is_err(), "it was withdrawn");
    // What cannot be read leaves what was there.
    *text.lock().unwrap() = "garbage".into();
    assert_eq!(trusted.refresh().await.unwrap_err().code(), "KBS-064");
    trusted.verify(&second_token, NOW).await.unwrap();
}

#[tokio::test]
async fn what_gives_no_keys_is_said_by_name() {
    for (text, code) in [
        ("garbage", "KBS-064"),
        ("{}", "KBS-064"),
        ("[]", "KBS-064"),
        (r#"{"jwks_uri":"http://192.0.2.1/keys"}"#, "KBS-061"),
        (r#"{"keys":7}"#, "KBS-064"),
    ] {
        let address = published(Arc::new(std::sync::Mutex::new(text.to_owned()))).await;
        let keys = Some(format!("http://{address}/keys"));
        let settings = TrustedIssuerSettings { keys, ..TrustedIssuerSettings::default() };
        let trusted = TrustedIssuer::new(settings, clock()).unwrap();
        assert_eq!(trusted.refresh().await.unwrap_err().code(), code, "{text}");
        let (_, token) = key_and_token();
        assert_ne!(trusted.verify(&token, UnixTime(0)).await.unwrap_err().code(), "", "{text}");
    }
    let of = |keys: Option<&str>| {
        let keys = keys.map(str::to_owned);
        let settings = TrustedIssuerSettings { keys, ..TrustedIssuerSettings::default() };
        TrustedIssuer::new(settings, clock()).err().map_or("", |error| error.code())
    };
    assert_eq!(of(None), "KBS-060");
    assert_eq!(of(Some("http://192.0.2.1/keys")), "KBS-061");
    assert_eq!(of(Some("https://user:secret@example.org/keys")), "KBS-061");
    assert_eq!(of(Some("/nonexistent/keys")), "KBS-062");
}
