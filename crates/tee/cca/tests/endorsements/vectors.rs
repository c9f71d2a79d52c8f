//! Published CoRIMs and JSON stores.

use std::path::{Path, PathBuf};

use assay_tee_cca::endorsement::{Endorsement, EndorsementError, SignatureState, read_file};

fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/cca");
    if folder.exists() {
        Some(folder)
    } else {
        println!("skipped: the folder of published evidence is not at hand");
        None
    }
}

#[test]
fn published_corims_are_taken_or_refused_for_the_expected_reason() {
    let Some(folder) = vectors() else { return };
    // The cases of Veraison's scheme/arm-cca/corim_test.go; what it says of each is among our reasons.
    for (name, expected) in [
        ("platform-valid", &[][..]),
        ("realm-valid", &[]),
        ("platform-bad-no-class", &["CCA-202"]),
        ("platform-bad-ta-no-instance", &["CCA-206"]),
        ("platform-bad-ta-instance", &["CCA-206"]),
        ("platform-bad-ta-cert", &["CCA-207"]),
        ("platform-bad-refval-no-mkey", &["CCA-209", "CCA-222"]),
        ("platform-bad-refval-mkey", &["CCA-209", "CCA-222"]),
        ("platform-bad-refval-mkey-string", &["CCA-210", "CCA-222"]),
        ("platform-bad-refval-cryptokeys", &["CCA-220", "CCA-213"]),
        ("platform-bad-refval-no-digests", &["CCA-221", "CCA-220", "CCA-211", "CCA-213"]),
        ("platform-bad-refval-no-raw-value", &["CCA-221", "CCA-214", "CCA-222"]),
        // Of an earlier draft's profile, which is all there is to say of it.
        ("platform-bad-refval-instance", &["CCA-201"]),
        ("realm-bad-instance", &["CCA-204"]),
        ("realm-bad-no-instance", &["CCA-205", "CCA-202"]),
        ("realm-bad-no-rim", &["CCA-218"]),
        ("realm-bad-no-raw-value", &["CCA-221", "CCA-214"]),
        ("realm-bad-no-integ-regs", &["CCA-221", "CCA-211"]),
    ] {
        let bytes = std::fs::read(folder.join(format!("corim/corim-cca-{name}.cbor"))).unwrap();
        let found: Vec<&str> = match read_file(&bytes) {
            Ok(_) => Vec::new(),
            Err(EndorsementError::Profile(problems)) => problems.iter().map(|p| p.check.code).collect(),
            Err(other) => panic!("{name}: {other}"),
        };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_published_platform_is_one_set_and_one_trust_anchor() {
    let Some(folder) = vectors() else { return };
    let bytes = std::fs::read(folder.join("corim/corim-cca-platform-valid.cbor")).unwrap();
    let file = read_file(&bytes).unwrap();
    assert_eq!(file.signature, SignatureState::Unsigned);
    let names: Vec<String> = file.endorsements.iter().flat_map(|named| named.names()).collect();
    let (zeros, instance) = ("00".repeat(32), format!("01{}", "02".repeat(32)));
    let corim = "00000000-0000-0000-cca6-0000000000001";
    assert_eq!(
        names,
        [
            format!("cca/platform/{zeros}#{corim}/43bbe37f-2e61-4b33-aed3-53cff1428b16"),
            format!("cca/trust-anchor/{zeros}/{instance}#{corim}/366d0a0a-5988-45ed-8488-2f2a544f6242"),
        ]
    );
    let Endorsement::Platform(platform) = &file.endorsements[0].endorsement else { panic!() };
    let roles: Vec<&str> = platform.components.iter().filter_map(|c| c.name.as_deref()).collect();
    assert_eq!(roles, ["BL", "M1", "M2", "M3"]);
    let config = platform.config.as_ref().unwrap();
    assert_eq!((config.value.as_slice(), config.mask.as_deref()), (&[1, 2, 3][..], Some(&[1, 2, 3][..])));
}

#[test]
fn a_published_realm_has_all_its_measurements() {
    let Some(folder) = vectors() else { return };
    let bytes = std::fs::read(folder.join("corim/corim-cca-realm-valid.cbor")).unwrap();
    let file = read_file(&bytes).unwrap();
    let Endorsement::Realm(realm) = &file.endorsements[0].endorsement else { panic!() };
    assert_eq!(realm.initial_measurement.0[0].value, [0x43; 64]);
    assert!(realm.extensible_measurements.iter().all(Option::is_some));
    assert_eq!(realm.personalization_value.unwrap()[..3], *b"ADA");
}

#[test]
fn published_json_stores_are_taken_and_round_trip() {
    let Some(folder) = vectors() else { return };
    for (name, count) in [
        ("ta.json", 1),
        ("ta-02-ok.json", 1),
        ("ta-tfa.json", 1),
        ("trustee/conf/tastore.json", 1),
        ("rv.json", 3),
        ("trustee/conf/rvstore.json", 2),
    ] {
        let file = read_file(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        assert_eq!(file.endorsements.len(), count, "{name}");
        for named in file.endorsements {
            let value = named.endorsement.to_value();
            assert_eq!(Endorsement::from_value(&value).unwrap(), named.endorsement, "{name}");
        }
    }
}

#[test]
fn a_published_key_off_its_curve_is_refused() {
    let Some(folder) = vectors() else { return };
    let error = read_file(&std::fs::read(folder.join("ta-02-bad.json")).unwrap()).unwrap_err();
    assert!(error.to_string().contains("[0].pkey: the point is not on P-256"), "{error}");
}
