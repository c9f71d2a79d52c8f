//! Tokens of real and reference firmware, with their keys. Their keys are published ones mostly, so
//! the danger option is on.
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

use assay_tee_cca::profile::Model;
use assay_tee_cca::{CcaEvidence, CcaSettings, PlatformClaims, RealmClaims};
use assay_types::{Binding, Outcome, VerifyError};
use support::{failed, files, finding, outcome, vectors, verify_with, with_test_keys};

/// A token that verifies: file, file of the key, wrapper, platform profile, realm profile.
const VALID: &[(&str, &str, u64, &str, Option<&str>)] = &[
    ("cca-token-01.cbor", "cpak.json", 399, "http://arm.com/CCA-SSD/1.0.0", None),
    ("cca-token-01.cbor", "ta-tfa.json", 399, "http://arm.com/CCA-SSD/1.0.0", None),
    ("cca-token-02.cbor", "ta-02-ok.json", 399, "http://arm.com/CCA-SSD/1.0.0", None),
    (
        "cca-token-draft-ffm-00.cbor",
        "cpak.json",
        399,
        "tag:arm.com,2023:cca_platform#1.0.0",
        Some("tag:arm.com,2023:realm#1.0.0"),
    ),
    (
        "trustee/misc/cca-example-token.cbor",
        "trustee/conf/tastore.json",
        399,
        "http://arm.com/CCA-SSD/1.0.0",
        None,
    ),
    ("tf-m/cca_token.cbor", "cpak.json", 907, "http://arm.com/CCA-SSD/1.0.0", None),
    (
        "tf-m/cca_example_token.cbor",
        "cpak.json",
        907,
        "tag:arm.com,2023:cca_platform#1.0.0",
        Some("tag:arm.com,2024:realm#2.0.0"),
    ),
    ("tf-m/cca_example_token_legacy.cbor", "cpak.json", 907, "http://arm.com/CCA-SSD/1.0.0", None),
    (
        "cca-good.cbor",
        "ec.p256.jwk",
        399,
        "http://arm.com/CCA-SSD/1.0.0",
        Some("tag:arm.com,2023:realm#1.0.0"),
    ),
    (
        "cca-good.cbor",
        "corim/corim-cca-platform-valid.cbor",
        399,
        "http://arm.com/CCA-SSD/1.0.0",
        Some("tag:arm.com,2023:realm#1.0.0"),
    ),
];

#[test]
fn tokens_of_all_generations_and_wrappers_verify_with_their_keys() {
    let Some(folder) = vectors() else { return };
    for (name, key, wrapper, platform, realm) in VALID {
        let token = std::fs::read(folder.join(name)).unwrap();
        let evidence = CcaEvidence::read(&token).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(evidence.token.wrapper.tag(), *wrapper, "{name}");
        assert_eq!(evidence.platform.profile.name, *platform, "{name}");
        assert_eq!(evidence.realm.profile.name, *realm, "{name}");
        let key = files([std::fs::read(folder.join(key)).unwrap()]);
        let binding = Binding { report_data: Some(evidence.realm.challenge.to_vec()), init_data: None };
        let genuine = verify_with(with_test_keys(), &token, &binding, &key)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(outcome(genuine.findings(), "CCA-014"), Outcome::Passed, "{name}");
        assert_eq!(outcome(genuine.findings(), "CCA-020"), Outcome::Passed, "{name}");
    }
}

#[test]
fn published_keys_are_refused_unless_a_danger_option_admits_them() {
    let Some(folder) = vectors() else { return };
    let token = std::fs::read(folder.join("cca-token-01.cbor")).unwrap();
    let key = files([std::fs::read(folder.join("cpak.json")).unwrap()]);
    let error = verify_with(CcaSettings::production(), &token, &Binding::default(), &key).unwrap_err();
    assert_eq!(failed(&error), ["CCA-012", "CCA-016"]);
    assert!(finding(error.findings(), "CCA-012").found.contains("Trusted Firmware-A"));
    let genuine = verify_with(with_test_keys(), &token, &Binding::default(), &key).unwrap();
    assert!(genuine.facts().emulated, "the result must say so");
    assert_eq!(outcome(genuine.findings(), "CCA-012"), Outcome::NotChecked);
}

#[test]
fn the_splice_is_found_and_nothing_else_is_wrong_with_it() {
    let Some(folder) = vectors() else { return };
    let token = std::fs::read(folder.join("bug-33-repro.cbor")).unwrap();
    let key = files([std::fs::read(folder.join("cpak.json")).unwrap()]);
    let error = verify_with(with_test_keys(), &token, &Binding::default(), &key).unwrap_err();
    assert!(matches!(error, VerifyError::Rejected(_)));
    assert_eq!(failed(&error), ["CCA-020"]);
}

#[test]
fn other_keys_do_not_verify() {
    let Some(folder) = vectors() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    for (token, key, code) in [
        ("cca-token-01.cbor", "ta.json", "CCA-011"),
        ("cca-token-01.cbor", "pkey.json", "CCA-013"),
        ("cca-good.cbor", "pkey.json", "CCA-014"),
        ("cca-good.cbor", "cpak.json", "CCA-013"),
        ("tf-m/cca_token.cbor", "ec.p384.jwk", "CCA-014"),
    ] {
        let error = verify_with(with_test_keys(), &read(token), &Binding::default(), &files([read(key)]))
            .unwrap_err();
        assert_eq!(failed(&error), [code], "{token} with {key}");
    }
    // A point that is not on its curve is no key at all; the reason is kept.
    let error = verify_with(
        with_test_keys(),
        &read("cca-token-02.cbor"),
        &Binding::default(),
        &files([read("ta-02-bad.json")]),
    )
    .unwrap_err();
    assert_eq!(failed(&error), ["CCA-011"]);
    assert!(finding(error.findings(), "CCA-029").detail.contains("not on P-256"), "{error}");
}

#[test]
fn any_flipped_byte_is_noticed_with_a_code() {
    let Some(folder) = vectors() else { return };
    for (name, key) in [("cca-good.cbor", "ec.p256.jwk"), ("tf-m/cca_example_token.cbor", "cpak.json")] {
        let token = std::fs::read(folder.join(name)).unwrap();
        let key = files([std::fs::read(folder.join(key)).unwrap()]);
        for index in 0..token.len() {
            let mut changed = token.clone();
            changed[index] ^= 1 << (index % 8);
            let error = match verify_with(with_test_keys(), &changed, &Binding::default(), &key) {
                Err(error) => error,
                Ok(_) => panic!("{name}, byte {index}"),
            };
            assert!(error.failures().all(|finding| finding.code.starts_with("CCA-")), "{name}, byte {index}");
            assert!(error.failures().count() > 0);
        }
    }
}

#[test]
fn bare_claims_of_the_reference_are_read() {
    let Some(folder) = vectors() else { return };
    let realm =
        |name: &str| RealmClaims::from_cbor(&std::fs::read(folder.join(name)).unwrap(), Model::Delegated);
    assert!(realm("realm-claims.cbor").is_ok());
    for spurious in ["realm-claims+spurious-numeric-key.cbor", "realm-claims+spurious-text-key.cbor"] {
        let claims = realm(spurious).unwrap();
        assert_eq!(claims.unknown.len(), 1, "{spurious}");
    }
    let missing = realm("realm-claims-missing-challenge.cbor").unwrap_err();
    assert_eq!(missing.len(), 1);
    assert_eq!((missing[0].code.as_ref(), missing[0].found.as_str()), ("CCA-009", "nothing"));
    assert!(missing[0].detail.contains("cca-realm-challenge"));
    let platform = std::fs::read(folder.join("platform-claims.cbor")).unwrap();
    assert!(PlatformClaims::from_cbor(&platform).is_ok(), "{:?}", PlatformClaims::from_cbor(&platform));
}
