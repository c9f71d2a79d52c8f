//! CCA tokens read by independent libraries (ciborium, coset, RustCrypto) say what was set.
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

use std::collections::BTreeMap;
use std::path::Path;

use assay_cose::Curve;
use assay_emulator::cca::{Cca, CcaEvidence, Message, claim, indefinite};
use assay_emulator::{CcaSilicon, Seed};
use assay_types::{Digest, HashAlgorithm};
use ciborium::Value;
use coset::{CborSerializable as _, CoseKey, CoseSign1, TaggedCborSerializable as _};
use p256::ecdsa::signature::Verifier as _;

fn silicon() -> CcaSilicon {
    CcaSilicon::new(Seed::new([0x42; 32]))
}

fn cbor(bytes: &[u8]) -> Value {
    ciborium::from_reader(bytes).unwrap()
}

type Claims = BTreeMap<i64, Value>;

fn claims(bytes: &[u8]) -> Claims {
    let map = cbor(bytes).into_map().unwrap();
    let len = map.len();
    let claims: Claims =
        map.into_iter().map(|(k, v)| (i64::try_from(k.as_integer().unwrap()).unwrap(), v)).collect();
    assert_eq!(claims.len(), len, "keys repeat");
    claims
}

/// A content-format, where there is one, and a token.
type Entry = (Option<u64>, Vec<u8>);

/// Tag and tokens of a collection.
fn collection(token: &[u8]) -> (u64, [Entry; 2]) {
    let (tag, map) = cbor(token).into_tag().map(|(tag, inner)| (tag, *inner)).unwrap();
    let map = map.into_map().unwrap();
    let keys: Vec<u64> = map.iter().map(|(key, _)| key.as_integer().unwrap().try_into().unwrap()).collect();
    assert_eq!(keys, [44234, 44241]);
    let entries: Vec<Entry> = map
        .into_iter()
        .map(|(_, value)| match value {
            Value::Bytes(bytes) => (None, bytes),
            Value::Array(items) => {
                assert_eq!(items.len(), 2);
                (
                    Some(items[0].as_integer().unwrap().try_into().unwrap()),
                    items[1].as_bytes().unwrap().clone(),
                )
            }
            other => panic!("{other:?}"),
        })
        .collect();
    (tag, entries.try_into().unwrap())
}

fn holds(curve: Curve, point: &[u8], signature: &[u8], message: &[u8]) -> Result<(), String> {
    macro_rules! check {
        ($library:ident) => {{
            let key = $library::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
            let signature = $library::ecdsa::Signature::from_slice(signature).map_err(|e| e.to_string())?;
            key.verify(message, &signature).map_err(|e| e.to_string())
        }};
    }
    match curve {
        Curve::P256 => check!(p256),
        Curve::P384 => check!(p384),
        Curve::P521 => check!(p521),
    }
}

/// The payload of a token that verifies.
fn opened(token: &[u8], curve: Curve, point: &[u8]) -> Result<Vec<u8>, String> {
    let message = CoseSign1::from_tagged_slice(token).map_err(|error| error.to_string())?;
    let expected = match curve {
        Curve::P256 => coset::iana::Algorithm::ES256,
        Curve::P384 => coset::iana::Algorithm::ES384,
        Curve::P521 => coset::iana::Algorithm::ES512,
    };
    assert_eq!(message.protected.header.alg, Some(coset::Algorithm::Assigned(expected)));
    assert_eq!(message.unprotected, coset::Header::default());
    message.verify_signature(&[], |signature, message| holds(curve, point, signature, message))?;
    Ok(message.payload.unwrap())
}

fn bytes(value: &Value) -> &[u8] {
    value.as_bytes().unwrap()
}

/// The point of a RAK as it stands in claim 44237.
fn rak_point(content: &[u8]) -> Vec<u8> {
    if content.len() == 97 {
        return content.to_vec();
    }
    let key = CoseKey::from_slice(content).unwrap();
    assert_eq!(key.kty, coset::KeyType::Assigned(coset::iana::KeyType::EC2));
    let parameter = |label: i64| {
        let found = key.params.iter().find(|(l, _)| *l == coset::Label::Int(label));
        found.unwrap().1.clone()
    };
    assert_eq!(parameter(-1), Value::from(2));
    [&[4], bytes(&parameter(-2)), bytes(&parameter(-3))].concat()
}

fn hash(algorithm: &Value, data: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    match algorithm.as_text().unwrap() {
        "sha-256" => sha2::Sha256::digest(data).to_vec(),
        "sha-384" => sha2::Sha384::digest(data).to_vec(),
        "sha-512" => sha2::Sha512::digest(data).to_vec(),
        other => panic!("{other}"),
    }
}

/// What a verifier does that trusts the CPAK: signatures and binding. The claims of both.
fn verified(evidence: &CcaEvidence, cpak: &assay_cose::PublicKey) -> Result<(Claims, Claims), String> {
    let (_, [(_, platform_token), (_, realm_token)]) = collection(&evidence.token);
    assert_eq!((&platform_token, &realm_token), (&evidence.platform_token, &evidence.realm_token));
    let platform = claims(&opened(&platform_token, cpak.curve(), cpak.point())?);
    let profile = platform[&265].as_text().unwrap();
    let binding = if profile.contains(",2026:") { &platform[&2408] } else { &platform[&10] };
    let (realm, expected) = if profile.ends_with(";direct") {
        let realm = claims(&realm_token);
        let expected = hash(&realm[&44236], &realm_token);
        (realm, expected)
    } else {
        let unverified = CoseSign1::from_tagged_slice(&realm_token).unwrap().payload.unwrap();
        let key = bytes(&claims(&unverified)[&44237]).to_vec();
        let realm = claims(&opened(&realm_token, Curve::P384, &rak_point(&key))?);
        let expected = hash(&realm[&44240], &key);
        (realm, expected)
    };
    if bytes(binding) == expected { Ok((platform, realm)) } else { Err("binding".into()) }
}

#[test]
fn every_generation_decodes_to_what_it_is_and_holds_together() {
    let silicon = silicon();
    for generation in Cca::ALL {
        let evidence = silicon.guest(generation).realm(|realm| realm.challenge = [9; 64]).build();
        let (platform, realm) = verified(&evidence, &silicon.cpak(Curve::P384).public_key())
            .unwrap_or_else(|error| panic!("{generation}: {error}"));
        let direct = generation.as_str().starts_with("direct");

        let (tag, [(platform_format, _), (realm_format, _)]) = collection(&evidence.token);
        let old = matches!(generation, Cca::Rmm10 | Cca::Draft2023);
        assert_eq!(tag, if old { 399 } else { 907 }, "{generation}");
        assert_eq!(platform_format, (!old).then_some(263));
        assert_eq!(realm_format, (!old).then_some(if direct { 267 } else { 263 }));

        let (platform_profile, realm_profile) = match generation {
            Cca::Rmm10 => ("http://arm.com/CCA-SSD/1.0.0", None),
            Cca::Draft2023 => ("tag:arm.com,2023:cca_platform#1.0.0", Some("tag:arm.com,2023:realm#1.0.0")),
            Cca::Mixed => ("tag:arm.com,2023:cca_platform#1.0.0", Some("tag:arm.com,2024:realm#2.0.0")),
            Cca::Rmm20Of2024 => ("tag:arm.com,2024:cca_platform#2.0.0", Some("tag:arm.com,2024:realm#2.0.0")),
            Cca::Rmm20Of2026 => ("tag:arm.com,2026:cca_platform#2.0.0", Some("tag:arm.com,2026:realm#2.0.0")),
            Cca::Direct2024 => {
                ("tag:arm.com,2024:cca_platform#2.0.0;direct", Some("tag:arm.com,2024:realm#2.0.0"))
            }
            Cca::Direct2026 => {
                ("tag:arm.com,2026:cca_platform#2.0.0;direct", Some("tag:arm.com,2026:realm#2.0.0"))
            }
            Cca::HesRak2026 => {
                ("tag:arm.com,2026:cca_platform#2.0.0;HESRAK", Some("tag:arm.com,2026:realm#2.0.0"))
            }
        };
        assert_eq!(platform[&265].as_text(), Some(platform_profile));
        assert_eq!(realm.get(&265).and_then(|v| v.as_text()), realm_profile);

        assert_eq!(bytes(&platform[&2396]), silicon.implementation_id());
        assert_eq!(bytes(&platform[&256]), silicon.instance_id());
        assert_eq!(platform[&256].as_bytes().unwrap()[0], 1);
        assert_eq!(platform[&2395], Value::from(0x3003));
        assert_eq!(platform[&2402], Value::from("sha-256"));
        assert_eq!(platform.get(&2394), platform_profile.contains("#2.").then(|| Value::from(1)).as_ref());
        let of_2026 = platform_profile.contains(",2026:");
        assert_eq!(platform.contains_key(&2408), of_2026);
        assert_eq!(platform.contains_key(&10), !of_2026 || generation == Cca::HesRak2026);
        if generation == Cca::HesRak2026 {
            assert_eq!(platform[&10], realm[&10]);
        }

        assert_eq!(bytes(&realm[&10]), [9; 64]);
        assert_eq!(bytes(&realm[&44235]), [0; 64]);
        assert_eq!(bytes(&realm[&44238]).len(), 32);
        let extensible = realm[&44239].as_array().unwrap();
        assert_eq!(extensible, &vec![Value::Bytes(vec![0; 32]); 4]);
        let second = realm_profile.is_some_and(|profile| profile.contains("#2."));
        assert_eq!(realm.contains_key(&256), second);
        assert_eq!(realm.get(&44243), second.then(|| Value::from(1)).as_ref());
        assert_eq!(realm.contains_key(&44237), !direct);
        assert_eq!(realm.contains_key(&44240), !direct);
        if generation == Cca::Rmm10 {
            assert_eq!(bytes(&realm[&44237]).len(), 97);
        }
    }
}

#[test]
fn components_are_written_with_role_version_measurement_and_signer() {
    let evidence = silicon().guest(Cca::Draft2023).build();
    let (platform, _) = verified(&evidence, &silicon().cpak(Curve::P384).public_key()).unwrap();
    let components = platform[&2399].as_array().unwrap();
    let found: Vec<(String, String, usize, usize)> = components
        .iter()
        .map(|component| {
            let mut bytes = Vec::new();
            ciborium::into_writer(component, &mut bytes).unwrap();
            let members = claims(&bytes);
            assert_eq!(members.keys().copied().collect::<Vec<_>>(), [1, 2, 4, 5]);
            let text = |key: i64| members[&key].as_text().unwrap().to_owned();
            let len = |key: i64| members[&key].as_bytes().unwrap().len();
            (text(1), text(4), len(2), len(5))
        })
        .collect();
    let row = |role: &str, version: &str| (role.to_owned(), version.to_owned(), 32, 32);
    assert_eq!(
        found,
        [row("BL1", "1.2.0"), row("BL2", "2.12.1"), row("RMM", "0.9.0"), row("HW_CONFIG", "7")]
    );
}

#[test]
fn each_curve_of_the_platform_key_signs() {
    let silicon = silicon();
    for curve in Curve::ALL {
        let evidence = silicon.guest(Cca::Mixed).cpak(silicon.cpak(curve)).build();
        verified(&evidence, &silicon.cpak(curve).public_key()).unwrap();
        let other = CcaSilicon::new(Seed::new([0x43; 32])).cpak(curve).public_key();
        assert!(verified(&evidence, &other).is_err());
    }
}

#[test]
fn hash_algorithms_change_measurements_and_binding() {
    let silicon = silicon();
    for (algorithm, name, len) in [
        (HashAlgorithm::Sha256, "sha-256", 32),
        (HashAlgorithm::Sha384, "sha-384", 48),
        (HashAlgorithm::Sha512, "sha-512", 64),
    ] {
        for generation in [Cca::Rmm10, Cca::Rmm20Of2026, Cca::Direct2026] {
            let mut guest = silicon.guest(generation).platform_hash(algorithm).realm_hash(algorithm);
            if generation != Cca::Direct2026 {
                guest = guest.rak_hash(algorithm);
            }
            let (platform, realm) =
                verified(&guest.build(), &silicon.cpak(Curve::P384).public_key()).unwrap();
            assert_eq!(platform[&2402].as_text(), Some(name));
            assert_eq!(realm[&44236].as_text(), Some(name));
            assert_eq!(bytes(&realm[&44238]).len(), len);
            assert_eq!(bytes(&realm[&44239].as_array().unwrap()[3]).len(), len);
            let binding = if generation == Cca::Rmm10 { 10 } else { 2408 };
            assert_eq!(bytes(&platform[&binding]).len(), len);
        }
    }
}

/// The claims that TF-A and TF-RMM make are those of [`Cca::Mixed`].
#[test]
fn the_mixed_generation_has_the_claims_of_the_published_token() {
    let file = "../../../shared/vectors/cca/tf-m/cca_example_token.cbor";
    let Ok(published) = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)) else {
        println!("skipped: the folder of published evidence is not at hand");
        return;
    };
    let emulated = silicon().guest(Cca::Mixed).build().token;
    // Each claim with its kind, and its length where that is fixed.
    let shape = |token: &[u8]| {
        let (tag, entries) = collection(token);
        let claims = entries.each_ref().map(|(format, token)| {
            let message = CoseSign1::from_tagged_slice(token).unwrap();
            let algorithm = message.protected.header.alg.clone();
            let claims: BTreeMap<i64, String> = claims(&message.payload.unwrap())
                .into_iter()
                .map(|(key, value)| {
                    let kind = match value {
                        Value::Bytes(bytes) if key != 2401 => format!("{} bytes", bytes.len()),
                        Value::Bytes(_) => "bytes".into(),
                        Value::Text(_) => "text".into(),
                        Value::Integer(_) => "integer".into(),
                        Value::Array(_) => "array".into(),
                        other => panic!("{other:?}"),
                    };
                    (key, kind)
                })
                .collect();
            (*format, algorithm, claims)
        });
        (tag, claims)
    };
    assert_eq!(shape(&emulated), shape(&published));
}

#[test]
fn claims_can_be_set_removed_doubled_and_invented() {
    let silicon = silicon();
    let evidence = silicon
        .guest(Cca::Mixed)
        .platform(|claims| claims.lifecycle = 0x4000)
        .platform_members(|claims| {
            claims.remove(claim::platform::CONFIG);
            claims.add(2500_i64, "kept");
        })
        .realm_members(|claims| {
            claims.set(claim::realm::MEC_POLICY, "private");
            claims.add("text", true);
            claims.duplicate(claim::realm::CHALLENGE);
        })
        .build();
    let cpak = silicon.cpak(Curve::P384).public_key();
    let platform = claims(&opened(&evidence.platform_token, Curve::P384, cpak.point()).unwrap());
    assert_eq!(platform[&2395], Value::from(0x4000));
    assert!(!platform.contains_key(&2401));
    assert_eq!(platform[&2500], Value::from("kept"));
    let rak = silicon.rak(Curve::P384).public_key();
    let realm = cbor(&opened(&evidence.realm_token, Curve::P384, rak.point()).unwrap()).into_map().unwrap();
    assert_eq!(realm.iter().filter(|(key, _)| *key == Value::from(10)).count(), 2);
    assert!(realm.contains(&(Value::from(44243), Value::from("private"))));
    assert!(realm.contains(&(Value::from("text"), Value::from(true))));
    assert_eq!(evidence.realm_claims.0.len(), realm.len());
}

#[test]
fn the_binding_follows_typed_changes_and_not_changes_of_members() {
    let silicon = silicon();
    let cpak = silicon.cpak(Curve::P384).public_key();
    let good = silicon.guest(Cca::Rmm10).cose_rak().build();
    verified(&good, &cpak).unwrap();
    verified(&silicon.guest(Cca::Rmm20Of2024).raw_rak().build(), &cpak).unwrap();
    verified(&silicon.guest(Cca::Rmm20Of2024).rak(silicon.leading_zero_rak()).build(), &cpak).unwrap();
    let bad = silicon.guest(Cca::Rmm20Of2024).realm_members(|claims| {
        claims.set(claim::realm::PUBLIC_KEY_HASH_ALGORITHM, "sha-512");
    });
    assert_eq!(verified(&bad.build(), &cpak), Err("binding".into()));
    for (generation, key) in [(Cca::Mixed, 10), (Cca::Direct2026, 2408)] {
        let bad = silicon.guest(generation).platform_members(move |claims| claims.set(key, [0; 32]));
        assert_eq!(verified(&bad.build(), &cpak), Err("binding".into()));
    }
    let direct = silicon.guest(Cca::Direct2024).realm_members(|claims| claims.add(50000_i64, 1_i64));
    verified(&direct.build(), &cpak).unwrap();
}

#[test]
fn a_leading_zero_key_has_a_leading_zero() {
    let key = silicon().leading_zero_rak().public_key();
    assert_eq!(key.point()[..2], [4, 0]);
    assert_eq!(key.point().len(), 97);
}

#[test]
fn a_spliced_realm_token_is_good_by_itself_and_breaks_the_binding_alone() {
    let (silicon, other) = (silicon(), CcaSilicon::new(Seed::new([0x43; 32])));
    let cpak = silicon.cpak(Curve::P384).public_key();
    for generation in Cca::ALL {
        let guest = |silicon: &CcaSilicon| silicon.guest(generation).realm(|realm| realm.challenge = [5; 64]);
        let spliced = guest(&silicon).splice(&other).build();
        assert_eq!(spliced.platform_token, guest(&silicon).build().platform_token, "{generation}");
        assert_eq!(spliced.realm_token, guest(&other).build().realm_token, "{generation}");
        assert_eq!(verified(&spliced, &cpak), Err("binding".into()), "{generation}");
    }
}

#[test]
fn signatures_break_one_at_a_time() {
    let silicon = silicon();
    let cpak = silicon.cpak(Curve::P384).public_key();
    let rak = silicon.rak(Curve::P384).public_key();
    let state = |evidence: &CcaEvidence| {
        [(&evidence.platform_token, &cpak), (&evidence.realm_token, &rak)]
            .map(|(token, key)| opened(token, Curve::P384, key.point()).is_ok())
    };
    assert_eq!(state(&silicon.guest(Cca::Mixed).break_platform_signature().build()), [false, true]);
    assert_eq!(state(&silicon.guest(Cca::Mixed).break_realm_signature().build()), [true, false]);
    let swapped =
        silicon.guest(Cca::Mixed).realm_message(|message| message.signer = silicon.cpak(Curve::P384));
    assert_eq!(state(&swapped.build()), [true, false]);
}

#[test]
fn headers_are_as_they_were_set() {
    let header = |edit: fn(&mut Message)| {
        let token = silicon().guest(Cca::Mixed).platform_message(edit).build().platform_token;
        let (tag, array) = match cbor(&token) {
            Value::Tag(tag, inner) => (Some(tag), *inner),
            other => (None, other),
        };
        let items = array.into_array().unwrap();
        assert_eq!(items.len(), 4);
        let len = items[3].as_bytes().unwrap().len();
        (tag, hex::encode(items[0].as_bytes().unwrap()), items[1].clone(), items[2].is_null(), len)
    };
    let empty = || Value::Map(Vec::new());
    assert_eq!(header(|_| {}), (Some(18), "a1013822".into(), empty(), false, 96));
    assert_eq!(header(|m| m.remove_algorithm()), (Some(18), String::new(), empty(), false, 96));
    let unprotected = Value::Map(vec![(Value::from(1), Value::from(-35))]);
    assert_eq!(header(|m| m.unprotect_algorithm()), (Some(18), String::new(), unprotected, false, 96));
    assert_eq!(header(|m| m.protected.set(1, -7_i64)), (Some(18), "a10126".into(), empty(), false, 96));
    assert_eq!(header(|m| m.protected_bytes = Some(vec![0xa0])).1, "a0");
    assert_eq!(header(|m| m.tag = None).0, None);
    assert_eq!(header(|m| m.tag = Some(98)).0, Some(98));
    assert!(header(|m| m.detached = true).3);
    assert_eq!(header(|m| m.signature = Some(vec![0; 7])).4, 7);
}

#[test]
fn the_collection_and_the_bytes_can_be_anything() {
    let silicon = silicon();
    let guest = || silicon.guest(Cca::Mixed);
    let bare = guest().collection(|collection| collection.tag = None).build().token;
    assert_eq!(bare[..4], [0xa2, 0x19, 0xac, 0xca]);
    let other = guest().collection(|collection| collection.tag = Some(61)).build().token;
    assert_eq!(cbor(&other).into_tag().unwrap().0, 61);
    let more = guest().collection(|collection| {
        collection.members.add("__cmwc_t", "tag:example.com,2026:x");
        let entry: Vec<assay_cbor::Value> = vec![999_i64.into(), [1].into()];
        collection.members.set(claim::REALM_TOKEN, entry);
    });
    let map = cbor(&more.build().token).into_tag().unwrap().1.into_map().unwrap();
    assert_eq!(map.len(), 3);
    assert_eq!(map[1].1, Value::Array(vec![999.into(), Value::Bytes(vec![1])]));

    let good = guest().build();
    let trailing = guest().token_bytes(|bytes| bytes.push(0)).build().token;
    assert_eq!(trailing, [good.token.as_slice(), &[0]].concat());
    let open = guest().realm_bytes(|bytes| *bytes = indefinite(bytes).unwrap()).build();
    let rak = silicon.rak(Curve::P384).public_key();
    let payload = opened(&open.realm_token, Curve::P384, rak.point()).unwrap();
    assert_eq!((payload[0], payload[payload.len() - 1]), (0xbf, 0xff));
    assert_eq!(claims(&payload)[&10], Value::Bytes(vec![0; 64]));
    let edited = guest().platform_bytes(|bytes| bytes.truncate(5)).build();
    assert_eq!(CoseSign1::from_tagged_slice(&edited.platform_token).unwrap().payload.unwrap().len(), 5);
}

#[test]
fn one_seed_gives_the_same_bytes_every_time_and_another_gives_others() {
    for generation in Cca::ALL {
        let make = |seed: u8| CcaSilicon::new(Seed::new([seed; 32])).guest(generation).build();
        assert_eq!(make(7).token, make(7).token);
        let (a, b) = (make(7), make(8));
        assert_ne!(a.platform_token, b.platform_token);
        for key in [2399, 2401, 2395] {
            assert_eq!(a.platform_claims.get(key), b.platform_claims.get(key));
        }
        for key in [256, 2396] {
            assert_ne!(a.platform_claims.get(key), b.platform_claims.get(key));
        }
        assert_eq!(a.realm_claims.get(44238), b.realm_claims.get(44238));
    }
}

/// Guards keys and signatures against a change that goes unnoticed.
#[test]
fn the_tokens_of_the_development_seed_are_the_published_ones() {
    let digests = Cca::ALL.map(|generation| {
        Digest::sha256(&CcaSilicon::new(Seed::DEVELOPMENT).guest(generation).build().token).to_hex()[..16]
            .to_owned()
    });
    assert_eq!(
        digests,
        [
            "bb907764bdf4cf2f",
            "6c2681466ea80ad6",
            "2d57744bede768d3",
            "7e2c6d0ffc413e18",
            "fd42193b0c41ea52",
            "32379233395c06de",
            "590d7eb31e7143ad",
            "c4e473a9cb11d881"
        ]
    );
}

#[test]
fn private_keys_and_seeds_are_not_in_debug_output() {
    let silicon = CcaSilicon::new(Seed::new([0xab; 32]));
    assert_eq!(format!("{:?}", silicon.cpak(Curve::P521)), "EcKey(P-521, private)");
    assert!(!format!("{silicon:?}").contains("abab"));
}
