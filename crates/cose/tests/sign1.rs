//! Messages and keys: round trips, an independent library, and each thing that can be wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::type_complexity, missing_docs)]

use assay_cbor::{Value, read};
use assay_cose::{Algorithm, CoseError, Curve, KeyError, LIMITS, PublicKey, Sign1, header, sign1};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, KeyPair as _,
};
use coset::{CborSerializable as _, TaggedCborSerializable as _};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

struct Signer {
    pair: EcdsaKeyPair,
    public: PublicKey,
    algorithm: Algorithm,
}

impl Signer {
    fn new(curve: Curve) -> Self {
        let signing = match curve {
            Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        };
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let public = PublicKey::from_point(curve, pair.public_key().as_ref()).unwrap();
        Signer { pair, public, algorithm: Algorithm::of(curve) }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ()> {
        Ok(self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
    }

    fn message(&self, payload: &[u8]) -> Vec<u8> {
        let protected = vec![(header::ALG.into(), self.algorithm.id().into())];
        sign1(protected, Vec::new(), payload, |m| self.sign(m)).unwrap()
    }
}

#[test]
fn what_is_signed_verifies_here_and_elsewhere() {
    for curve in Curve::ALL {
        let signer = Signer::new(curve);
        let encoded = signer.message(b"payload");
        let message = Sign1::read(&encoded).unwrap();
        assert_eq!(message.payload(), b"payload");
        assert_eq!(message.algorithm(), Ok(signer.algorithm));
        assert_eq!(message.verify(&signer.public), Ok(()));
        let other = coset::CoseSign1::from_tagged_slice(&encoded).unwrap();
        other
            .verify_signature(b"", |signature, signed| {
                aws_lc_rs::signature::UnparsedPublicKey::new(curve.verification(), signer.public.point())
                    .verify(signed, signature)
            })
            .unwrap();
        assert_eq!(other.payload.as_deref(), Some(&b"payload"[..]));
        let stranger = Signer::new(curve);
        assert_eq!(message.verify(&stranger.public), Err(CoseError::BadSignature));
    }
}

#[test]
fn any_flipped_bit_is_noticed() {
    let signer = Signer::new(Curve::P256);
    let encoded = signer.message(b"payload");
    for index in 0..encoded.len() {
        for bit in 0..8 {
            let mut changed = encoded.clone();
            changed[index] ^= 1 << bit;
            let holds = Sign1::read(&changed).and_then(|message| message.verify(&signer.public));
            assert!(holds.is_err(), "byte {index}, bit {bit}");
        }
    }
}

#[test]
fn a_message_of_another_library_reads() {
    let signer = Signer::new(Curve::P384);
    let other = coset::CoseSign1Builder::new()
        .protected(coset::HeaderBuilder::new().algorithm(coset::iana::Algorithm::ES384).build())
        .payload(vec![1, 2, 3])
        .create_signature(b"", |message| signer.sign(message).unwrap())
        .build();
    let message = Sign1::read(&other.to_tagged_vec().unwrap()).unwrap();
    assert_eq!(message.verify(&signer.public), Ok(()));
}

/// The message with one of its parts replaced.
fn altered(encoded: &[u8], part: usize, with: Value) -> Vec<u8> {
    let value = read(encoded, LIMITS).unwrap();
    let mut items = value.as_tag().unwrap().1.as_array().unwrap().to_vec();
    items[part] = with;
    Value::tagged(18, items).encode()
}

fn problem(encoded: &[u8], key: &PublicKey) -> CoseError {
    Sign1::read(encoded).and_then(|message| message.verify(key)).unwrap_err()
}

#[test]
fn each_thing_that_can_be_wrong_has_its_error() {
    let signer = Signer::new(Curve::P256);
    let key = &signer.public;
    let good = signer.message(b"payload");
    let untagged = read(&good, LIMITS).unwrap().as_tag().unwrap().1.encode();
    assert!(matches!(problem(&untagged, key), CoseError::Structure { expected: "an item with tag 18", .. }));
    let other_tag = [&[0xd1][..], &untagged].concat();
    assert!(matches!(problem(&other_tag, key), CoseError::Structure { what: "COSE_Sign1", .. }));
    let trailing = [&good[..], &[0]].concat();
    assert!(matches!(problem(&trailing, key), CoseError::Cbor(_)));
    let three = Value::tagged(18, vec![Value::Null, Value::Null, Value::Null]).encode();
    assert!(matches!(problem(&three, key), CoseError::Structure { expected: "an array of 4 items", .. }));

    let detached = altered(&good, 2, Value::Null);
    assert!(matches!(problem(&detached, key), CoseError::Structure { what: "payload", .. }));
    let no_alg = altered(&good, 0, Value::Bytes(Vec::new()));
    assert_eq!(problem(&no_alg, key), CoseError::NoAlgorithm);
    let header = |value: Value| Value::Bytes(value.encode());
    let alg = |id: i64| header(vec![(Value::from(1_i64), Value::from(id))].into());
    for id in [0, -8, -37, 5, -257] {
        assert!(matches!(problem(&altered(&good, 0, alg(id)), key), CoseError::UnsupportedAlgorithm { .. }));
    }
    let text_alg = header(vec![(Value::from(1_i64), Value::from("ES256"))].into());
    assert!(matches!(problem(&altered(&good, 0, text_alg), key), CoseError::UnsupportedAlgorithm { .. }));
    assert_eq!(
        problem(&altered(&good, 0, alg(-35)), key),
        CoseError::AlgorithmMismatch { algorithm: Algorithm::Es384, curve: Curve::P256 }
    );
    let unprotected_alg: Value = vec![(Value::from(1_i64), Value::from(-7_i64))].into();
    let only_unprotected = altered(&no_alg, 1, unprotected_alg.clone());
    assert_eq!(problem(&only_unprotected, key), CoseError::NoAlgorithm);
    let twice = altered(&good, 1, unprotected_alg);
    assert_eq!(problem(&twice, key), CoseError::HeaderTwice { label: "1".into() });
    let crit = altered(&good, 1, vec![(Value::from(2_i64), Value::from(vec![Value::from(1_i64)]))].into());
    assert_eq!(problem(&crit, key), CoseError::Critical);
    let odd_label = altered(&good, 1, vec![(Value::Null, Value::Null)].into());
    assert!(matches!(problem(&odd_label, key), CoseError::Structure { what: "unprotected header", .. }));
    for length in [0, 63, 65, 96] {
        let short = altered(&good, 3, Value::Bytes(vec![1; length]));
        assert!(matches!(problem(&short, key), CoseError::SignatureLength { found, .. } if found == length));
    }
    let zero = altered(&good, 3, Value::Bytes(vec![0; 64]));
    assert_eq!(problem(&zero, key), CoseError::BadSignature);
}

#[test]
fn keys_have_one_value_in_every_form() {
    for curve in Curve::ALL {
        let key = Signer::new(curve).public;
        let (x, y) = curve.split(key.point()).unwrap();
        for again in [
            PublicKey::from_cose_key(&key.to_cose_key()),
            PublicKey::from_jwk(&key.to_jwk()),
            PublicKey::from_pem(&key.to_pem()),
            PublicKey::from_point(curve, key.point()),
            PublicKey::from_coordinates(curve, x, y),
        ] {
            assert_eq!(again.as_ref(), Ok(&key));
        }
        let other = coset::CoseKey::from_slice(&key.to_cose_key()).unwrap();
        assert_eq!(other.kty, coset::KeyType::Assigned(coset::iana::KeyType::EC2));
        // Base64 alone, as some CoRIMs have it.
        let bare: String = key.to_pem().lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(PublicKey::from_pem(&bare), Ok(key));
    }
}

#[test]
fn keys_that_are_none_are_refused() {
    let key = Signer::new(Curve::P256).public;
    let mut off = key.point().to_vec();
    off[64] ^= 1;
    let not_on_curve = KeyError::NotOnCurve { curve: Curve::P256 };
    assert_eq!(PublicKey::from_point(Curve::P256, &off).unwrap_err(), not_on_curve);
    let (x, y) = Curve::P256.split(&off).unwrap();
    assert_eq!(PublicKey::from_coordinates(Curve::P256, x, y).unwrap_err(), not_on_curve);
    assert_eq!(
        PublicKey::from_coordinates(Curve::P256, &x[1..], y).unwrap_err(),
        KeyError::CoordinateLength { coordinate: "x", curve: Curve::P256, found: 31 }
    );
    assert!(PublicKey::from_point(Curve::P384, key.point()).is_err());
    assert!(PublicKey::from_point(Curve::P256, &[]).is_err());
    let cose = |edit: &dyn Fn(&mut Vec<(Value, Value)>)| {
        let mut members = read(&key.to_cose_key(), LIMITS).unwrap().as_map().unwrap().to_vec();
        edit(&mut members);
        PublicKey::from_cose_key(&Value::Map(members).encode()).unwrap_err()
    };
    assert!(matches!(cose(&|m| m[0].1 = 1_i64.into()), KeyError::Unsupported { .. }));
    assert!(matches!(cose(&|m| m[1].1 = 8_i64.into()), KeyError::Unsupported { .. }));
    assert!(matches!(cose(&|m| m.truncate(3)), KeyError::Form { .. }));
    assert!(matches!(cose(&|m| m[3].1 = true.into()), KeyError::Form { .. }));
    assert!(matches!(PublicKey::from_cose_key(&[0x80]).unwrap_err(), KeyError::Form { .. }));
    for text in [
        "",
        "-----BEGIN PUBLIC KEY-----",
        "AAAA",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ] {
        assert!(PublicKey::from_pem(text).is_err(), "{text}");
    }
    assert!(PublicKey::from_jwk(&serde_json::json!({"kty": "RSA"})).is_err());
    assert!(PublicKey::from_certificate(b"").is_err());
}

proptest! {
    #[test]
    fn anything_is_read_without_panic(bytes in any::<Vec<u8>>()) {
        if let Ok(message) = Sign1::read(&bytes) {
            prop_assert!(message.protected().as_map().is_some());
        }
        let tagged = [&[0xd2, 0x84][..], &bytes].concat();
        let _ = Sign1::read(&tagged);
        let _ = (PublicKey::from_cose_key(&bytes), PublicKey::from_spki(&bytes), PublicKey::from_certificate(&bytes));
        prop_assert_eq!(PublicKey::from_point(Curve::P521, &bytes).is_ok(), false);
    }
}
