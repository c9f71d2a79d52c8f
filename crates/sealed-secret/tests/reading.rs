//! Reading: vectors made elsewhere, and one thing wrong at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod owner;

use assay_sealed_secret::{
    Ctr, MAX_KID_BYTES, MAX_TEXT_BYTES, Payload, Provider, SealedSecretError as E, Unverified,
    VerificationKey, WrapType, parse_without_verification_danger,
};
use assay_types::{Coded as _, SecretBytes};
use owner::{b64, header, kek, public_key, sign, vault_json, vector};
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Value, json};

fn open(text: &str) -> Result<Payload, E> {
    Unverified::parse(text)?.verify(&public_key())
}

fn envelope(text: &str) -> assay_sealed_secret::Envelope {
    match open(text).unwrap() {
        Payload::Envelope(envelope) => envelope,
        other => panic!("{other:?}"),
    }
}

/// A good payload with one thing changed, signed.
fn changed(name: &str, change: impl Fn(&mut Value)) -> String {
    let mut payload = payload_of(&vector(name));
    change(&mut payload);
    sign(&header(), &payload.to_string())
}

fn payload_of(text: &str) -> Value {
    use base64::Engine as _;
    let part = text.split('.').nth(2).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn the_vault_of_the_vector_is_read() {
    let text = vector("vault");
    assert_eq!(Unverified::parse(&text).unwrap().kid(), vector("kid"));
    let Payload::Vault(vault) = open(&text).unwrap() else { panic!("no vault") };
    assert_eq!(vault.name, "kbs:///default/password/database");
    assert_eq!(vault.provider, Provider::kbs());
    assert_eq!(vault.resource().unwrap().to_string(), vault.name);
}

#[test]
fn the_envelope_of_the_vector_opens() {
    let envelope = envelope(&vector("envelope"));
    assert_eq!(envelope.key_resource().unwrap().to_string(), "kbs:///default/kek/1");
    assert_eq!(envelope.wrap_type, WrapType::A256Gcm);
    let data_key = envelope.unwrap_data_key(&kek()).unwrap();
    // The key data of RFC 3394, section 4.6.
    assert_eq!(data_key.expose()[..4], [0x00, 0x11, 0x22, 0x33]);
    assert_eq!(data_key.expose()[28..], [0x0c, 0x0d, 0x0e, 0x0f]);
    let secret = envelope.open(&data_key, Ctr::Refused).unwrap();
    assert_eq!(secret.expose(), vector("secret").as_bytes());
}

#[test]
fn unauthenticated_encryption_opens_only_where_the_danger_is_allowed() {
    let envelope = envelope(&vector("envelope_ctr"));
    assert_eq!(envelope.wrap_type, WrapType::A256Ctr);
    let data_key = envelope.unwrap_data_key(&kek()).unwrap();
    assert_eq!(envelope.open(&data_key, Ctr::Refused), Err(E::CtrRefused));
    let secret = envelope.open(&data_key, Ctr::AllowedDanger).unwrap();
    assert_eq!(secret.expose(), vector("secret").as_bytes());
}

#[test]
fn other_providers_are_named_with_what_is_supported() {
    let envelope = envelope(&vector("envelope_aws"));
    let error = envelope.unwrap_data_key(&kek()).unwrap_err();
    assert_eq!(error, E::Provider { of: "envelope", found: "aws".into() });
    assert!(error.to_string().contains("supported is \"kbs\""), "{error}");
    let text = changed("vault", |payload| payload["provider"] = json!("aliyun"));
    let Payload::Vault(vault) = open(&text).unwrap() else { panic!("no vault") };
    assert_eq!(vault.resource(), Err(E::Provider { of: "vault", found: "aliyun".into() }));
}

#[test]
fn the_unsigned_idiom_is_read_only_without_verification() {
    let text = vector("vault_unsigned");
    assert!(matches!(Unverified::parse(&text), Err(E::Encoding { part: "header", .. } | E::Header { .. })));
    let payload = parse_without_verification_danger(&text).unwrap();
    assert_eq!(payload, open(&vector("vault")).unwrap());
    // The payload is read as strictly as ever.
    assert!(parse_without_verification_danger("sealed.x.e30.x").is_err());
}

#[test]
fn white_space_is_passed_over_at_the_end_only() {
    let text = vector("vault");
    for good in [format!("{text}\n"), format!("{text}\r\n \t")] {
        assert_eq!(open(&good).unwrap(), open(&text).unwrap());
    }
    assert!(matches!(open(&format!(" {text}")), Err(E::Form { .. })));
    let (start, end) = text.split_at(60);
    assert!(matches!(open(&format!("{start}\n{end}")), Err(E::Encoding { .. })));
}

#[test]
fn annotations_are_optional_and_nothing_else_is() {
    for name in ["vault", "envelope"] {
        let members: Vec<String> = payload_of(&vector(name)).as_object().unwrap().keys().cloned().collect();
        for member in members {
            let text = changed(name, |payload| {
                payload.as_object_mut().unwrap().remove(&member);
            });
            match open(&text) {
                Ok(payload) => {
                    assert_eq!((member.as_str(), payload), ("annotations", open(&vector(name)).unwrap()));
                }
                Err(error) => assert!(matches!(error, E::Payload { .. }), "{name} {member}: {error}"),
            }
        }
    }
}

#[test]
fn each_fault_of_the_text_is_found() {
    let text = vector("vault");
    let [_, h, p, s] = text.split('.').collect::<Vec<_>>()[..] else { panic!("parts") };
    let long = "A".repeat(MAX_TEXT_BYTES);
    for (bad, code, why) in [
        (String::new(), "SEA-001", "begin"),
        (format!("{h}.{p}.{s}"), "SEA-001", "begin"),
        (format!("Sealed.{h}.{p}.{s}"), "SEA-001", "begin"),
        (format!("sealed.{h}.{p}"), "SEA-001", "3 parts"),
        (format!("sealed.{h}.{p}.{s}.{s}"), "SEA-001", "5 parts"),
        ("sealed.x".to_owned(), "SEA-001", "2 parts"),
        (format!("sealed.{h}.{p}.{long}"), "SEA-002", "text"),
        (format!("sealed.{}.{p}.{s}", &long[..20_000]), "SEA-002", "header"),
        (format!("sealed.{h}==.{p}.{s}"), "SEA-003", "padding"),
        (format!("sealed.{h}.{p}=.{s}"), "SEA-003", "padding"),
        (format!("sealed.{h}.{p}.{s}=="), "SEA-003", "padding"),
        (format!("sealed.{h}.{p}.+{}", &s[1..]), "SEA-003", "base64url writes"),
        (format!("sealed.{h}.{p}.!{}", &s[1..]), "SEA-003", "other characters"),
        (format!("sealed.{h}.{p}.{}", &s[..s.len() - 2]), "SEA-017", "64"),
        (format!("sealed.{h}.{p}."), "SEA-017", "64"),
    ] {
        let error = open(&bad).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.to_string().len() < 600);
    }
}

#[test]
fn each_fault_of_the_header_is_found() {
    let kid = "k".repeat(MAX_KID_BYTES + 1);
    for (header, code) in [
        ("[]".to_owned(), "SEA-004"),
        (r#"{"kid":"k"}"#.to_owned(), "SEA-004"),
        (r#"{"alg":"ES256","kid":5}"#.to_owned(), "SEA-004"),
        (r#"{"alg":"ES256","kid":"k","kid":"k"}"#.to_owned(), "SEA-004"),
        (r#"{"alg":"ES256","kid":"k","x":1,"x":1}"#.to_owned(), "SEA-004"),
        (r#"{"alg":"none","kid":"k"}"#.to_owned(), "SEA-005"),
        (r#"{"alg":"HS256","kid":"k"}"#.to_owned(), "SEA-005"),
        (r#"{"alg":"ES384","kid":"k"}"#.to_owned(), "SEA-005"),
        (r#"{"alg":"es256","kid":"k"}"#.to_owned(), "SEA-005"),
        (r#"{"alg":"ES256","kid":"k","crit":["b64"],"b64":false}"#.to_owned(), "SEA-006"),
        (r#"{"alg":"ES256","kid":"k","crit":null}"#.to_owned(), "SEA-006"),
        (r#"{"alg":"ES256"}"#.to_owned(), "SEA-007"),
        (r#"{"alg":"ES256","kid":""}"#.to_owned(), "SEA-007"),
        (r#"{"alg":"ES256","kid":"a\nb"}"#.to_owned(), "SEA-007"),
        (format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), "SEA-002"),
        // URIs of what is no secret of the key broker.
        (r#"{"alg":"ES256","kid":"kbs+pki:///a/b/c"}"#.to_owned(), "SEA-026"),
        (r#"{"alg":"ES256","kid":"kbs+pki:///key?jwk=mine"}"#.to_owned(), "SEA-026"),
        (r#"{"alg":"ES256","kid":"kbs:///a/b"}"#.to_owned(), "SEA-026"),
        (r#"{"alg":"ES256","kid":"kbs://a/b/c"}"#.to_owned(), "SEA-026"),
    ] {
        // Signed rightly: only the header is wrong.
        let error = open(&sign(&header, &vault_json())).unwrap_err();
        assert_eq!(error.code(), code, "{header:.80}: {error}");
    }
    let with_more = sign(r#"{"typ":"JOSE","alg":"ES256","kid":"k"}"#, &vault_json());
    assert!(open(&with_more).is_ok());
    for kid in ["kbs:///a/b/c", "kbs://host/a/b/c", "kbs+resource:///a/b/c"] {
        assert!(open(&sign(&format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), &vault_json())).is_ok(), "{kid}");
    }
}

#[test]
fn each_fault_of_the_payload_is_found() {
    let set = |name: &'static str, member: &'static str, value: Value| {
        changed(name, |payload| payload[member] = value.clone())
    };
    for (text, code) in [
        (sign(&header(), "[]"), "SEA-011"),
        (sign(&header(), "not JSON"), "SEA-011"),
        (sign(&header(), &vault_json().replacen('{', r#"{"version":"0.1.0","#, 1)), "SEA-011"),
        (sign(&header(), &vault_json().replace("{}", r#"{"a":1,"a":2}"#)), "SEA-011"),
        (set("vault", "more", json!(1)), "SEA-011"),
        (set("vault", "provider_settings", json!("x")), "SEA-011"),
        (set("envelope", "more", json!(1)), "SEA-011"),
        (set("vault", "version", json!("0.2.0")), "SEA-012"),
        (set("vault", "version", json!("")), "SEA-012"),
        (set("vault", "type", json!("Vault")), "SEA-013"),
        (set("vault", "name", json!("a".repeat(5000))), "SEA-002"),
        (set("vault", "provider", json!("a".repeat(65))), "SEA-002"),
        (set("envelope", "key_id", json!("a".repeat(5000))), "SEA-002"),
        (set("envelope", "provider", json!("a".repeat(65))), "SEA-002"),
        (set("envelope", "encrypted_key", json!("AAAA".repeat(6000))), "SEA-002"),
        (set("envelope", "wrap_type", json!("A128GCM")), "SEA-015"),
        (set("envelope", "encrypted_key", json!("AA")), "SEA-003"),
        (set("envelope", "encrypted_data", json!("-_-_")), "SEA-003"),
        (set("envelope", "iv", json!("AA")), "SEA-003"),
        (set("envelope", "iv", json!("AAAAAAAAAAAAAAAAAAAAAA==")), "SEA-017"),
        (set("envelope_ctr", "iv", json!("AAAAAAAAAAAAAAAA")), "SEA-017"),
    ] {
        let error = open(&text).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[test]
fn what_a_payload_names_must_be_a_resource() {
    let vault = |name: &str| match open(&changed("vault", |p| p["name"] = json!(name))).unwrap() {
        Payload::Vault(vault) => vault.resource().map(|uri| uri.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(vault("default/password/database").unwrap(), "kbs:///default/password/database");
    assert_eq!(vault("kbs+pki:///ca/crt?x=1").unwrap(), "kbs+pki:///ca/crt?x=1");
    assert_eq!(vault("a/b").unwrap_err().code(), "SEA-021");
    assert_eq!(vault("../b/c").unwrap_err().code(), "SEA-021");
    assert_eq!(vault("kbs:///a/../c").unwrap_err().code(), "SEA-020");
    assert_eq!(vault("https://x/a/b/c").unwrap_err().code(), "SEA-020");
    assert_eq!(vault("kbs://host/a/b/c").unwrap(), "kbs://host/a/b/c");
    assert_eq!(vault("kbs://a/b/c").unwrap_err().code(), "SEA-026");
    assert_eq!(vault("kbs:///a/b/c/d").unwrap_err().code(), "SEA-026");
    let bare = envelope(&changed("envelope", |p| p["key_id"] = json!("default/kek/1")));
    assert_eq!(bare.unwrap_data_key(&kek()).unwrap_err().code(), "SEA-020");
    let host = envelope(&changed("envelope", |p| p["key_id"] = json!("kbs://default/kek/1")));
    assert_eq!(host.key_resource().unwrap_err().code(), "SEA-026");
}

#[test]
fn an_envelope_that_was_changed_or_is_for_another_key_does_not_open() {
    let good = envelope(&vector("envelope"));
    let data_key = good.unwrap_data_key(&kek()).unwrap();
    let other = SecretBytes::new(vec![7; 32]);
    assert_eq!(good.unwrap_data_key(&other), Err(E::Unwrap));
    assert_eq!(good.open(&other, Ctr::AllowedDanger), Err(E::Decrypt));
    for length in [0, 16, 31, 33] {
        let short = SecretBytes::new(vec![1; length]);
        assert_eq!(good.unwrap_data_key(&short).unwrap_err().code(), "SEA-017");
        assert_eq!(good.open(&short, Ctr::Refused).unwrap_err().code(), "SEA-017");
    }
    for length in [0, 39, 41, 48] {
        let mut bad = good.clone();
        bad.encrypted_key.resize(length, 0);
        assert_eq!(bad.unwrap_data_key(&kek()).unwrap_err().code(), "SEA-017");
    }
    for index in 0..good.encrypted_key.len() {
        let mut bad = good.clone();
        bad.encrypted_key[index] ^= 0x80;
        assert_eq!(bad.unwrap_data_key(&kek()), Err(E::Unwrap));
    }
    for index in 0..good.encrypted_data.len() {
        let mut bad = good.clone();
        bad.encrypted_data[index] ^= 1;
        assert_eq!(bad.open(&data_key, Ctr::Refused), Err(E::Decrypt));
        bad.encrypted_data.truncate(index);
        assert_eq!(bad.open(&data_key, Ctr::Refused), Err(E::Decrypt));
    }
    let mut bad = good.clone();
    bad.iv[0] ^= 1;
    assert_eq!(bad.open(&data_key, Ctr::Refused), Err(E::Decrypt));
    bad.iv.push(0);
    assert_eq!(bad.open(&data_key, Ctr::Refused).unwrap_err().code(), "SEA-017");
}

#[test]
fn a_verification_key_is_a_public_key_on_p256_for_signatures() {
    let public: Value = serde_json::from_str(&vector("public_jwk")).unwrap();
    let with = |member: &str, value: Value| {
        let mut jwk = public.clone();
        jwk[member] = value;
        VerificationKey::from_jwk(jwk.to_string().as_bytes())
    };
    assert!(with("kid", json!("anything")).is_ok());
    assert!(with("use", json!("sig")).is_ok());
    assert!(with("alg", json!("ES256")).is_ok());
    for (member, value) in [
        ("kty", json!("oct")),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("x", json!("AAAA")),
        ("y", public["x"].clone()),
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("ES384")),
    ] {
        assert_eq!(with(member, value.clone()).unwrap_err().code(), "SEA-008", "{member} {value}");
    }
    let private = vector("private_jwk");
    let error = VerificationKey::from_jwk(private.as_bytes()).unwrap_err();
    assert_eq!(error, E::PrivateKey);
    let d = serde_json::from_str::<Value>(&private).unwrap()["d"].as_str().unwrap().to_owned();
    assert!(!error.to_string().contains(&d));
    // What is no key at all may be a secret, and is not shown.
    for text in [&b"\"hunter2\""[..], b"hunter2", b"{\"kty\":\"EC\",\"kty\":\"hunter2\"}", &[0xff]] {
        let error = VerificationKey::from_jwk(text).unwrap_err();
        assert_eq!(error.code(), "SEA-008");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let long = vec![b' '; (64 << 10) + 1];
    assert_eq!(VerificationKey::from_jwk(&long).unwrap_err().code(), "SEA-002");
    let other = assay_sealed_secret::SealingKey::generate("other").unwrap();
    let other = VerificationKey::from_public(other.public_jwk()).unwrap();
    let text = vector("vault");
    assert_eq!(Unverified::parse(&text).unwrap().verify(&other).unwrap_err().code(), "SEA-010");
}

#[test]
fn the_parts_of_two_texts_do_not_mix() {
    let (vault, envelope) = (vector("vault"), vector("envelope"));
    let (a, b): (Vec<_>, Vec<_>) = (vault.split('.').collect(), envelope.split('.').collect());
    for mixed in [[a[0], a[1], b[2], a[3]], [a[0], a[1], a[2], b[3]]] {
        assert_eq!(open(&mixed.join(".")).unwrap_err().code(), "SEA-010");
    }
    let other = b64(r#"{"alg":"ES256","kid":"other"}"#);
    assert_eq!(open(&[a[0], &other, a[2], a[3]].join(".")).unwrap_err().code(), "SEA-010");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_changed_byte_is_refused(position in any::<proptest::sample::Index>(), flip in 1_u8..128) {
        let text = vector("envelope");
        let mut bytes = text.clone().into_bytes();
        let index = position.index(bytes.len());
        bytes[index] ^= flip;
        let changed = String::from_utf8(bytes).unwrap();
        // White space at the end cuts nothing off: the last character is one of the signature.
        assert!(open(&changed).is_err());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(sealed\\.)?[A-Za-z0-9_=.-]{0,80}") {
        let _ = parse_without_verification_danger(&text);
        assert!(open(&text).is_err());
    }

    #[test]
    fn any_signed_payload_is_read_or_refused(payload in "[ -~]{0,60}", header in "[ -~]{0,60}") {
        assert!(open(&sign(&owner::header(), &payload)).is_err());
        assert!(open(&sign(&header, &vault_json())).is_err());
    }
}
