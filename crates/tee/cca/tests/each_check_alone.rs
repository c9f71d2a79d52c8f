//! For each check of the catalogue, evidence that is good but for one thing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    clippy::type_complexity,
    missing_docs
)]

mod support;

use std::collections::BTreeSet;

use assay_cbor::Value;
use assay_cose::Curve;
use assay_emulator::cca::{Cca, CcaGuest, indefinite};
use assay_emulator::{CcaSilicon, Seed};
use assay_tee_cca::{CHECKS, CcaSettings};
use assay_types::{
    Binding, CollateralSet, Digest, HashAlgorithm, Outcome, RawEvidence, Tee, Verifier, VerifyError,
};
use support::{CHALLENGE, anchors, binding, failed, files, guest, outcome, silicon, verify, verify_with};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Malformed,
    Unsupported,
    Rejected,
}

use Kind::{Malformed, Rejected, Unsupported};

fn kind(error: &VerifyError) -> Kind {
    match error {
        VerifyError::Malformed(_) => Malformed,
        VerifyError::Unsupported(_) => Unsupported,
        VerifyError::Rejected(_) => Rejected,
    }
}

type Edit = fn(CcaGuest<'static>) -> CcaGuest<'static>;

/// Evidence of a generation that is good but for the edit, and the one check that says so.
const CASES: &[(&str, Kind, Cca, Edit)] = &[
    ("CCA-002", Malformed, Cca::Mixed, |g| g.collection(|c| c.tag = None)),
    ("CCA-002", Malformed, Cca::Mixed, |g| g.collection(|c| c.tag = Some(398))),
    ("CCA-002", Malformed, Cca::Rmm10, |g| g.collection(|c| c.tag = Some(907))),
    ("CCA-002", Malformed, Cca::Mixed, |g| g.collection(|c| c.tag = Some(399))),
    ("CCA-002", Malformed, Cca::Mixed, |g| g.collection(|c| c.members.remove(44241))),
    ("CCA-002", Malformed, Cca::Mixed, |g| g.collection(|c| c.members.remove(44234))),
    ("CCA-002", Malformed, Cca::Mixed, |g| g.collection(|c| c.members.duplicate(44241))),
    ("CCA-002", Malformed, Cca::Mixed, |g| {
        g.collection(|c| {
            if let Some(Value::Array(record)) = c.members.get_mut(44234) {
                record[0] = Value::from(999_i64);
            }
        })
    }),
    ("CCA-002", Malformed, Cca::Rmm10, |g| g.token_bytes(|bytes| bytes.push(0))),
    ("CCA-002", Malformed, Cca::Rmm10, |g| g.token_bytes(|bytes| bytes.truncate(100))),
    ("CCA-002", Malformed, Cca::Rmm10, |g| {
        g.token_bytes(|bytes| {
            let open = indefinite(&bytes[3..]).unwrap();
            bytes.truncate(3);
            bytes.extend(open);
        })
    }),
    ("CCA-003", Malformed, Cca::Mixed, |g| g.platform_message(|m| m.tag = None)),
    ("CCA-003", Malformed, Cca::Mixed, |g| g.platform_message(|m| m.detached = true)),
    ("CCA-003", Malformed, Cca::Mixed, |g| {
        g.platform_message(|m| m.unprotected.add(1_i64, Value::from(-35_i64)))
    }),
    ("CCA-004", Malformed, Cca::Mixed, |g| g.realm_message(|m| m.tag = Some(98))),
    ("CCA-004", Malformed, Cca::Mixed, |g| g.realm_message(|m| m.protected.add(2_i64, Value::Array(vec![])))),
    ("CCA-005", Unsupported, Cca::Mixed, |g| {
        g.platform_members(|m| m.set(265, "tag:arm.com,2031:cca_platform#9.0.0"))
    }),
    ("CCA-006", Unsupported, Cca::Mixed, |g| g.realm_members(|m| m.set(265, "tag:arm.com,2031:realm#9.0.0"))),
    ("CCA-007", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.remove(2396))),
    ("CCA-007", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.remove(2401))),
    ("CCA-007", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.remove(2395))),
    ("CCA-007", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.remove(2402))),
    ("CCA-007", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.remove(265))),
    ("CCA-007", Malformed, Cca::Rmm20Of2024, |g| g.platform_members(|m| m.remove(2394))),
    ("CCA-007", Malformed, Cca::Mixed, |g| {
        g.platform_members(|m| component(m, |c| c.retain(|(k, _)| *k != Value::from(5_i64))))
    }),
    ("CCA-008", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.set(2396, vec![1_u8; 31]))),
    ("CCA-008", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.set(256, vec![2_u8; 33]))),
    ("CCA-008", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.set(2399, Vec::<Value>::new()))),
    ("CCA-008", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.set(2395, -1_i64))),
    ("CCA-008", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.set(2395, 0x1_0000_i64))),
    ("CCA-008", Malformed, Cca::Mixed, |g| {
        // More than one nonce is not allowed.
        g.platform_members(|m| {
            let nonce = m.get(10).cloned().unwrap();
            m.set(10, vec![nonce]);
        })
    }),
    ("CCA-008", Malformed, Cca::Rmm20Of2024, |g| g.platform_members(|m| m.set(2394, 2_i64))),
    ("CCA-008", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.duplicate(2395))),
    ("CCA-008", Malformed, Cca::Mixed, |g| g.platform_bytes(|bytes| *bytes = indefinite(bytes).unwrap())),
    ("CCA-008", Malformed, Cca::Mixed, |g| g.platform_bytes(|bytes| bytes.push(0))),
    ("CCA-009", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.remove(10))),
    ("CCA-009", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.remove(44235))),
    ("CCA-009", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.remove(44243))),
    ("CCA-009", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.remove(256))),
    ("CCA-010", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.set(10, vec![1_u8; 63]))),
    ("CCA-010", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.set(44238, vec![1_u8; 33]))),
    ("CCA-010", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.set(44243, 2_i64))),
    ("CCA-010", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.duplicate(44238))),
    ("CCA-013", Rejected, Cca::Mixed, |g| g.platform_message(|m| m.protected.set(1, -37_i64))),
    ("CCA-013", Rejected, Cca::Mixed, |g| g.platform_message(assay_emulator::cca::Message::remove_algorithm)),
    ("CCA-013", Rejected, Cca::Mixed, |g| {
        g.platform_message(assay_emulator::cca::Message::unprotect_algorithm)
    }),
    ("CCA-014", Rejected, Cca::Mixed, CcaGuest::break_platform_signature),
    ("CCA-014", Rejected, Cca::Mixed, |g| g.cpak(stranger().cpak(Curve::P384))),
    // The header says ES256; the key that is tried is then the platform's on P-256.
    ("CCA-014", Rejected, Cca::Mixed, |g| g.platform_message(|m| m.protected.set(1, -7_i64))),
    ("CCA-014", Rejected, Cca::Mixed, |g| g.platform_message(|m| m.signature = Some(Vec::new()))),
    ("CCA-015", Rejected, Cca::Mixed, CcaGuest::raw_rak),
    ("CCA-015", Rejected, Cca::Rmm10, CcaGuest::cose_rak),
    ("CCA-017", Rejected, Cca::Mixed, |g| g.realm_message(|m| m.protected.set(1, -7_i64))),
    ("CCA-017", Rejected, Cca::Mixed, |g| g.realm_message(assay_emulator::cca::Message::remove_algorithm)),
    ("CCA-018", Rejected, Cca::Mixed, CcaGuest::break_realm_signature),
    ("CCA-019", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.add(2408_i64, vec![1_u8; 32]))),
    ("CCA-019", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.remove(10))),
    ("CCA-019", Malformed, Cca::Rmm20Of2026, |g| g.platform_members(|m| m.add(10_i64, vec![1_u8; 32]))),
    ("CCA-019", Malformed, Cca::Rmm20Of2026, |g| g.platform_members(|m| m.remove(2408))),
    ("CCA-019", Malformed, Cca::HesRak2026, |g| g.platform_members(|m| m.remove(10))),
    ("CCA-020", Rejected, Cca::Mixed, |g| g.splice(&stranger())),
    ("CCA-020", Rejected, Cca::Rmm10, |g| g.splice(&stranger())),
    ("CCA-020", Rejected, Cca::Rmm20Of2026, |g| g.splice(&stranger())),
    ("CCA-020", Rejected, Cca::Direct2026, |g| g.platform(|p| p.workload_binding = Some(vec![1; 32]))),
    ("CCA-021", Rejected, Cca::Mixed, |g| g.realm(|r| r.challenge = [1; 64])),
    // The same bytes, but not filled up with zeros.
    ("CCA-021", Rejected, Cca::Mixed, |g| g.realm(|r| r.challenge[63] = 1)),
    ("CCA-022", Rejected, Cca::HesRak2026, |g| g.platform(|p| p.challenge = Some(vec![1; 64]))),
    ("CCA-024", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.set(2395, 0x3100_i64))),
    ("CCA-024", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.set(2395, 0x7000_i64))),
    ("CCA-025", Malformed, Cca::Mixed, |g| g.realm_members(|m| rems(m, &[32, 32, 32]))),
    ("CCA-025", Malformed, Cca::Mixed, |g| g.realm_members(|m| rems(m, &[32, 32, 32, 32, 32]))),
    ("CCA-025", Malformed, Cca::Mixed, |g| g.realm_members(|m| rems(m, &[32, 32, 48, 32]))),
    ("CCA-025", Malformed, Cca::Mixed, |g| g.realm_members(|m| rems(m, &[]))),
    ("CCA-026", Malformed, Cca::Mixed, |g| g.platform_members(|m| m.set(2402, "banana"))),
    ("CCA-026", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.set(44236, "banana"))),
    ("CCA-026", Malformed, Cca::Mixed, |g| g.realm_members(|m| m.set(44240, "md5"))),
    ("CCA-026", Malformed, Cca::Mixed, |g| {
        g.platform_members(|m| component(m, |c| c.push((6_i64.into(), "sha-1".into()))))
    }),
];

fn stranger() -> CcaSilicon {
    CcaSilicon::new(Seed::new([8; 32]))
}

/// Changes the first firmware component.
fn component(members: &mut assay_emulator::cca::Members, edit: impl FnOnce(&mut Vec<(Value, Value)>)) {
    let Some(Value::Array(components)) = members.get_mut(2399) else { panic!() };
    let Value::Map(first) = &mut components[0] else { panic!() };
    edit(first);
}

fn rems(members: &mut assay_emulator::cca::Members, lengths: &[usize]) {
    members.set(44239, lengths.iter().map(|length| Value::Bytes(vec![0; *length])).collect::<Vec<_>>());
}

#[test]
fn each_check_fails_alone() {
    for (number, (code, expected, generation, edit)) in CASES.iter().enumerate() {
        let token = edit(guest(*generation)).build().token;
        let error = match verify(&token) {
            Err(error) => error,
            Ok(_) => panic!("case {number} ({code}) was accepted"),
        };
        assert_eq!(failed(&error), [*code], "case {number}: {error}");
        assert_eq!(kind(&error), *expected, "case {number}: {error}");
    }
}

#[test]
fn the_form_of_the_evidence() {
    for text in ["{", "{}", r#"{"token": "abc"}"#, r#"{"token": [256]}"#, r#"{"token": [1], "more": 1}"#] {
        let raw = RawEvidence::new(Tee::Cca, text.as_bytes().to_vec());
        let error = assay_tee_cca::CcaVerifier::new(CcaSettings::production()).parse(&raw).err().unwrap();
        assert_eq!((failed(&error), kind(&error)), (vec!["CCA-001"], Malformed), "{text}");
    }
}

#[test]
fn a_realm_of_the_wrong_model_is_refused() {
    // A direct platform with a signed realm, and the other way round.
    let direct = guest(Cca::Direct2026).build();
    let signed = guest(Cca::Rmm20Of2026).build();
    for (platform, realm, format) in [
        (&direct.platform_token, &signed.realm_token, 263_i64),
        (&signed.platform_token, &direct.realm_token, 267),
    ] {
        let entry = |format: i64, bytes: &Vec<u8>| Value::Array(vec![format.into(), bytes.clone().into()]);
        let map: Value =
            vec![(44234_i64.into(), entry(263, platform)), (44241_i64.into(), entry(format, realm))].into();
        let error = verify(&Value::tagged(907, map).encode()).unwrap_err();
        assert_eq!(failed(&error), ["CCA-004"]);
    }
}

#[test]
fn a_platform_without_trust_anchor_is_refused() {
    let token = guest(Cca::Mixed).build().token;
    let of_others = files([serde_json::json!([stranger().trust_anchors()[0]]).to_string()]);
    for collateral in [CollateralSet::default(), of_others] {
        let error = verify_with(CcaSettings::production(), &token, &binding(), &collateral).unwrap_err();
        assert_eq!(failed(&error), ["CCA-011"]);
        // What can be checked without it was checked.
        assert_eq!(outcome(error.findings(), "CCA-018"), Outcome::Passed);
        assert_eq!(outcome(error.findings(), "CCA-020"), Outcome::Passed);
        assert_eq!(outcome(error.findings(), "CCA-014"), Outcome::NotChecked);
    }
}

#[test]
fn init_data_are_compared_by_the_padding_rule() {
    let digest = Digest::sha384(b"init data");
    let token = guest(Cca::Mixed)
        .realm(|realm| {
            realm.personalization_value[..48].copy_from_slice(Digest::sha384(b"init data").as_bytes());
        })
        .build()
        .token;
    let with = |init_data| {
        let binding = Binding { report_data: Some(CHALLENGE.to_vec()), init_data };
        verify_with(CcaSettings::production(), &token, &binding, &anchors())
    };
    let genuine = with(Some(digest)).unwrap();
    assert_eq!(outcome(genuine.findings(), "CCA-023"), Outcome::Passed);
    assert_eq!(outcome(with(None).unwrap().findings(), "CCA-023"), Outcome::NotChecked);
    for other in
        [Digest::sha384(b"other"), Digest::sha256(b"init data"), HashAlgorithm::Sha512.digest(b"init data")]
    {
        let error = with(Some(other)).unwrap_err();
        assert_eq!(failed(&error), ["CCA-023"]);
    }
}

#[test]
fn lengths_that_do_not_fit_are_named_and_refused_on_demand() {
    let token = guest(Cca::Mixed).realm(|realm| realm.initial_measurement = vec![1; 64]).build().token;
    let genuine = verify(&token).unwrap();
    assert_eq!(outcome(genuine.findings(), "CCA-027"), Outcome::NotChecked);
    let strict = CcaSettings { strict_lengths: true, ..CcaSettings::production() };
    let error = verify_with(strict, &token, &binding(), &anchors()).unwrap_err();
    assert_eq!(failed(&error), ["CCA-027"]);
    assert!(
        support::finding(error.findings(), "CCA-027").detail.contains("initial measurement has 64 bytes")
    );
}

/// Checks that no evidence of the emulator fails by itself: published keys need the real ones
/// (`vectors.rs`), and the rest never fails but is named as not made.
const ELSEWHERE: &[&str] = &["CCA-001", "CCA-011", "CCA-012", "CCA-016", "CCA-023", "CCA-027"];
const NEVER_FAIL: &[&str] = &["CCA-028", "CCA-029", "CCA-030"];

#[test]
fn the_cases_cover_the_catalogue() {
    let covered: BTreeSet<&str> =
        CASES.iter().map(|(code, ..)| *code).chain(ELSEWHERE.iter().chain(NEVER_FAIL).copied()).collect();
    let catalogue: BTreeSet<&str> = CHECKS.iter().map(|check| check.code).collect();
    assert_eq!(covered, catalogue);
}

#[test]
fn what_never_fails_is_named() {
    let token = guest(Cca::Mixed).collection(|c| c.members.add(44242_i64, Value::Null)).build().token;
    let mut collateral = anchors();
    collateral.items.extend(files(["nonsense"]).items);
    let genuine = verify_with(CcaSettings::production(), &token, &binding(), &collateral).unwrap();
    for code in NEVER_FAIL {
        assert_eq!(outcome(genuine.findings(), code), Outcome::NotChecked, "{code}");
    }
    assert!(support::finding(genuine.findings(), "CCA-028").detail.contains("44242"));
    let _ = silicon();
}
