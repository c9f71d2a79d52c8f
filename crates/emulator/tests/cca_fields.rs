//! Every field of CCA evidence that can be set by text does what its description says.
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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use assay_cose::{PublicKey, Sign1};
use assay_emulator::{Emulator, EmulatorError, Seed};
use assay_types::{Digest, Tee};
use ciborium::Value;
use coset::{CoseSign1, TaggedCborSerializable as _};
use proptest::prelude::*;
use serde_json::json;

fn emulator() -> &'static Emulator {
    static EMULATOR: LazyLock<Emulator> = LazyLock::new(|| Emulator::new(Seed::new([0x42; 32])));
    &EMULATOR
}

fn pairs(set: &[(&str, &str)]) -> Vec<(String, String)> {
    set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn token(set: &[(&str, &str)]) -> Result<Vec<u8>, EmulatorError> {
    emulator().raw_evidence(Tee::Cca, &[7; 48], None, &pairs(set))
}

fn cbor(bytes: &[u8]) -> Value {
    ciborium::from_reader(bytes).unwrap()
}

/// A place of a claim: `p` or `r` for the token, then keys and places.
type Flat = BTreeMap<String, Value>;

fn flatten(path: String, value: Value, out: &mut Flat) {
    match value {
        Value::Map(members) => {
            for (key, value) in members {
                let key = i64::try_from(key.as_integer().unwrap()).unwrap();
                flatten(format!("{path}.{key}"), value, out);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.into_iter().enumerate() {
                flatten(format!("{path}.{place}"), value, out);
            }
        }
        other => {
            out.insert(path, other);
        }
    }
}

/// The tag and both tokens.
fn parts(token: &[u8]) -> (u64, Vec<Vec<u8>>) {
    let (tag, map) = cbor(token).into_tag().unwrap();
    let tokens = map.into_map().unwrap().into_iter().map(|(_, value)| match value {
        Value::Array(items) => items[1].as_bytes().unwrap().clone(),
        bytes => bytes.as_bytes().unwrap().clone(),
    });
    (tag, tokens.collect())
}

/// Every claim of both tokens.
fn claims(set: &[(&str, &str)]) -> Flat {
    let (_, tokens) = parts(&token(set).unwrap());
    let mut out = Flat::new();
    for (name, token) in ["p", "r"].iter().zip(tokens) {
        let payload = CoseSign1::from_tagged_slice(&token).map_or(token, |message| message.payload.unwrap());
        flatten((*name).into(), cbor(&payload), &mut out);
    }
    out
}

/// Sets the field beside `with` and expects exactly `changes` among the claims; `None` is absent.
fn changes(name: &str, value: &str, with: &[(&str, &str)], expected: &[(&str, Option<Value>)]) {
    let before = claims(with);
    let mut set = vec![(name, value)];
    set.extend_from_slice(with);
    let after = claims(&set);
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let found: Vec<(&str, Option<&Value>)> = paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| (path.as_str(), after.get(path)))
        .collect();
    let expected: BTreeMap<&str, Option<&Value>> =
        expected.iter().map(|(path, value)| (*path, value.as_ref())).collect();
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{name}={value}");
}

fn bytes(len: usize) -> (String, Value) {
    let bytes: Vec<u8> = (0..len).map(|place| place as u8 + 1).collect();
    (hex::encode(&bytes), Value::Bytes(bytes))
}

fn padded(len: usize) -> Value {
    let mut bytes: Vec<u8> = (0..len).map(|place| place as u8 + 1).collect();
    bytes.resize(64, 0);
    Value::Bytes(bytes)
}

#[test]
fn every_field_changes_its_claim_and_nothing_else() {
    let mut done: BTreeSet<String> = BTreeSet::new();
    for (name, value, path, found) in [
        ("platform.profile", "tag:example", "p.265", Value::from("tag:example")),
        ("realm.profile", "tag:example", "r.265", Value::from("tag:example")),
        ("lifecycle", "0x4001", "p.2395", Value::from(0x4001)),
        ("hash-algorithm", "banana", "p.2402", Value::from("banana")),
        ("realm.hash-algorithm", "banana", "r.44236", Value::from("banana")),
        ("rak.hash-algorithm", "banana", "r.44240", Value::from("banana")),
        ("mec-policy", "0", "r.44243", Value::from(0)),
        ("lfa-policy", "1", "r.44244", Value::from(1)),
    ] {
        changes(name, value, &[], &[(path, Some(found))]);
        done.insert(name.into());
    }
    changes("mec-policy", "shared", &[], &[("r.44243", Some(Value::from("shared")))]);
    for (name, len, path) in [
        ("implementation-id", 32, "p.2396"),
        ("instance-id", 33, "p.256"),
        ("config", 5, "p.2401"),
        ("binding", 48, "p.10"),
        ("rim", 64, "r.44238"),
        ("rem0", 32, "r.44239.0"),
        ("rem1", 33, "r.44239.1"),
        ("rem2", 48, "r.44239.2"),
        ("rem3", 64, "r.44239.3"),
        ("realm.instance-id", 33, "r.256"),
    ] {
        let (text, found) = bytes(len);
        changes(name, &text, &[], &[(path, Some(found))]);
        done.insert(name.into());
    }
    for (name, path) in [("challenge", "r.10"), ("rpv", "r.44235")] {
        changes(name, &bytes(20).0, &[], &[(path, Some(padded(20)))]);
        done.insert(name.into());
    }
    for number in 0..4 {
        for (part, key, value, found) in [
            ("type", 1, "XY".to_owned(), Value::from("XY")),
            ("measurement", 2, bytes(48).0, bytes(48).1),
            ("version", 4, "9.9".to_owned(), Value::from("9.9")),
            ("signer-id", 5, bytes(31).0, bytes(31).1),
        ] {
            let name = format!("component.{number}.{part}");
            changes(&name, &value, &[], &[(&format!("p.2399.{number}.{key}"), Some(found))]);
            done.insert(name);
        }
    }
    // The tests below have these.
    done.extend(
        ["generation", "wrapper", "cpak", "cpak.seed", "splice", "components.remove"].map(String::from),
    );
    let all: BTreeSet<String> =
        Emulator::fields(Tee::Cca).iter().map(|field| field.name.to_owned()).collect();
    assert_eq!(done, all);
}

#[test]
fn the_binding_is_set_where_the_generation_has_it() {
    let (text, found) = bytes(32);
    changes("binding", &text, &[("generation", "rmm-2.0-2026")], &[("p.2408", Some(found.clone()))]);
    changes("binding", &text, &[("generation", "hesrak-2026")], &[("p.2408", Some(found.clone()))]);
    changes("binding", &text, &[("generation", "rmm-1.0")], &[("p.10", Some(found))]);
}

#[test]
fn known_algorithms_take_the_measurements_along() {
    for (algorithm, len) in [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)] {
        let all = claims(&[
            ("hash-algorithm", algorithm),
            ("realm.hash-algorithm", algorithm),
            ("rak.hash-algorithm", algorithm),
            ("component.1.measurement", "0102"),
        ]);
        let length = |path: &str| all[path].as_bytes().unwrap().len();
        for path in ["p.2399.0.2", "r.44238", "r.44239.0", "r.44239.3", "p.10"] {
            assert_eq!(length(path), len, "{algorithm}: {path}");
        }
        for path in ["p.2402", "r.44236", "r.44240"] {
            assert_eq!(all[path].as_text(), Some(algorithm));
        }
        assert_eq!(length("p.2399.1.2"), 2, "what is set is not overwritten");
        assert_eq!(length("p.2399.0.5"), 32);
    }
}

#[test]
fn a_component_is_left_out_and_the_others_keep_their_numbers() {
    for set in [
        [("components.remove", "0"), ("component.1.version", "5")],
        [("component.1.version", "5"), ("components.remove", "0")],
    ] {
        let all = claims(&set);
        assert_eq!(all["p.2399.0.1"].as_text(), Some("BL2"));
        assert_eq!(all["p.2399.0.4"].as_text(), Some("5"));
        assert!(!all.contains_key("p.2399.3.1"));
    }
}

#[test]
fn generation_and_wrapper_decide_profiles_and_tag() {
    for (generation, tag, platform, realm) in [
        ("rmm-1.0", 399, "http://arm.com/CCA-SSD/1.0.0", None),
        ("draft-2023", 399, "tag:arm.com,2023:cca_platform#1.0.0", Some("tag:arm.com,2023:realm#1.0.0")),
        ("mixed", 907, "tag:arm.com,2023:cca_platform#1.0.0", Some("tag:arm.com,2024:realm#2.0.0")),
        ("rmm-2.0-2024", 907, "tag:arm.com,2024:cca_platform#2.0.0", Some("tag:arm.com,2024:realm#2.0.0")),
        ("rmm-2.0-2026", 907, "tag:arm.com,2026:cca_platform#2.0.0", Some("tag:arm.com,2026:realm#2.0.0")),
        (
            "direct-2024",
            907,
            "tag:arm.com,2024:cca_platform#2.0.0;direct",
            Some("tag:arm.com,2024:realm#2.0.0"),
        ),
        (
            "direct-2026",
            907,
            "tag:arm.com,2026:cca_platform#2.0.0;direct",
            Some("tag:arm.com,2026:realm#2.0.0"),
        ),
        (
            "hesrak-2026",
            907,
            "tag:arm.com,2026:cca_platform#2.0.0;HESRAK",
            Some("tag:arm.com,2026:realm#2.0.0"),
        ),
    ] {
        let set = [("generation", generation)];
        assert_eq!(parts(&token(&set).unwrap()).0, tag);
        let all = claims(&set);
        assert_eq!(all["p.265"].as_text(), Some(platform));
        assert_eq!(all.get("r.265").and_then(|value| value.as_text()), realm);
        for wrapper in ["399", "907"] {
            let made = token(&[("generation", generation), ("wrapper", wrapper)]).unwrap();
            assert_eq!(parts(&made).0.to_string(), wrapper);
        }
    }
    assert_eq!(token(&[]).unwrap(), token(&[("generation", "mixed")]).unwrap());
}

#[test]
fn the_anchors_have_the_key_of_every_curve_and_a_platform_of_another_seed_has_others() {
    let anchors = &emulator().anchors().anchors[&Tee::Cca];
    let all = claims(&[]);
    let keys: Vec<PublicKey> = anchors["trust-anchors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|anchor| {
            let named = |path: &str| json!(hex::encode(all[path].as_bytes().unwrap()));
            assert_eq!(anchor["implementation-id"], named("p.2396"));
            assert_eq!(anchor["instance-id"], named("p.256"));
            PublicKey::from_jwk(&anchor["pkey"]).unwrap()
        })
        .collect();
    let signer = |set: &[(&str, &str)]| {
        let platform = Sign1::read(&parts(&token(set).unwrap()).1[0]).unwrap();
        keys.iter().find(|key| platform.verify(key).is_ok()).map(|key| key.curve().as_str())
    };
    assert_eq!(keys.len(), 3);
    assert_eq!(signer(&[]), Some("P-384"));
    for (word, curve) in [("p256", "P-256"), ("p384", "P-384"), ("p521", "P-521")] {
        assert_eq!(signer(&[("cpak", word)]), Some(curve));
        assert_eq!(signer(&[("cpak", word), ("cpak.seed", &"43".repeat(32))]), None);
        assert_eq!(signer(&[("cpak", word), ("cpak.seed", &"42".repeat(32))]), Some(curve));
    }
    assert_eq!(all, claims(&[("cpak.seed", &"43".repeat(32))]), "the claims stay");
}

#[test]
fn a_spliced_token_is_the_one_that_the_other_platform_makes() {
    let other = Emulator::new(Seed::new([0x43; 32])).raw_evidence(Tee::Cca, &[7; 48], None, &[]).unwrap();
    let spliced = token(&[("splice", &"43".repeat(32))]).unwrap();
    assert_eq!(parts(&spliced).1[0], parts(&token(&[]).unwrap()).1[0]);
    assert_eq!(parts(&spliced).1[1], parts(&other).1[1]);
}

#[test]
fn report_data_and_init_data_go_where_they_belong() {
    for init in [Digest::sha256(b"init"), Digest::sha384(b"init")] {
        let raw = emulator().raw_evidence(Tee::Cca, &[7; 48], Some(&init), &[]).unwrap();
        let json = emulator().evidence(Tee::Cca, &[7; 48], Some(&init), &[]).unwrap();
        assert_eq!(json, json!({ "token": raw }));
        let realm = CoseSign1::from_tagged_slice(&parts(&raw).1[1]).unwrap().payload.unwrap();
        let mut all = Flat::new();
        flatten("r".into(), cbor(&realm), &mut all);
        let zeros = |bytes: &[u8]| Value::Bytes([bytes, &vec![0; 64 - bytes.len()]].concat());
        assert_eq!(all["r.10"], zeros(&[7; 48]));
        assert_eq!(all["r.44235"], zeros(init.as_bytes()));
    }
    assert!(matches!(emulator().evidence(Tee::Cca, &[0; 65], None, &[]), Err(EmulatorError::TooLong(_))));
}

#[test]
fn bad_settings_are_refused() {
    let long = "00".repeat(65);
    for (name, value) in [
        ("generation", "rmm-3"),
        ("wrapper", "61"),
        ("cpak", "P-384"),
        ("cpak.seed", "00"),
        ("splice", ""),
        ("implementation-id", "00"),
        ("instance-id", &"00".repeat(32)),
        ("realm.instance-id", &"00".repeat(34)),
        ("lifecycle", "0x10000"),
        ("config", &"00".repeat(257)),
        ("challenge", &long),
        ("rpv", &long),
        ("rim", &long),
        ("rem3", "zz"),
        ("binding", &long),
        ("components.remove", "4"),
        ("component.0.signer-id", &long),
        ("component.3.version", &"x".repeat(257)),
        ("hash-algorithm", &"x".repeat(257)),
        ("lfa-policy", "allow"),
    ] {
        let error = token(&[(name, value)]).unwrap_err();
        assert!(
            matches!(&error, EmulatorError::BadValue { name: n, .. } if n == name),
            "{name}={value}: {error}"
        );
    }
    for name in ["component.4.type", "component.0.hash", "RIM", ""] {
        let error = token(&[(name, "1")]).unwrap_err();
        assert!(matches!(&error, EmulatorError::UnknownField { .. }), "{error}");
    }
}

#[test]
fn raw_evidence_of_the_other_tees_says_the_same_as_their_json() {
    let set = pairs(&[("certs", "none")]);
    let snp = emulator().raw_evidence(Tee::Snp, &[7; 48], None, &set).unwrap();
    let report = assay_tee_snp::evidence::SnpEvidence::parse(&snp).unwrap().report;
    assert_eq!(report.report_data[..48], [7; 48]);
    let sample = emulator().raw_evidence(Tee::Sample, &[7; 48], None, &[]).unwrap();
    let json = emulator().evidence(Tee::Sample, &[7; 48], None, &[]).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&sample).unwrap(), json);
    assert!(emulator().raw_evidence(Tee::Se, &[], None, &[]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_set_gives_evidence_or_an_error(
        field in proptest::sample::select(Emulator::fields(Tee::Cca)),
        value in "0x[0-9a-f]{1,5}|[0-9]{1,20}|([0-9a-f]{2}){0,65}|[a-z0-9.-]{0,12}|\\PC{0,12}",
        generation in proptest::sample::select(vec!["rmm-1.0", "mixed", "direct-2026", "hesrak-2026"]),
    ) {
        let set = if field.name == "generation" { vec![] } else { vec![("generation", generation)] };
        let set: Vec<(&str, &str)> = set.into_iter().chain([(field.name, value.as_str())]).collect();
        match token(&set) {
            Ok(made) => assert_eq!(parts(&made).1.len(), 2),
            Err(EmulatorError::BadValue { name, .. }) => assert_eq!(name, field.name),
            Err(other) => panic!("{other}"),
        }
    }
}
