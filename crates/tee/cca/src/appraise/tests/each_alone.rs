//! Each check: evidence in which it alone fails.

use std::collections::BTreeSet;

use assay_types::Outcome;
use serde_json::json;

use super::scene::{Scene, component, failed, failed_codes, measurement, wanted};
use crate::APPRAISAL_CHECKS;
use crate::endorsement::Endorsement;

type Break = fn(&mut Scene);

/// The reasons that say only that there is another.
const SUMMARIES: [&str; 2] = ["CCA-103", "CCA-123"];

#[test]
fn each_check_fails_alone_and_names_what_was_expected_and_found() {
    let (wide, other) = ("21".repeat(64), "01".repeat(64));
    let cases: [(&str, Break, &str, &str); 13] = [
        ("CCA-102", |s| s.lifecycle(0x0000), "secured (0x3000 to 0x30ff)", "unknown (0x0000)"),
        ("CCA-104", |s| s.platform.config[0] = 0, "cfcfcfcf", "00cfcfcf"),
        ("CCA-105", |s| s.platform.components[0].measurement = vec![0xee; 32], &hex(1), &hex(0xee)),
        ("CCA-106", |s| s.platform.components[0].signer_id = vec![0xee; 32], &hex(0x51), &hex(0xee)),
        ("CCA-107", |s| s.platform_set.components[0].version = Some("2".into()), "2", "1.2.3"),
        ("CCA-108", |s| s.platform.components.push(component(Some("X"), 9)), "no such component", &hex(9)),
        ("CCA-108", |s| s.platform.components.push(component(None, 9)), "no such component", &hex(9)),
        ("CCA-109", |s| drop(s.platform.components.remove(0)), &hex(1), ""),
        ("CCA-109", |s| s.platform_set.components.push(wanted(None, 9)), &hex(9), ""),
        ("CCA-110", |s| s.platform.components.push(component(Some("M3"), 4)), "the component once", &hex(4)),
        ("CCA-110", |s| s.platform.components.push(component(None, 4)), "the component once", &hex(4)),
        ("CCA-124", |s| s.realm.personalization_value = [1; 64], &"ab".repeat(64), &other),
        ("CCA-125", |s| s.realm.extensible_measurements[1] = vec![1; 64], &wide, &other),
    ];
    for (code, change, expected, found) in cases {
        let mut scene = Scene::new();
        change(&mut scene);
        let appraisal = scene.appraise();
        let failed: Vec<_> =
            failed(&appraisal).into_iter().filter(|f| !SUMMARIES.contains(&f.code.as_ref())).collect();
        assert!(!failed.is_empty(), "{code}");
        for finding in failed {
            // An unsecured platform is told of for its realm too.
            if code == "CCA-102" && finding.code == "CCA-122" {
                continue;
            }
            assert_eq!(
                (finding.code.as_ref(), finding.expected.as_str(), finding.found.as_str()),
                (code, expected, found)
            );
            assert!(!finding.remedy.is_empty());
        }
    }
}

fn hex(byte: u8) -> String {
    hex::encode([byte; 32])
}

#[test]
fn evidence_as_endorsed_fails_nothing_and_passes_every_check_of_claims() {
    let appraisal = Scene::new().appraise();
    assert_eq!(failed_codes(&appraisal), [""; 0]);
    let codes: BTreeSet<&str> = appraisal.findings.iter().map(|r| r.finding.code.as_ref()).collect();
    for code in
        ["CCA-101", "CCA-102", "CCA-103", "CCA-104", "CCA-105", "CCA-121", "CCA-122", "CCA-123", "CCA-124"]
    {
        assert!(codes.contains(code), "{code}");
    }
    let measured = appraisal.findings.iter().filter(|r| r.finding.code == "CCA-105");
    assert_eq!(measured.count(), 4, "one for each component");
}

#[test]
fn all_reasons_are_given_not_only_the_first() {
    let mut scene = Scene::new();
    scene.lifecycle(0x6000);
    scene.platform.config[0] = 0;
    scene.platform.components[0].measurement = vec![0xee; 32];
    scene.platform.components[1].signer_id = vec![0xee; 32];
    scene.platform.components.remove(2);
    scene.platform.components.push(component(Some("X"), 9));
    scene.realm.personalization_value = [1; 64];
    scene.realm.extensible_measurements[0] = vec![1; 64];
    scene.realm.extensible_measurements[3] = vec![1; 64];
    let appraisal = scene.appraise();
    let expected = [
        "CCA-102", "CCA-102", "CCA-102", "CCA-104", "CCA-103", "CCA-105", "CCA-106", "CCA-108", "CCA-109",
        "CCA-122", "CCA-123", "CCA-124", "CCA-125", "CCA-125",
    ];
    assert_eq!(failed_codes(&appraisal), expected);
    let details = &appraisal.details;
    assert_eq!(details["lifecycle-state"], "decommissioned");
    assert_eq!(details["platform-set"], json!(null));
    assert_eq!(details["realm-set"], json!(null));
    assert_eq!(details["missing-components"], json!(["M2"]));
    assert_eq!(details["unexpected-components"], json!(["X"]));
    assert_eq!(details["differing-components"], json!(["BL", "M1"]));
    assert_eq!(details["duplicate-components"], json!([]));
}

#[test]
fn a_component_that_differs_in_all_members_has_a_reason_for_each() {
    let mut scene = Scene::new();
    scene.platform_set.components[0].version = Some("2".into());
    scene.platform.components[0].measurement = vec![0xee; 32];
    scene.platform.components[0].signer_id = vec![0xee; 48];
    let appraisal = scene.appraise();
    assert_eq!(failed_codes(&appraisal), ["CCA-103", "CCA-105", "CCA-106", "CCA-107"]);
    for finding in &failed(&appraisal)[1..] {
        assert!(finding.detail.contains("component BL"), "{}", finding.detail);
    }
}

#[test]
fn a_component_without_type_must_have_signer_and_measurement_right() {
    let cases: [(Break, &str); 3] = [
        (|s| s.platform.components[0].signer_id[0] ^= 1, "CCA-106"),
        (|s| s.platform.components[0].measurement[0] ^= 1, "CCA-108"),
        (|s| s.platform_set.components[0].version = Some("2".into()), "CCA-107"),
    ];
    for (change, code) in cases {
        let mut scene = Scene::new();
        scene.platform.components[0].component_type = None;
        change(&mut scene);
        assert!(failed_codes(&scene.appraise()).contains(&code), "{code}");
    }
}

#[test]
fn every_alternative_is_named_where_none_fits() {
    let mut scene = Scene::new();
    scene.platform_set.components.push(wanted(Some("BL"), 0xaa));
    scene.platform.components[0].measurement = vec![0xee; 32];
    let appraisal = scene.appraise();
    assert_eq!(failed(&appraisal)[1].expected, format!("{} | {}", hex(1), hex(0xaa)));
}

#[test]
fn what_the_set_leaves_open_is_said() {
    let mut scene = Scene::new();
    scene.realm_set.personalization_value = None;
    scene.realm_set.extensible_measurements[0] = None;
    scene.realm_set.extensible_measurements[3] = None;
    let appraisal = scene.appraise();
    assert_eq!(failed_codes(&appraisal), [""; 0]);
    let open: Vec<(&str, &str)> = appraisal
        .findings
        .iter()
        .filter(|r| r.finding.outcome == Outcome::NotChecked)
        .map(|r| (r.finding.code.as_ref(), r.finding.found.as_str()))
        .collect();
    let (rpv, rem0, rem3) = ("ab".repeat(64), "20".repeat(64), "23".repeat(64));
    assert_eq!(open, [("CCA-124", rpv.as_str()), ("CCA-125", &rem0), ("CCA-125", &rem3)]);
    assert_eq!(appraisal.details["rems-unappraised"], json!([0, 3]));
}

#[test]
fn without_any_set_everything_is_unappraised_and_every_component_unexpected() {
    let appraisal = Scene::new().appraise_by(&super::scene::Shelf::default());
    assert_eq!(failed_codes(&appraisal), ["CCA-104", "CCA-103", "CCA-123"]);
    assert_eq!(appraisal.details["unexpected-components"], json!(["BL", "M1", "M2", "M3"]));
    assert_eq!(appraisal.details["rems-unappraised"], json!([0, 1, 2, 3]));
    assert_eq!(appraisal.details["platform-set-closest"], json!(null));
}

#[test]
fn a_set_that_says_a_thing_twice_says_it_once() {
    let mut scene = Scene::new();
    scene.platform_set.components.iter_mut().for_each(|c| c.name = None);
    let mut again = scene.platform_set.components[0].clone();
    again.measurement.0[0].algorithm = None;
    scene.platform_set.components.push(again);
    assert_eq!(failed_codes(&scene.appraise()), [""; 0]);
}

#[test]
fn codes_are_unique_and_every_check_says_what_to_do() {
    let codes: BTreeSet<&str> = APPRAISAL_CHECKS.iter().map(|check| check.code).collect();
    assert_eq!(codes.len(), APPRAISAL_CHECKS.len());
    for check in APPRAISAL_CHECKS {
        assert!(check.code.starts_with("CCA-1") && !check.remedy.is_empty() && !check.source.is_empty());
    }
}

#[test]
fn a_set_under_the_name_of_another_is_not_used() {
    let scene = Scene::new();
    let mut shelf = scene.shelf();
    let mut other = scene.clone();
    other.platform_set.implementation_id = [0; 32];
    other.realm_set.initial_measurement = measurement(0);
    let sets = [Endorsement::Platform(other.platform_set), Endorsement::Realm(other.realm_set)];
    for ((value, _), set) in shelf.0.values_mut().zip(sets) {
        *value = set.to_value();
    }
    let appraisal = scene.appraise_by(&shelf);
    assert_eq!(failed_codes(&appraisal), ["CCA-104", "CCA-103", "CCA-123"]);
    let unread = appraisal.findings.iter().filter(|r| r.finding.code == "CCA-132");
    assert_eq!(unread.count(), 2);
}
