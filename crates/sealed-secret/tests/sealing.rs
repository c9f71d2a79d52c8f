//! Sealing: what the owner writes is what the agent reads, in the documented order of members.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod owner;

use std::collections::HashSet;

use assay_sealed_secret::{
    Ctr, MAX_SEALED_BYTES, MAX_TEXT_BYTES, Payload, Provider, SealedSecretError as E, SealingKey, Unverified,
    Vault, VerificationKey, seal_envelope, seal_vault,
};
use assay_types::{Coded as _, ResourceUri, SecretBytes};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use owner::{kek, public_key, vector};
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Map, Value};

fn sealing_key() -> SealingKey {
    SealingKey::from_jwk(&SecretBytes::new(vector("private_jwk").into_bytes())).unwrap()
}

fn vault(name: &str) -> Vault {
    Vault {
        name: name.to_owned(),
        provider: Provider::kbs(),
        provider_settings: Map::new(),
        annotations: Map::new(),
    }
}

fn key_id() -> ResourceUri {
    "kbs:///default/kek/1".parse().unwrap()
}

fn envelope(text: &str) -> assay_sealed_secret::Envelope {
    match Unverified::parse(text).unwrap().verify(&public_key()).unwrap() {
        Payload::Envelope(envelope) => envelope,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_vault_is_written_as_the_vector_to_the_letter_but_for_the_signature() {
    let text = seal_vault(&sealing_key(), &vector("kid"), vault("kbs:///default/password/database")).unwrap();
    let vector = vector("vault");
    assert_eq!(text.rsplit_once('.').unwrap().0, vector.rsplit_once('.').unwrap().0);
    assert!(Unverified::parse(&text).unwrap().verify(&public_key()).is_ok());
}

#[test]
fn an_envelope_has_the_members_of_the_vector_in_their_order() {
    let secret = SecretBytes::new(b"s".to_vec());
    let text = seal_envelope(&sealing_key(), &vector("kid"), &key_id(), &kek(), &secret).unwrap();
    let names = |text: &str| {
        let json = BASE64_URL_SAFE_NO_PAD.decode(text.split('.').nth(2).unwrap()).unwrap();
        let json = String::from_utf8(json).unwrap();
        let value: Value = serde_json::from_str(&json).unwrap();
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.sort_by_key(|name| json.find(&format!("\"{name}\":")).unwrap());
        names
    };
    assert_eq!(names(&text), names(&vector("envelope")));
}

#[test]
fn each_envelope_has_its_own_key_and_iv() {
    let secret = SecretBytes::new(b"the same".to_vec());
    let seal = || envelope(&seal_envelope(&sealing_key(), "k", &key_id(), &kek(), &secret).unwrap());
    let envelopes: Vec<_> = (0..16).map(|_| seal()).collect();
    assert_eq!(envelopes.iter().map(|e| &e.iv).collect::<HashSet<_>>().len(), 16);
    assert_eq!(envelopes.iter().map(|e| &e.encrypted_key).collect::<HashSet<_>>().len(), 16);
}

#[test]
fn the_largest_secret_fits_and_one_byte_more_is_refused() {
    let seal = |length| {
        let secret = SecretBytes::new(vec![0x5a; length]);
        seal_envelope(&sealing_key(), &"k".repeat(4096), &key_id(), &kek(), &secret)
    };
    let text = seal(MAX_SEALED_BYTES).unwrap();
    assert!(text.len() <= MAX_TEXT_BYTES);
    let envelope = envelope(&text);
    let secret = envelope.open(&envelope.unwrap_data_key(&kek()).unwrap(), Ctr::Refused).unwrap();
    assert_eq!(secret.expose().len(), MAX_SEALED_BYTES);
    assert_eq!(seal(MAX_SEALED_BYTES + 1).unwrap_err().code(), "SEA-002");
}

#[test]
fn what_no_agent_could_open_is_not_sealed() {
    let key = sealing_key();
    let secret = SecretBytes::new(b"s".to_vec());
    assert_eq!(seal_vault(&key, "", vault("a/b/c")).unwrap_err().code(), "SEA-007");
    assert_eq!(seal_vault(&key, "a\nb", vault("a/b/c")).unwrap_err().code(), "SEA-007");
    assert_eq!(seal_vault(&key, "k", vault("a/b")).unwrap_err().code(), "SEA-021");
    assert_eq!(seal_vault(&key, "k", vault("http://x/a")).unwrap_err().code(), "SEA-020");
    let deep = (0..10).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let annotations = Map::from_iter([("a".to_owned(), deep)]);
    let bad = Vault { annotations, ..vault("a/b/c") };
    assert_eq!(seal_vault(&key, "k", bad).unwrap_err().code(), "SEA-011");
    for length in [0, 16, 31, 33] {
        let kek = SecretBytes::new(vec![0; length]);
        let error = seal_envelope(&key, "k", &key_id(), &kek, &secret).unwrap_err();
        assert_eq!(error.code(), "SEA-017");
    }
}

#[test]
fn two_slashes_are_refused_with_the_advice_to_write_three() {
    let (key, secret) = (sealing_key(), SecretBytes::new(b"s".to_vec()));
    let envelope =
        |kid: &str, key_id: &str| seal_envelope(&key, kid, &key_id.parse().unwrap(), &kek(), &secret);
    for error in [
        seal_vault(&key, "k", vault("kbs://a/b/c")).unwrap_err(),
        envelope("k", "kbs://a/b/c").unwrap_err(),
        seal_vault(&key, "kbs://a/b/c", vault("a/b/c")).unwrap_err(),
        envelope("kbs://a/b/c", "kbs:///a/b/c").unwrap_err(),
    ] {
        assert_eq!(error.code(), "SEA-026");
        assert!(error.to_string().contains("write kbs:///… with three slashes"), "{error}");
    }
    assert_eq!(seal_vault(&key, "k", vault("kbs:///a/b")).unwrap_err().code(), "SEA-026");
    assert_eq!(envelope("k", "kbs:///a/b/c/d").unwrap_err().code(), "SEA-026");
    assert_eq!(seal_vault(&key, "kbs+pki:///a/b/c", vault("a/b/c")).unwrap_err().code(), "SEA-026");
    // A host before three names, and what other plugins have, are well.
    for name in ["kbs://host/a/b/c", "kbs+pki:///ca?x=1"] {
        assert!(seal_vault(&key, "kbs://host/a/b/c", vault(name)).is_ok(), "{name}");
        assert!(envelope("k", name).is_ok(), "{name}");
    }
}

#[test]
fn keys_are_written_and_read_again() {
    let key = SealingKey::generate("kbs:///default/sealing-key/owner").unwrap();
    let again = SealingKey::from_jwk(&key.private_jwk().unwrap()).unwrap();
    assert_eq!(again.public_jwk(), key.public_jwk());
    let public = serde_json::to_string(key.public_jwk()).unwrap();
    assert!(!public.contains("\"d\""));
    let public = VerificationKey::from_jwk(public.as_bytes()).unwrap();
    let text = seal_vault(&again, "k", vault("a/b/c")).unwrap();
    assert!(Unverified::parse(&text).unwrap().verify(&public).is_ok());
    assert_eq!(VerificationKey::from_jwk(key.private_jwk().unwrap().expose()).unwrap_err(), E::PrivateKey);
    let private: Value = serde_json::from_slice(key.private_jwk().unwrap().expose()).unwrap();
    assert!(!format!("{key:?}").contains(private["d"].as_str().unwrap()));
    assert_eq!(SealingKey::generate("").unwrap_err().code(), "SEA-007");
}

#[test]
fn a_signing_key_is_a_whole_private_key_on_p256() {
    let good: Value = serde_json::from_str(&vector("private_jwk")).unwrap();
    let other = SealingKey::generate("k").unwrap();
    let other: Value = serde_json::from_slice(other.private_jwk().unwrap().expose()).unwrap();
    for (member, value) in [
        ("d", Value::Null),
        ("d", Value::from("AAAA")),
        ("d", other["d"].clone()),
        ("x", Value::Null),
        ("x", other["x"].clone()),
        ("y", other["y"].clone()),
        ("kty", Value::from("OKP")),
        ("crv", Value::from("P-384")),
        ("kty", Value::from(7)),
    ] {
        let mut bad = good.clone();
        bad[member] = value.clone();
        let error = SealingKey::from_jwk(&SecretBytes::new(bad.to_string().into_bytes())).unwrap_err();
        assert_eq!(error.code(), "SEA-022", "{member} {value}");
        assert!(!error.to_string().contains(good["d"].as_str().unwrap()));
    }
    let long = SecretBytes::new(vec![b' '; (64 << 10) + 1]);
    assert_eq!(SealingKey::from_jwk(&long).unwrap_err().code(), "SEA-002");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn envelopes_round_trip(secret: Vec<u8>, kid in "[ -~]{1,40}", kek in any::<[u8; 32]>()) {
        let kek = SecretBytes::new(kek.to_vec());
        let secret = SecretBytes::new(secret);
        let text = seal_envelope(&sealing_key(), &kid, &key_id(), &kek, &secret).unwrap();
        assert_eq!(Unverified::parse(&text).unwrap().kid(), kid);
        let envelope = envelope(&text);
        let data_key = envelope.unwrap_data_key(&kek).unwrap();
        assert_eq!(envelope.open(&data_key, Ctr::Refused).unwrap(), secret);
    }

    #[test]
    fn vaults_round_trip(name in "[a-z]{1,9}/[a-z]{1,9}/[a-z]{1,9}", kid in "\\PC{1,40}", note in "\\PC{0,40}") {
        let annotations = Map::from_iter([(note.clone(), Value::from(note))]);
        let vault = Vault { annotations, ..vault(&name) };
        let text = seal_vault(&sealing_key(), &kid, vault.clone()).unwrap();
        let payload = Unverified::parse(&text).unwrap().verify(&public_key()).unwrap();
        assert_eq!(payload, Payload::Vault(vault));
    }
}
