//! Opening sealed secrets.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_attestation_agent::error::AgentError;
use assay_attestation_agent::secrets::sealed::{SealedSettings, Unsealer};
use assay_attestation_agent::secrets::verification_keys::KeyRule;
use assay_sealed_secret::{Provider, SealingKey, Vault, VerificationKey, seal_envelope, seal_vault};
use assay_types::{Coded as _, Fault, ResourceUri, SecretBytes};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::broker::{Broker, denied, unavailable};

const KEY: &str = "kbs:///default/sealing-key/owner";
const SECRET: &str = "kbs:///default/password/database";
const KEK: &str = "kbs:///default/kek/1";

fn public(key: &SealingKey) -> Vec<u8> {
    serde_json::to_vec(key.public_jwk()).unwrap()
}

fn vault(key: &SealingKey, kid: &str) -> String {
    let vault = Vault {
        name: SECRET.to_owned(),
        provider: Provider::kbs(),
        provider_settings: Map::new(),
        annotations: Map::new(),
    };
    seal_vault(key, kid, vault).unwrap()
}

fn envelope(key: &SealingKey, secret: &[u8]) -> String {
    let kek = SecretBytes::new(vec![9; 32]);
    seal_envelope(key, KEY, &KEK.parse().unwrap(), &kek, &SecretBytes::new(secret.to_vec())).unwrap()
}

fn broker(key: &SealingKey) -> Arc<Broker> {
    Broker::with(&[(KEY, &public(key)), (SECRET, b"hunter2"), (KEK, &[9; 32])])
}

fn unsealer(broker: &Arc<Broker>, settings: SealedSettings) -> Unsealer {
    Unsealer::new(broker.clone(), settings)
}

fn in_directory(directory: &Path) -> SealedSettings {
    SealedSettings { key_directory: directory.to_owned(), ..SealedSettings::default() }
}

/// For a caller that may read everything.
async fn open(unsealer: &Unsealer, text: &str) -> Result<SecretBytes, AgentError> {
    unsealer.unseal(text.as_bytes(), &|_| Ok(())).await
}

async fn code(unsealer: &Unsealer, text: &str) -> &'static str {
    open(unsealer, text).await.unwrap_err().code()
}

#[tokio::test]
async fn a_vault_opens_by_the_key_of_the_key_broker() {
    let key = SealingKey::generate(KEY).unwrap();
    let broker = broker(&key);
    let unsealer = unsealer(&broker, SealedSettings::default());
    let secret = open(&unsealer, &format!("{}\n", vault(&key, KEY))).await.unwrap();
    assert_eq!(secret.expose(), b"hunter2");
    assert_eq!(broker.asked(), [KEY, SECRET]);
}

#[tokio::test]
async fn an_envelope_opens_by_the_key_encryption_key_of_the_key_broker() {
    let key = SealingKey::generate(KEY).unwrap();
    let broker = broker(&key);
    let text = envelope(&key, b"the secret");
    let secret = open(&unsealer(&broker, SealedSettings::default()), &text).await.unwrap();
    assert_eq!(secret.expose(), b"the secret");
    assert_eq!(broker.asked(), [KEY, KEK]);
    broker.answers(KEK, vec![Ok(vec![8; 32])]);
    assert_eq!(code(&unsealer(&broker, SealedSettings::default()), &text).await, "SEA-018");
    broker.answers(KEK, vec![Ok(b"short".to_vec())]);
    assert_eq!(code(&unsealer(&broker, SealedSettings::default()), &text).await, "SEA-017");
}

#[tokio::test]
async fn a_vault_opens_by_a_key_in_the_directory() {
    let key = SealingKey::generate("owner").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("owner"), public(&key)).unwrap();
    let broker = broker(&SealingKey::generate("another").unwrap());
    let unsealer = unsealer(&broker, in_directory(folder.path()));
    let secret = open(&unsealer, &vault(&key, "owner")).await.unwrap();
    assert_eq!(secret.expose(), b"hunter2");
    assert_eq!(broker.asked(), [SECRET]);
    for kid in ["nobody", "../owner", "/etc/passwd", ".."] {
        assert_eq!(code(&unsealer, &vault(&key, kid)).await, "SEA-024", "{kid}");
    }
}

#[tokio::test]
async fn nothing_is_fetched_for_a_text_that_is_not_verified() {
    let (owner, other) = (SealingKey::generate(KEY).unwrap(), SealingKey::generate(KEY).unwrap());
    let broker = broker(&owner);
    let unsealer = unsealer(&broker, SealedSettings::default());
    assert_eq!(code(&unsealer, &vault(&other, KEY)).await, "SEA-010");
    assert_eq!(broker.asked(), [KEY]);
    assert_eq!(code(&unsealer, "sealed.fakejwsheader.e30.fakesignature").await, "SEA-003");
    assert_eq!(unsealer.unseal(&[0xff], &|_| Ok(())).await.unwrap_err().code(), "SEA-001");
    assert_eq!(broker.asked(), [KEY]);
}

#[tokio::test]
async fn where_keys_are_named_no_other_is_even_fetched() {
    let key = SealingKey::generate(KEY).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("owner"), public(&key)).unwrap();
    let rules = |texts: &[&str]| SealedSettings {
        trusted_keys: texts.iter().map(|text| KeyRule::parse(text).unwrap()).collect(),
        ..in_directory(folder.path())
    };
    for (texts, kid, taken) in [
        (&[KEY][..], KEY, true),
        (&["owner", KEY], KEY, true),
        (&["owner"], "owner", true),
        (&["kbs:///default/sealing-key/"], KEY, true),
        (&["kbs:///default/"], KEY, true),
        (&["kbs:///other/"], KEY, false),
        (&["kbs:///default/sealing-key/other"], KEY, false),
        (&["owner"], KEY, false),
        (&[KEY], "owner", false),
        (&["kbs:///default/"], "owner", false),
    ] {
        let broker = broker(&key);
        let result = open(&unsealer(&broker, rules(texts)), &vault(&key, kid)).await;
        if taken {
            assert_eq!(result.unwrap().expose(), b"hunter2", "{texts:?} {kid}");
        } else {
            let error = result.unwrap_err();
            assert_eq!((error.code(), error.fault()), ("SEA-023", Fault::Forbidden), "{texts:?} {kid}");
            assert!(broker.asked().is_empty());
        }
    }
}

#[tokio::test]
async fn a_key_is_remembered_for_its_time_and_not_longer() {
    let key = SealingKey::generate(KEY).unwrap();
    let text = vault(&key, KEY);
    for (seconds, expected) in [(3600, 1), (0, 3)] {
        let broker = broker(&key);
        let settings = SealedSettings { key_cache_seconds: seconds, ..SealedSettings::default() };
        let unsealer = unsealer(&broker, settings);
        for _ in 0..3 {
            open(&unsealer, &text).await.unwrap();
        }
        assert_eq!(broker.times(KEY), expected);
        // Secrets are not remembered.
        assert_eq!(broker.times(SECRET), 3);
    }
    let broker = broker(&key);
    let settings = SealedSettings { key_cache_seconds: 1, ..SealedSettings::default() };
    let unsealer = unsealer(&broker, settings);
    open(&unsealer, &text).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // The owner has another key now.
    broker.answers(KEY, vec![Ok(public(&SealingKey::generate(KEY).unwrap()))]);
    assert_eq!(code(&unsealer, &text).await, "SEA-010");
    assert_eq!(broker.times(KEY), 2);
}

#[tokio::test]
async fn a_key_that_cannot_be_had_or_used_is_not_remembered() {
    let key = SealingKey::generate(KEY).unwrap();
    let private = key.private_jwk().unwrap().expose().to_vec();
    let broker = broker(&key);
    broker.answers(
        KEY,
        vec![Err(unavailable(None)), Err(denied()), Ok(private), Ok(b"{}".to_vec()), Ok(public(&key))],
    );
    let unsealer = unsealer(&broker, SealedSettings::default());
    let text = vault(&key, KEY);
    for expected in ["CLI-004", "CLI-001", "SEA-009", "SEA-008"] {
        assert_eq!(code(&unsealer, &text).await, expected);
    }
    assert_eq!(open(&unsealer, &text).await.unwrap().expose(), b"hunter2");
}

/// What a caller asked for, and what it was told.
async fn open_as(
    unsealer: &Unsealer,
    text: &str,
    allowed: bool,
) -> (Vec<String>, Result<SecretBytes, AgentError>) {
    let asked = Mutex::new(Vec::new());
    let may_read = |uri: &ResourceUri| {
        asked.lock().unwrap().push(uri.to_string());
        if allowed { Ok(()) } else { Err(AgentError::BadRequest("not for you".to_owned())) }
    };
    let result = unsealer.unseal(text.as_bytes(), &may_read).await;
    (asked.into_inner().unwrap(), result)
}

#[tokio::test]
async fn a_sealed_secret_opens_no_more_than_the_caller_may_read() {
    let key = SealingKey::generate(KEY).unwrap();
    for (text, names) in [(vault(&key, KEY), SECRET), (envelope(&key, b"the secret"), KEK)] {
        for skip in [false, true] {
            let broker = broker(&key);
            let settings = SealedSettings { skip_verification_danger: skip, ..SealedSettings::default() };
            let unsealer = unsealer(&broker, settings);
            let (asked, result) = open_as(&unsealer, &text, false).await;
            assert_eq!(asked, [names]);
            assert!(matches!(result.unwrap_err(), AgentError::BadRequest(_)));
            // What it names was not fetched.
            assert!(broker.asked().iter().all(|uri| uri == KEY && !skip), "{:?}", broker.asked());
            let (asked, result) = open_as(&unsealer, &text, true).await;
            assert_eq!(asked, [names]);
            result.unwrap();
            assert_eq!(broker.times(names), 1);
        }
    }
}

#[tokio::test]
async fn what_a_caller_may_read_is_not_told_by_a_text_that_is_not_verified() {
    let (owner, other) = (SealingKey::generate(KEY).unwrap(), SealingKey::generate(KEY).unwrap());
    let broker = broker(&owner);
    let unsealer = unsealer(&broker, SealedSettings::default());
    for text in [vault(&other, KEY), envelope(&other, b"x")] {
        let (asked, result) = open_as(&unsealer, &text, false).await;
        assert!(asked.is_empty());
        assert_eq!(result.unwrap_err().code(), "SEA-010");
    }
}

#[tokio::test]
async fn a_key_is_a_secret_of_the_key_broker_and_of_no_other_plugin() {
    let key = SealingKey::generate(KEY).unwrap();
    // The same text under another header, as whoever knows the form can write it.
    let good = vault(&key, KEY);
    let [_, _, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("parts") };
    for kid in ["kbs+pki:///default/sealing-key/owner", "kbs+pki:///key?jwk=x", "kbs:///key", "kbs://a/b/c"] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": "ES256", "kid": kid }).to_string());
        let text = format!("sealed.{header}.{payload}.{signature}");
        // Not even where the key broker has it and the configuration names it.
        for trusted_keys in [vec![], vec![KeyRule::parse(kid).unwrap()]] {
            let broker = Broker::with(&[(kid, &public(&key)), (SECRET, b"hunter2")]);
            let settings = SealedSettings { trusted_keys, ..SealedSettings::default() };
            let error = open(&unsealer(&broker, settings), &text).await.unwrap_err();
            assert_eq!(error.code(), "SEA-026", "{kid}");
            assert!(broker.asked().is_empty(), "{kid}");
        }
    }
}

/// A payload in the idiom without a signature.
fn unsigned(payload: &Value) -> String {
    format!("sealed.fakejwsheader.{}.fakesignature", BASE64_URL_SAFE_NO_PAD.encode(payload.to_string()))
}

#[tokio::test]
async fn without_verification_anyone_may_seal_where_the_danger_is_allowed() {
    let broker = broker(&SealingKey::generate(KEY).unwrap());
    let text = unsigned(&json!({
        "version": "0.1.0", "type": "vault", "name": SECRET, "provider": "kbs", "provider_settings": {},
    }));
    assert_eq!(code(&unsealer(&broker, SealedSettings::default()), &text).await, "SEA-003");
    let settings = SealedSettings { skip_verification_danger: true, ..SealedSettings::default() };
    let secret = open(&unsealer(&broker, settings), &text).await.unwrap();
    assert_eq!(secret.expose(), b"hunter2");
    assert_eq!(broker.asked(), [SECRET]);
}

#[tokio::test]
async fn unauthenticated_encryption_is_taken_where_the_danger_is_allowed() {
    let broker = broker(&SealingKey::generate(KEY).unwrap());
    let kek = vec![9; 32];
    let key = SealingKey::generate(KEY).unwrap();
    // A data key that is wrapped rightly, with data that any key decrypts to something.
    let good = envelope(&key, b"x");
    let jwk = VerificationKey::from_public(key.public_jwk()).unwrap();
    let assay_sealed_secret::Payload::Envelope(good) =
        assay_sealed_secret::Unverified::parse(&good).unwrap().verify(&jwk).unwrap()
    else {
        panic!("no envelope")
    };
    assert!(good.unwrap_data_key(&SecretBytes::new(kek)).is_ok());
    let text = unsigned(&json!({
        "version": "0.1.0", "type": "envelope", "key_id": KEK,
        "encrypted_key": BASE64_STANDARD.encode(&good.encrypted_key),
        "encrypted_data": BASE64_STANDARD.encode(b"eleven more"),
        "wrap_type": "A256CTR", "iv": BASE64_STANDARD.encode([1; 16]), "provider": "kbs", "provider_settings": {},
    }));
    let settings = |ctr| SealedSettings {
        skip_verification_danger: true,
        allow_ctr_danger: ctr,
        ..SealedSettings::default()
    };
    let refused = open(&unsealer(&broker, settings(false)), &text).await.unwrap_err();
    assert!(matches!(refused, AgentError::SealedSecret(_)));
    assert_eq!(refused.code(), "SEA-016");
    assert_eq!(open(&unsealer(&broker, settings(true)), &text).await.unwrap().expose().len(), 11);
}

#[test]
fn settings_are_read_with_safe_defaults_and_nothing_unknown() {
    let settings: SealedSettings = serde_json::from_value(json!({})).unwrap();
    assert_eq!(settings, SealedSettings::default());
    assert!(!settings.skip_verification_danger && !settings.allow_ctr_danger);
    assert_eq!(settings.key_directory, Path::new("/run/confidential-containers/cdh/sealed-secret"));
    let read = |value: Value| serde_json::from_value::<SealedSettings>(value);
    assert!(read(json!({ "trusted_keys": ["owner", "kbs:///a/"] })).is_ok());
    assert!(read(json!({ "trusted_keys": [""] })).is_err());
    assert!(read(json!({ "trusted_key": [] })).is_err());
}
