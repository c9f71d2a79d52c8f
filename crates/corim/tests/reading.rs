//! Round trips, signed documents, and each thing that can be wrong with one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use assay_cbor::Value;
use assay_corim::{
    Class, Comid, Corim, CorimError, CryptoKey, Digest, DigestAlgorithm, Document, Entity, Environment,
    Identifier, KeyHint, KeyTriple, LIMITS, Measurement, MeasurementKey, MeasurementValues, Meta, Profile,
    RawValue, SignedCorim, Tag, TagId, ValueTriple, Version, read,
};
use assay_cose::{Algorithm, Curve, PublicKey, header, sign1};
use assay_types::{Coded as _, UnixTime, Validity};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const VALIDITY: Validity = Validity { not_before: UnixTime(1_000), not_after: UnixTime(2_000) };

fn sample() -> Corim {
    let mut comid = Comid::new("tag");
    comid.triples.reference.push(ValueTriple {
        environment: Environment::of_class(Identifier::Bytes(vec![7; 32])),
        measurements: vec![Measurement {
            key: Some(MeasurementKey::Text("k".into())),
            values: MeasurementValues { name: Some("n".into()), ..MeasurementValues::default() },
            authorized_by: Vec::new(),
        }],
    });
    Corim { validity: Some(VALIDITY), ..Corim::new("corim", comid) }
}

struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Signer(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ()> {
        Ok(self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
    }

    fn public(&self) -> PublicKey {
        PublicKey::from_point(Curve::P256, self.0.public_key().as_ref()).unwrap()
    }
}

fn signed(bytes: &[u8]) -> SignedCorim {
    match read(bytes).unwrap() {
        Document::Signed(signed) => *signed,
        Document::Unsigned(_) => panic!("unsigned"),
    }
}

#[test]
fn a_signed_corim_is_read_and_verifies_here_and_is_read_elsewhere() {
    let signer = Signer::new();
    let corim = sample();
    let later = Validity { not_before: UnixTime(1_500), not_after: UnixTime(3_000) };
    let meta =
        Meta { signer: "ACME".into(), uri: Some("https://acme.example".into()), validity: Some(later) };
    for x5chain in [Vec::new(), vec![vec![1, 2]], vec![vec![1, 2], vec![3]]] {
        let hint = KeyHint { kid: Some(vec![9]), x5chain };
        let bytes = corim.encode_signed(&meta, Algorithm::Es256, &hint, |m| signer.sign(m)).unwrap();
        let document = signed(&bytes);
        assert_eq!((&document.corim, &document.meta, &document.key), (&corim, &meta, &hint));
        document.message.verify(&signer.public()).unwrap();
        assert!(document.message.verify(&Signer::new().public()).is_err());
        let both = Validity { not_before: UnixTime(1_500), not_after: UnixTime(2_000) };
        assert_eq!(Document::Signed(Box::new(document)).validity(), both);
        let other = corim::types::signed::decode_signed_corim(&bytes).unwrap();
        let payload = corim::types::signed::validate_signed_corim_payload(&other, 1_700).unwrap();
        assert_eq!(payload.comids.len(), 1);
    }
}

#[test]
fn cwt_claims_say_signer_and_validity_too() {
    let protected = |claims: Value| {
        vec![
            (header::ALG.into(), Algorithm::Es256.id().into()),
            (header::CONTENT_TYPE.into(), "application/rim+cbor".into()),
            (header::CWT_CLAIMS.into(), claims),
        ]
    };
    let message = |claims: Value| {
        sign1(protected(claims), Vec::new(), &sample().encode_unsigned(), |_| Ok::<_, ()>(vec![0; 64]))
            .unwrap()
    };
    let claims = Value::Map(vec![
        (1_i64.into(), "issuer".into()),
        (4_i64.into(), 20_i64.into()),
        (5_i64.into(), 10_i64.into()),
    ]);
    let document = signed(&message(claims));
    assert_eq!(document.meta.signer, "issuer");
    // The second `exp` does not belong to it.
    let expected = Validity { not_before: UnixTime(10), not_after: UnixTime(19) };
    assert_eq!(document.meta.validity, Some(expected));
    assert_eq!(read(&message(Value::Map(Vec::new()))).unwrap_err().code(), "COR-003");
}

/// The error of a changed sample: its code and its text.
fn refused(value: &Value) -> (&'static str, String) {
    let error = read(&value.encode()).unwrap_err();
    (error.code(), error.to_string())
}

fn map(members: Vec<(i64, Value)>) -> Value {
    Value::Map(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn with_triples(triples: Value) -> Value {
    let comid = map(vec![(1, map(vec![(0, "t".into())])), (4, triples)]);
    with_tags(vec![Value::tagged(506, comid.encode())])
}

fn with_tags(tags: Vec<Value>) -> Value {
    Value::tagged(501, map(vec![(0, "c".into()), (1, tags.into())]))
}

/// A document with one measurement that has these values.
fn with_values(values: Value) -> Value {
    let environment = map(vec![(0, map(vec![(0, Value::tagged(560, [1]))]))]);
    let measurements = Value::Array(vec![map(vec![(1, values)])]);
    with_triples(map(vec![(0, Value::Array(vec![Value::Array(vec![environment, measurements])]))]))
}

#[test]
fn each_thing_that_is_wrong_is_refused_with_its_place() {
    let nothing = || Value::Map(Vec::new());
    let empty = || Value::Array(Vec::new());
    let whole = |members| Value::tagged(501, map(members));
    let tag = || with_tags(vec![Value::tagged(508, 1_i64)]);
    let tags = tag().as_tag().unwrap().1.get(1).unwrap().clone();
    let time = |seconds: i64| Value::tagged(1, seconds);
    let validity = |validity| whole(vec![(0, "c".into()), (1, tags.clone()), (4, validity)]);
    let digest = |items: Vec<Value>| with_values(map(vec![(2, items.into())]));
    for (value, code, text) in [
        (Value::from(1_i64), "COR-005", "found an integer"),
        (Value::tagged(506, nothing()), "COR-005", "found an item with tag 506"),
        (Value::tagged(500, Value::tagged(500, Value::tagged(500, nothing()))), "COR-005", "tag 500"),
        (Value::tagged(501, 1_i64), "COR-002", "corim: expected a map, found an integer"),
        (Value::tagged(18, empty()), "COR-006", "an array of 4 items"),
        (whole(Vec::new()), "COR-003", "corim.id"),
        (whole(vec![(0, "c".into())]), "COR-003", "corim.tags"),
        (
            whole(vec![(0, 1_i64.into()), (1, tags.clone())]),
            "COR-002",
            "corim.id: expected a text string or a UUID",
        ),
        (whole(vec![(0, [1; 15].into()), (1, tags.clone())]), "COR-002", "16 bytes"),
        (whole(vec![(0, "".into()), (1, tags.clone())]), "COR-002", "of 1 to 1024 bytes"),
        (whole(vec![(0, "c".into()), (1, tags.clone()), (3, 1_i64.into())]), "COR-002", "corim.profile"),
        (whole(vec![(0, "c".into()), (1, tags.clone()), (5, empty())]), "COR-002", "corim.entities"),
        (validity(nothing()), "COR-003", "corim.validity.not-after"),
        (validity(map(vec![(1, 7_i64.into())])), "COR-002", "expected a time (tag 1)"),
        (validity(map(vec![(1, time(-1))])), "COR-002", "found -1"),
        (validity(map(vec![(1, Value::tagged(1, Value::Float(1.5)))])), "COR-002", "whole seconds"),
        (validity(map(vec![(0, time(8)), (1, time(7))])), "COR-008", "corim.validity: it is never valid"),
        (with_tags(Vec::new()), "COR-002", "one tag or more"),
        (with_tags(vec![Value::tagged(508, 1_i64); 257]), "COR-004", "257 items; at most 256"),
        (with_tags(vec![1_i64.into()]), "COR-002", "corim.tags[0]: expected an item with a tag"),
        (with_tags(vec![Value::tagged(506, nothing())]), "COR-002", "a byte string that holds a CoMID"),
        (with_tags(vec![Value::tagged(506, [0xa1])]), "COR-001", "corim.tags[0]: CBOR, byte 0"),
        (with_tags(vec![Value::tagged(506, nothing().encode())]), "COR-003", "corim.tags[0].tag-identity"),
        (with_triples(nothing()), "COR-002", "one kind of triples or more"),
        (with_triples(map(vec![(0, empty())])), "COR-002", "corim.tags[0].triples.reference"),
        (with_triples(map(vec![(0, Value::Array(vec![empty()]))])), "COR-002", "triples.reference[0]"),
        (
            with_triples(map(vec![(3, Value::Array(vec![Value::Array(vec![nothing(), empty()])]))])),
            "COR-002",
            "triples.attest-key[0].environment: expected a class",
        ),
        (with_values(nothing()), "COR-002", "reference[0].measurements[0].mval: expected one member or more"),
        (with_values(map(vec![(0, nothing())])), "COR-003", "mval.version.version"),
        (digest(Vec::new()), "COR-002", "mval.digests"),
        (digest(vec![Value::Array(vec![1_i64.into()])]), "COR-002", "mval.digests[0]: expected an algorithm"),
        (digest(vec![Value::Array(vec![1_i64.into(), "x".into()])]), "COR-002", "expected a byte string"),
        (
            digest(vec![1_i64.into(), [0].into(), 7_i64.into()]),
            "COR-002",
            "pairs of an algorithm and a digest",
        ),
        (
            with_values(map(vec![(4, Value::tagged(563, empty()))])),
            "COR-002",
            "raw-value: expected a value and",
        ),
        (
            with_values(map(vec![(13, Value::Array(vec![1_i64.into()]))])),
            "COR-002",
            "cryptokeys[0]: expected a key",
        ),
    ] {
        let (found, message) = refused(&value);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(text), "{text}: {message}");
    }
}

#[test]
fn headers_of_signed_corims_are_checked() {
    let payload = sample().encode_unsigned();
    let meta = map(vec![(0, map(vec![(0, "ACME".into())]))]).encode();
    let message = |protected: Vec<(i64, Value)>, payload: &[u8]| {
        let protected = protected.into_iter().map(|(label, value)| (label.into(), value)).collect();
        sign1(protected, Vec::new(), payload, |_| Ok::<_, ()>(vec![0; 64])).unwrap()
    };
    let good = || vec![(3, "application/rim+cbor".into()), (8, Value::from(meta.as_slice()))];
    let with = |label: i64, value: Value| [good(), vec![(label, value)]].concat();
    assert_eq!(signed(&message(good(), &payload)).meta, Meta::of("ACME"));
    let chain = |count: usize| Value::Array(vec![[1].into(); count]);
    for (bytes, code) in [
        (message(vec![good()[1].clone()], &payload), "COR-007"),
        (message(vec![(3, "application/cbor".into()), good()[1].clone()], &payload), "COR-007"),
        (message(vec![good()[0].clone()], &payload), "COR-003"),
        (message(vec![good()[0].clone(), (8, Value::Map(Vec::new()))], &payload), "COR-002"),
        (message(vec![good()[0].clone(), (8, [0xa0].into())], &payload), "COR-003"),
        (message(with(4, "text".into()), &payload), "COR-002"),
        (message(with(33, chain(0)), &payload), "COR-002"),
        (message(with(33, chain(11)), &payload), "COR-004"),
        (message(with(2, chain(1)), &payload), "COR-006"),
        (message(good(), b""), "COR-001"),
        (message(good(), &[0x01]), "COR-005"),
    ] {
        let error = read(&bytes).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[test]
fn what_is_not_read_is_remarked_on() {
    let comid = map(vec![
        (1, map(vec![(0, "t".into())])),
        (3, Value::Array(Vec::new())),
        (4, map(vec![(5, Value::Array(Vec::new()))])),
    ]);
    let tags = vec![Value::tagged(506, comid.encode()), Value::tagged(505, [1])];
    let members = vec![(0, "c".into()), (1, tags.into()), (2, Value::Array(Vec::new()))];
    let document = read(&Value::tagged(501, map(members)).encode()).unwrap();
    let notes: Vec<String> = document.corim().notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "corim: the member 2 is not read",
            "corim.tags[0]: the member 3 is not read",
            "corim.tags[0].triples: the member 5 is not read",
            "corim.tags[1]: a CoSWID (tag 505) is not read",
        ]
    );
    assert_eq!(document.corim().comids().count(), 1);
}

#[test]
fn bombs_are_small_errors() {
    let deep = [vec![0xd9, 0x01, 0xf5], vec![0x81; 1 << 16]].concat();
    assert!(matches!(read(&deep).unwrap_err(), CorimError::Cbor { .. }));
    let long = vec![0; LIMITS.bytes + 1];
    let error = read(&long).unwrap_err();
    assert_eq!((error.code(), error.fault()), ("COR-001", assay_types::Fault::TooLarge));
}

#[test]
fn digests_without_an_array_around_each_are_read_with_a_remark() {
    let flat = with_values(map(vec![(2, vec![Value::from(1_i64), [7; 32].into()].into())]));
    let document = read(&flat.encode()).unwrap();
    assert_eq!(document.corim().notes.len(), 1);
    let (_, comid) = document.corim().comids().next().unwrap();
    let digests = comid.triples.reference[0].measurements[0].values.digests.clone();
    assert_eq!(digests, Some(vec![Digest { algorithm: DigestAlgorithm::Id(1), value: vec![7; 32] }]));
}

fn text() -> impl Strategy<Value = String> {
    "[ -~ü]{1,12}"
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn identifier() -> impl Strategy<Value = Identifier> {
    prop_oneof![
        bytes().prop_map(Identifier::Bytes),
        bytes().prop_map(Identifier::Ueid),
        any::<[u8; 16]>().prop_map(Identifier::Uuid),
        bytes().prop_map(Identifier::Oid),
        any::<u64>().prop_map(|n| Identifier::Other(n.into())),
    ]
}

fn key() -> impl Strategy<Value = CryptoKey> {
    prop_oneof![
        text().prop_map(CryptoKey::PkixBase64Key),
        text().prop_map(CryptoKey::PkixBase64Cert),
        bytes().prop_map(CryptoKey::Bytes),
        bytes().prop_map(|bytes| CryptoKey::Other(Value::tagged(558, bytes))),
    ]
}

fn environment() -> impl Strategy<Value = Environment> {
    let class =
        (identifier(), option::of(text()), option::of(text()), option::of(any::<u64>()), any::<u64>())
            .prop_map(|(id, vendor, model, layer, index)| Class {
                id: Some(id),
                vendor,
                model,
                layer,
                index: Some(index),
            });
    (class, option::of(identifier()), option::of(identifier()))
        .prop_map(|(class, instance, group)| Environment { class: Some(class), instance, group })
}

fn measurement() -> impl Strategy<Value = Measurement> {
    let algorithm =
        prop_oneof![any::<i64>().prop_map(DigestAlgorithm::Id), text().prop_map(DigestAlgorithm::Name)];
    let digest = (algorithm, bytes()).prop_map(|(algorithm, value)| Digest { algorithm, value });
    let version = (text(), option::of(any::<i64>()))
        .prop_map(|(version, scheme)| Version { version, scheme: scheme.map(Value::from) });
    let raw = prop_oneof![
        bytes().prop_map(RawValue::Bytes),
        (bytes(), bytes()).prop_map(|(value, mask)| RawValue::Masked { value, mask }),
        bytes().prop_map(|bytes| RawValue::Other(bytes.into())),
    ];
    let name = prop_oneof![
        text().prop_map(MeasurementKey::Text),
        any::<u64>().prop_map(MeasurementKey::Unsigned),
        any::<[u8; 16]>().prop_map(MeasurementKey::Uuid),
        bytes().prop_map(MeasurementKey::Oid),
    ];
    let values = (
        option::of(version),
        option::of(vec(digest, 1..4)),
        option::of(raw),
        option::of(bytes()),
        text(),
        option::of(vec(key(), 1..3)),
        option::of(any::<u64>()),
    )
        .prop_map(|(version, digests, raw_value, raw_value_mask, name, crypto_keys, svn)| {
            MeasurementValues {
                version,
                digests,
                raw_value,
                raw_value_mask,
                name: Some(name),
                crypto_keys,
                other: svn.map(|svn| (1_i64.into(), svn.into())).into_iter().collect(),
            }
        });
    (option::of(name), values, vec(key(), 0..2)).prop_map(|(key, values, authorized_by)| Measurement {
        key,
        values,
        authorized_by,
    })
}

fn comid() -> impl Strategy<Value = Comid> {
    let id = prop_oneof![text().prop_map(TagId::Text), any::<[u8; 16]>().prop_map(TagId::Uuid)];
    let values = || {
        (environment(), vec(measurement(), 1..3))
            .prop_map(|(environment, measurements)| ValueTriple { environment, measurements })
    };
    let keys = || {
        (environment(), vec(key(), 1..3), option::of(Just(Value::Map(Vec::new()))))
            .prop_map(|(environment, keys, conditions)| KeyTriple { environment, keys, conditions })
    };
    (
        id,
        any::<u64>(),
        option::of(text()),
        vec(values(), 1..3),
        vec(values(), 0..2),
        vec(keys(), 0..2),
        vec(keys(), 0..3),
    )
        .prop_map(|(id, version, language, reference, endorsed, identity, attest_key)| {
            let mut comid = Comid { version, language, ..Comid::new("") };
            comid.id = id;
            comid.triples = assay_corim::Triples { reference, endorsed, identity, attest_key };
            comid
        })
}

fn corim() -> impl Strategy<Value = Corim> {
    let tag = prop_oneof![
        3 => comid().prop_map(Tag::Comid),
        1 => bytes().prop_map(|bytes| Tag::Other { number: 505, content: bytes.into() }),
    ];
    let profile = prop_oneof![text().prop_map(Profile::Uri), bytes().prop_map(Profile::Oid)];
    let entity = (text(), option::of(text()), vec(any::<i64>(), 0..3))
        .prop_map(|(name, uri, roles)| Entity { name, uri, roles });
    let validity = (0..1000_i64, 1000..2000_i64)
        .prop_map(|(from, to)| Validity { not_before: UnixTime(from), not_after: UnixTime(to) });
    (text(), vec(tag, 1..4), option::of(profile), option::of(validity), vec(entity, 0..2)).prop_map(
        |(id, tags, profile, validity, entities)| Corim {
            id: TagId::Text(id),
            tags,
            profile,
            validity,
            entities,
            notes: Vec::new(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_as_the_same(corim in corim()) {
        let encoded = corim.encode_unsigned();
        let Document::Unsigned(mut read) = read(&encoded).unwrap() else { panic!("signed") };
        let others = corim.tags.len() - corim.comids().count();
        prop_assert_eq!(read.notes.len(), others);
        read.notes.clear();
        prop_assert_eq!(read, corim);
    }

    #[test]
    fn a_document_with_a_byte_changed_is_read_or_refused(corim in corim(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut encoded = corim.encode_unsigned();
        let index = at.index(encoded.len());
        encoded[index] = byte;
        // The outcome does not matter: it must be one.
        drop(read(&encoded));
    }
}
