//! Secrets for a guest: both halves, against each other and against one written here by the RFCs.
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

use assay_token::Curve;
use assay_token::jwe::{
    DecryptionKey, JweError, KeyAlgorithm, MAX_PLAINTEXT_BYTES, encrypt, read_tee_public_key,
};
use assay_types::{Coded as _, Digest, Response, SecretBytes, TeePubKey};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;
use proptest::prelude::{ProptestConfig, proptest};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// One thing that is changed.
type Change = Box<dyn Fn(&mut Value)>;

/// One key of each kind; RSA keys take long to make.
static KEYS: LazyLock<Vec<DecryptionKey>> =
    LazyLock::new(|| KeyAlgorithm::ALL.into_iter().map(|a| DecryptionKey::generate(a).unwrap()).collect());

fn curve_keys() -> impl Iterator<Item = &'static DecryptionKey> {
    KEYS.iter().filter(|key| key.algorithm() != KeyAlgorithm::RsaOaep256)
}

fn key(algorithm: KeyAlgorithm) -> &'static DecryptionKey {
    KEYS.iter().find(|key| key.algorithm() == algorithm).unwrap()
}

fn header(message: &Response) -> String {
    String::from_utf8(B64.decode(&message.protected).unwrap()).unwrap()
}

/// A good message of `key` with another protected header.
fn with_header(key: &DecryptionKey, change: impl FnOnce(&mut Value)) -> Response {
    let mut message = encrypt(key.public_jwk(), b"secret").unwrap();
    let mut header: Value = serde_json::from_str(&header(&message)).unwrap();
    change(&mut header);
    message.protected = B64.encode(header.to_string());
    message
}

#[test]
fn a_secret_comes_through_under_every_kind_of_key() {
    for key in KEYS.iter() {
        for secret in [&b""[..], b"s", &[7; 100_000]] {
            let message = encrypt(key.public_jwk(), secret).unwrap();
            assert_eq!(key.decrypt(&message).unwrap().expose(), secret, "{key:?}");
            // Over the wire and back.
            let message: Response = serde_json::from_str(&serde_json::to_string(&message).unwrap()).unwrap();
            assert_eq!(key.decrypt(&message).unwrap().expose(), secret);
        }
    }
}

#[test]
fn nothing_is_used_twice() {
    for key in KEYS.iter() {
        // Long enough that two ciphertexts are not the same by chance.
        let secret = b"a secret of many bytes";
        let (a, b) = (encrypt(key.public_jwk(), secret).unwrap(), encrypt(key.public_jwk(), secret).unwrap());
        assert_ne!(a.iv, b.iv);
        assert_ne!(a.encrypted_key, b.encrypted_key);
        assert_ne!(a.ciphertext, b.ciphertext);
        assert_eq!(a.protected == b.protected, key.algorithm() == KeyAlgorithm::RsaOaep256);
    }
}

#[test]
fn the_protected_header_is_exactly_what_clients_write_anew() {
    for key in curve_keys() {
        let message = encrypt(key.public_jwk(), b"secret").unwrap();
        let text = header(&message);
        let value: Value = serde_json::from_str(&text).unwrap();
        let TeePubKey::EC { crv, .. } = key.public_jwk() else { panic!() };
        let (x, y) = (value["epk"]["x"].as_str().unwrap(), value["epk"]["y"].as_str().unwrap());
        assert_eq!(
            text,
            format!(
                r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}}}"#
            )
        );
        let length = Curve::from_name(crv).unwrap().coordinate_len();
        assert_eq!([B64.decode(x).unwrap().len(), B64.decode(y).unwrap().len()], [length, length]);
        assert_eq!(B64.decode(&message.encrypted_key).unwrap().len(), 40);
        assert_eq!(B64.decode(&message.iv).unwrap().len(), 12);
        assert_eq!(B64.decode(&message.tag).unwrap().len(), 16);
    }
    let message = encrypt(key(KeyAlgorithm::RsaOaep256).public_jwk(), b"secret").unwrap();
    assert_eq!(header(&message), r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#);
    assert_eq!(B64.decode(&message.encrypted_key).unwrap().len(), 256);
}

fn agreement_of(curve: Curve) -> &'static agreement::Algorithm {
    match curve {
        Curve::P256 => &agreement::ECDH_P256,
        Curve::P384 => &agreement::ECDH_P384,
        Curve::P521 => &agreement::ECDH_P521,
    }
}

/// The key-encryption key, written out by RFC 7518, 4.6.2.
fn kek(own: &PrivateKey, other: &[u8]) -> Vec<u8> {
    let other = UnparsedPublicKey::new(own.algorithm(), other);
    agree(own, other, (), |z| {
        let mut input = vec![0, 0, 0, 1];
        input.extend(z);
        input.extend([0, 0, 0, 14]);
        input.extend(b"ECDH-ES+A256KW");
        input.extend([0, 0, 0, 0, 0, 0, 0, 0]);
        input.extend([0, 0, 1, 0]);
        Ok(Digest::sha256(&input).as_bytes().to_vec())
    })
    .unwrap()
}

#[test]
fn a_message_made_by_the_rfcs_alone_is_read_whatever_the_order_of_its_header() {
    for key in curve_keys() {
        let TeePubKey::EC { crv, x, y, .. } = key.public_jwk() else { panic!() };
        let curve = Curve::from_name(crv).unwrap();
        let point = [&[4][..], &B64.decode(x).unwrap(), &B64.decode(y).unwrap()].concat();
        let ephemeral = PrivateKey::generate(agreement_of(curve)).unwrap();
        let public = ephemeral.compute_public_key().unwrap();
        let (x, y) = public.as_ref()[1..].split_at(curve.coordinate_len());
        let header = format!(
            "{{ \"enc\":\"A256GCM\",\n \"kid\":\"any\", \"epk\":{{\"y\":\"{}\",\"kty\":\"EC\",\"x\":\"{}\",\"crv\":\"{crv}\"}},\"alg\":\"ECDH-ES+A256KW\"}}",
            B64.encode(y),
            B64.encode(x)
        );
        let protected = B64.encode(header);
        let content_key = [9; 32];
        let mut wrapped = [0; 40];
        AesKek::new(&AES_256, &kek(&ephemeral, &point)).unwrap().wrap(&content_key, &mut wrapped).unwrap();
        let mut content = b"the secret".to_vec();
        let tag = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content_key).unwrap())
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key([3; 12]),
                Aad::from(protected.as_bytes()),
                &mut content,
            )
            .unwrap();
        let message = Response {
            protected,
            encrypted_key: B64.encode(wrapped),
            iv: B64.encode([3; 12]),
            ciphertext: B64.encode(content),
            tag: B64.encode(tag),
        };
        assert_eq!(key.decrypt(&message).unwrap().expose(), b"the secret");
    }
}

#[test]
fn a_client_that_writes_the_header_anew_can_read_our_messages() {
    for key in curve_keys() {
        let TeePubKey::EC { crv, .. } = key.public_jwk() else { panic!() };
        let curve = Curve::from_name(crv).unwrap();
        let private =
            PrivateKey::from_private_key_der(agreement_of(curve), key.to_pkcs8().unwrap().expose()).unwrap();
        let message = encrypt(key.public_jwk(), b"the secret").unwrap();
        let header: Value = serde_json::from_str(&header(&message)).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let epk = &header["epk"];
        // alg, enc, then everything else sorted.
        let anew = format!(
            r#"{{"alg":"{}","enc":"{}","epk":{{"crv":"{}","kty":"{}","x":"{}","y":"{}"}}}}"#,
            text(&header["alg"]),
            text(&header["enc"]),
            text(&epk["crv"]),
            text(&epk["kty"]),
            text(&epk["x"]),
            text(&epk["y"])
        );
        let coordinate = |name: &str| B64.decode(text(&epk[name])).unwrap();
        let kek = kek(&private, &[&[4][..], &coordinate("x"), &coordinate("y")].concat());
        let mut content_key = [0; 32];
        let wrapped = B64.decode(&message.encrypted_key).unwrap();
        AesKek::new(&AES_256, &kek).unwrap().unwrap(&wrapped, &mut content_key).unwrap();
        let mut content = B64.decode(&message.ciphertext).unwrap();
        content.extend(B64.decode(&message.tag).unwrap());
        let iv: [u8; 12] = B64.decode(&message.iv).unwrap().try_into().unwrap();
        let plain = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content_key).unwrap())
            .open_in_place(Nonce::assume_unique_for_key(iv), Aad::from(B64.encode(anew)), &mut content)
            .unwrap();
        assert_eq!(plain, b"the secret");
    }
}

#[test]
fn each_changed_member_is_refused_with_its_own_reason() {
    let flip = |text: &str| {
        let mut bytes = B64.decode(text).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        B64.encode(bytes)
    };
    for key in KEYS.iter() {
        let good = encrypt(key.public_jwk(), b"secret").unwrap();
        let judge = |message: Response| key.decrypt(&message).unwrap_err();
        assert_eq!(
            judge(Response { encrypted_key: flip(&good.encrypted_key), ..good.clone() }),
            JweError::Unwrap
        );
        assert_eq!(judge(Response { iv: flip(&good.iv), ..good.clone() }), JweError::Decrypt);
        assert_eq!(judge(Response { ciphertext: flip(&good.ciphertext), ..good.clone() }), JweError::Decrypt);
        assert_eq!(judge(Response { tag: flip(&good.tag), ..good.clone() }), JweError::Decrypt);
        // The same header with a space more: nothing changes but the authenticated data.
        let protected = B64.encode(header(&good).replacen(':', ": ", 1));
        assert_eq!(judge(Response { protected, ..good.clone() }), JweError::Decrypt);
        // Everything of another message but the key.
        let other = encrypt(key.public_jwk(), b"secret").unwrap();
        assert_eq!(
            judge(Response { iv: other.iv, ciphertext: other.ciphertext, tag: other.tag, ..good.clone() }),
            JweError::Decrypt
        );
    }
}

#[test]
fn a_message_for_another_key_is_refused() {
    for algorithm in [KeyAlgorithm::EcdhP256, KeyAlgorithm::EcdhP384, KeyAlgorithm::EcdhP521] {
        let other = DecryptionKey::generate(algorithm).unwrap();
        let message = encrypt(other.public_jwk(), b"secret").unwrap();
        assert_eq!(key(algorithm).decrypt(&message).unwrap_err(), JweError::Unwrap);
    }
    let for_p256 = encrypt(key(KeyAlgorithm::EcdhP256).public_jwk(), b"secret").unwrap();
    let error = key(KeyAlgorithm::EcdhP384).decrypt(&for_p256).unwrap_err();
    assert!(matches!(error, JweError::EphemeralKey { .. }), "{error}");
    let error = key(KeyAlgorithm::RsaOaep256).decrypt(&for_p256).unwrap_err();
    assert_eq!(error, JweError::WrongAlgorithm { expected: "RSA-OAEP-256", found: "ECDH-ES+A256KW".into() });
}

#[test]
fn every_member_must_have_its_length() {
    for key in KEYS.iter() {
        let good = encrypt(key.public_jwk(), b"secret").unwrap();
        let wrapped = B64.decode(&good.encrypted_key).unwrap().len();
        let long = "A".repeat(10_000_000);
        for length in (0..=9).chain([16, 24, 32, 39, 41, 48, 255, 257]) {
            let encrypted_key = B64.encode(vec![1; length]);
            let error = key.decrypt(&Response { encrypted_key, ..good.clone() }).unwrap_err();
            assert_eq!(error, JweError::Length { member: "encrypted_key", expected: wrapped, found: length });
            for (member, expected) in [("iv", 12), ("tag", 16)] {
                let mut message = good.clone();
                let field = if member == "iv" { &mut message.iv } else { &mut message.tag };
                *field = B64.encode(vec![1; length]);
                let error = key.decrypt(&message).unwrap_err();
                if length != expected {
                    assert_eq!(error, JweError::Length { member, expected, found: length });
                }
            }
        }
        for message in [
            Response { encrypted_key: long.clone(), ..good.clone() },
            Response { iv: long.clone(), ..good.clone() },
            Response { tag: long.clone(), ..good.clone() },
        ] {
            assert_eq!(key.decrypt(&message).unwrap_err().code(), "JWE-011");
        }
        assert_eq!(
            key.decrypt(&Response { protected: long.clone(), ..good.clone() }).unwrap_err().code(),
            "JWE-015"
        );
    }
}

#[test]
fn members_that_are_no_base64url_are_refused_by_name() {
    for key in KEYS.iter() {
        let good = encrypt(key.public_jwk(), b"secret").unwrap();
        for (member, message) in [
            ("protected", Response { protected: "e30=".into(), ..good.clone() }),
            ("encrypted_key", Response { encrypted_key: "*".into(), ..good.clone() }),
            ("iv", Response { iv: "A+/A".into(), ..good.clone() }),
            ("ciphertext", Response { ciphertext: "A".into(), ..good.clone() }),
            ("tag", Response { tag: "AA AA".into(), ..good.clone() }),
        ] {
            assert_eq!(key.decrypt(&message).unwrap_err(), JweError::Encoding { member });
        }
    }
}

#[test]
fn other_algorithms_in_the_header_are_refused() {
    for key in KEYS.iter() {
        let own = if key.algorithm() == KeyAlgorithm::RsaOaep256 { "RSA-OAEP-256" } else { "ECDH-ES+A256KW" };
        for alg in ["", "dir", "none", "A256KW", "ECDH-ES", "ECDH-ES+A128KW", "RSA-OAEP", "ecdh-es+a256kw"] {
            let message = with_header(key, |header| header["alg"] = json!(alg));
            let error = key.decrypt(&message).unwrap_err();
            assert_eq!(error, JweError::WrongAlgorithm { expected: own, found: alg.into() });
        }
        let message = with_header(key, |header| header["alg"] = json!("RSA1_5"));
        assert_eq!(key.decrypt(&message).unwrap_err(), JweError::Rsa15Refused);
        for enc in ["", "A128GCM", "A128CBC-HS256", "a256gcm"] {
            let message = with_header(key, |header| header["enc"] = json!(enc));
            assert_eq!(key.decrypt(&message).unwrap_err(), JweError::WrongEncryption { found: enc.into() });
        }
        for member in ["crit", "zip", "apu", "apv"] {
            for value in [Value::Null, json!("x")] {
                let message = with_header(key, |header| header[member] = value);
                assert_eq!(key.decrypt(&message).unwrap_err(), JweError::UnsupportedHeader { member });
            }
        }
    }
}

#[test]
fn what_is_no_header_is_refused() {
    for key in KEYS.iter() {
        let good = encrypt(key.public_jwk(), b"secret").unwrap();
        for text in
            ["", "{}", "[]", "null", r#"{"alg":"ECDH-ES+A256KW"}"#, r#"{"alg":1,"enc":"A256GCM"}"#, "\u{0}"]
        {
            let message = Response { protected: B64.encode(text), ..good.clone() };
            assert_eq!(key.decrypt(&message).unwrap_err().code(), "JWE-007", "{text}");
        }
    }
}

#[test]
fn a_wrong_ephemeral_key_is_refused() {
    for key in curve_keys() {
        let length = {
            let TeePubKey::EC { crv, .. } = key.public_jwk() else { panic!() };
            Curve::from_name(crv).unwrap().coordinate_len()
        };
        let zeros = B64.encode(vec![0; length]);
        let changes: Vec<Change> = vec![
            Box::new(|header| drop(header.as_object_mut().unwrap().remove("epk"))),
            Box::new(|header| header["epk"] = Value::Null),
            Box::new(|header| header["epk"]["kty"] = json!("OKP")),
            Box::new(|header| header["epk"]["crv"] = json!("P-224")),
            Box::new(|header| header["epk"]["x"] = json!("")),
            Box::new(|header| header["epk"]["x"] = json!("AA==")),
            Box::new(|header| {
                let short = header["epk"]["y"].as_str().unwrap()[4..].to_owned();
                header["epk"]["y"] = json!(short);
            }),
            Box::new(move |header| {
                let mut y = B64.decode(header["epk"]["y"].as_str().unwrap()).unwrap();
                y[length - 1] ^= 1;
                header["epk"]["y"] = json!(B64.encode(y));
            }),
            // Not on the curve either, and what the encoding of infinity might be taken for.
            Box::new(move |header| {
                header["epk"]["x"] = json!(zeros);
                header["epk"]["y"] = json!(zeros);
            }),
        ];
        for (number, change) in changes.iter().enumerate() {
            let error = key.decrypt(&with_header(key, change)).unwrap_err();
            assert_eq!(error.code(), "JWE-012", "{number}: {error}");
        }
        let message = with_header(key, |header| header["epk"] = json!({ "crv": "P-256" }));
        assert_eq!(key.decrypt(&message).unwrap_err().code(), "JWE-007");
    }
}

#[test]
fn public_keys_that_cannot_be_used_are_refused() {
    let TeePubKey::EC { crv, alg, x, y } = key(KeyAlgorithm::EcdhP256).public_jwk().clone() else { panic!() };
    let ec = |crv: &str, alg: &str, x: &str, y: &str| TeePubKey::EC {
        crv: crv.into(),
        alg: alg.into(),
        x: x.into(),
        y: y.into(),
    };
    let refused = |key: TeePubKey| encrypt(&key, b"secret").unwrap_err();
    for other in ["P-224", "secp256k1", "", "p-256", "X25519"] {
        assert_eq!(refused(ec(other, &alg, &x, &y)), JweError::UnsupportedKey { kind: other.into() });
    }
    for other in ["ECDH-ES", "ECDH-ES+A128KW", "RSA-OAEP-256", ""] {
        assert_eq!(
            refused(ec(&crv, other, &x, &y)),
            JweError::UnsupportedAlgorithm { expected: "ECDH-ES+A256KW", found: other.into() }
        );
    }
    let off_curve = B64.encode([1; 32]);
    for (x, y) in [(&x[..40], &y[..]), ("", &y), (&format!("{x}="), &y), (&x, &x), (&x, &off_curve)] {
        assert_eq!(refused(ec(&crv, &alg, x, y)).code(), "JWE-004");
    }
    // The point is on P-256 only.
    for other in ["P-384", "P-521"] {
        assert_eq!(refused(ec(other, &alg, &x, &y)).code(), "JWE-004");
    }

    let TeePubKey::RSA { alg, n, e } = key(KeyAlgorithm::RsaOaep256).public_jwk().clone() else { panic!() };
    let rsa = |alg: &str, n: &str, e: &str| TeePubKey::RSA { alg: alg.into(), n: n.into(), e: e.into() };
    assert_eq!(refused(rsa("RSA1_5", &n, &e)), JweError::Rsa15Refused);
    assert_eq!(
        refused(rsa("RSA-OAEP", &n, &e)),
        JweError::UnsupportedAlgorithm { expected: "RSA-OAEP-256", found: "RSA-OAEP".into() }
    );
    let modulus = |length: usize, first: u8| {
        let mut bytes = vec![0xff; length];
        bytes[0] = first;
        B64.encode(bytes)
    };
    for (n, bits) in [
        ("".to_owned(), 0),
        (modulus(128, 0xff), 1024),
        (modulus(256, 0x7f), 2047),
        (modulus(1025, 0x01), 8193),
        (modulus(100_000, 0xff), 800_000),
    ] {
        assert_eq!(refused(rsa(&alg, &n, &e)), JweError::RsaKeySize { bits });
    }
    let leading_zero = B64.encode([&[0][..], &B64.decode(&n).unwrap()].concat());
    let even = modulus(256, 0xff).replace("_w", "_g");
    for (n, e) in [
        (&n[..], ""),
        (&n, "AA"),
        (&n, "AQ"),
        (&n, "AQ=="),
        ("*", &e),
        (&leading_zero, &e),
        (&n, "AQABAQABAQAB"),
        (&even, "Ag"),
    ] {
        assert_eq!(refused(rsa(&alg, n, e)).code(), "JWE-004", "{n:.10} {e}");
    }
}

#[test]
fn the_guests_key_is_read_from_claims() {
    for key in KEYS.iter() {
        let value = serde_json::to_value(key.public_jwk()).unwrap();
        assert_eq!(&read_tee_public_key(&value).unwrap(), key.public_jwk());
    }
    let kind = |value: Value| read_tee_public_key(&value).unwrap_err();
    assert_eq!(
        kind(json!({ "kty": "AKP", "alg": "ML-KEM-768+A192KW" })),
        JweError::UnsupportedKey { kind: "AKP".into() }
    );
    for value in
        [json!(null), json!({}), json!({ "kty": 5 }), json!({ "kty": "EC" }), json!({ "kty": "RSA", "n": 5 })]
    {
        assert_eq!(kind(value).code(), "JWE-004");
    }
}

#[test]
fn keys_survive_pkcs8() {
    for key in KEYS.iter() {
        let pkcs8 = key.to_pkcs8().unwrap();
        let again = DecryptionKey::from_pkcs8(key.algorithm(), &pkcs8).unwrap();
        assert_eq!(again.public_jwk(), key.public_jwk());
        let message = encrypt(key.public_jwk(), b"secret").unwrap();
        assert_eq!(again.decrypt(&message).unwrap().expose(), b"secret");
        for other in KeyAlgorithm::ALL.into_iter().filter(|other| *other != key.algorithm()) {
            let error = DecryptionKey::from_pkcs8(other, &pkcs8).unwrap_err();
            assert_eq!(error, JweError::InvalidPrivateKey { algorithm: other.as_str() });
        }
        assert_eq!(KeyAlgorithm::from_name(key.algorithm().as_str()), Some(key.algorithm()));
        assert_eq!(format!("{key:?}"), format!("DecryptionKey({})", key.algorithm()));
    }
    assert!(DecryptionKey::from_pkcs8(KeyAlgorithm::EcdhP256, &SecretBytes::new(vec![])).is_err());
}

#[test]
fn too_much_is_refused_on_both_sides() {
    let key = key(KeyAlgorithm::EcdhP256);
    let most = vec![1; MAX_PLAINTEXT_BYTES];
    let message = encrypt(key.public_jwk(), &most).unwrap();
    assert_eq!(key.decrypt(&message).unwrap().expose(), most);
    let more = vec![1; MAX_PLAINTEXT_BYTES + 1];
    assert_eq!(encrypt(key.public_jwk(), &more).unwrap_err().code(), "JWE-015");
    let ciphertext = format!("{}AAAA", message.ciphertext);
    assert_eq!(key.decrypt(&Response { ciphertext, ..message }).unwrap_err().code(), "JWE-015");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_secret_comes_through(secret: Vec<u8>, which in 0..4_usize) {
        let key = &KEYS[which];
        let message = encrypt(key.public_jwk(), &secret).unwrap();
        assert_eq!(key.decrypt(&message).unwrap().expose(), secret);
    }

    #[test]
    fn any_message_is_answered(protected: Vec<u8>, encrypted_key: Vec<u8>, rest: String, which in 0..4_usize) {
        let message = Response {
            protected: B64.encode(protected),
            encrypted_key: B64.encode(encrypted_key),
            iv: rest.clone(),
            ciphertext: rest.clone(),
            tag: rest,
        };
        assert!(KEYS[which].decrypt(&message).is_err());
    }
}
