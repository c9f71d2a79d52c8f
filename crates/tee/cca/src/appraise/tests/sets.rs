//! Several sets: which of them counts, and what becomes of those that are not in force.

use assay_types::{Lookup, Outcome, UnixTime};
use serde_json::json;

use super::scene::{ENDS, NOW, PLATFORM_SET, REALM_SET, Scene, Shelf, failed_codes, vectors, wanted};
use crate::endorsement::{Endorsement, platform_group, realm_group};

fn platform_id(origin: &str) -> String {
    format!("{}#{origin}", platform_group(&[0x1d; 32]))
}

fn realm_id(origin: &str) -> String {
    format!("{}#{origin}", realm_group(&[0x11; 64]))
}

#[test]
fn sets_are_alternatives_and_the_best_counts_the_first_by_name_among_equals() {
    let scene = Scene::new();
    let mut shelf = Shelf::default();
    let mut other = scene.platform_set.clone();
    other.components[0] = wanted(Some("BL"), 0xaa);
    shelf.put("a/other", ENDS, Endorsement::Platform(other));
    let mut open = scene.platform_set.clone();
    open.config = None;
    shelf.put("b/no-config", ENDS, Endorsement::Platform(open));
    shelf.put("d/full", ENDS, Endorsement::Platform(scene.platform_set.clone()));
    shelf.put("c/full", ENDS, Endorsement::Platform(scene.platform_set.clone()));
    let mut rim_only = scene.realm_set.clone();
    rim_only.extensible_measurements = [None, None, None, None];
    shelf.put("a/rim", ENDS, Endorsement::Realm(rim_only));
    let mut tenant = scene.realm_set.clone();
    tenant.personalization_value = Some([1; 64]);
    shelf.put("b/tenant", ENDS, Endorsement::Realm(tenant));
    shelf.put("c/full", ENDS, Endorsement::Realm(scene.realm_set.clone()));
    let appraisal = scene.appraise_by(&shelf);
    assert_eq!(failed_codes(&appraisal), [""; 0]);
    assert_eq!(vectors(&appraisal), vectors(&scene.appraise()));
    assert_eq!(appraisal.details["platform-set"], platform_id("c/full"));
    assert_eq!(appraisal.details["platform-sets-tried"], 4);
    assert_eq!(appraisal.details["realm-set"], realm_id("c/full"));
    let asked: Vec<&str> = appraisal.asked.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(asked, [platform_id("c/full"), realm_id("c/full")]);
}

#[test]
fn sets_are_never_mixed() {
    // Each component is in one of the sets, and each set lacks one.
    let scene = Scene::new();
    let mut shelf = Shelf::default();
    for (origin, lacking) in [("a", 0), ("b", 1)] {
        let mut set = scene.platform_set.clone();
        set.components.remove(lacking);
        shelf.put(origin, ENDS, Endorsement::Platform(set));
    }
    // One set has the initial measurement and REM0, the other REM1 alone right.
    for (origin, wrong) in [("a", 0), ("b", 1)] {
        let mut set = scene.realm_set.clone();
        set.extensible_measurements[wrong] = Some(set.initial_measurement.clone());
        shelf.put(origin, ENDS, Endorsement::Realm(set));
    }
    let (platform, realm) = vectors(&scene.appraise_by(&shelf));
    assert_eq!((platform.executables, realm.executables), (33, 33));
}

#[test]
fn where_none_matches_the_closest_is_explained_and_the_number_told() {
    let scene = Scene::new();
    let mut shelf = Shelf::default();
    for (origin, changed) in [("a", 3), ("b", 1), ("c", 2)] {
        let mut set = scene.platform_set.clone();
        set.components.iter_mut().take(changed).for_each(|c| c.signer_id = vec![0; 32]);
        shelf.put(origin, ENDS, Endorsement::Platform(set));
        let mut set = scene.realm_set.clone();
        let rim = set.initial_measurement.clone();
        set.extensible_measurements.iter_mut().take(changed).for_each(|rem| *rem = Some(rim.clone()));
        shelf.put(origin, ENDS, Endorsement::Realm(set));
    }
    let appraisal = scene.appraise_by(&shelf);
    assert_eq!(failed_codes(&appraisal), ["CCA-103", "CCA-106", "CCA-123", "CCA-125"]);
    for reason in appraisal.findings.iter().filter(|r| ["CCA-103", "CCA-123"].contains(&&*r.finding.code)) {
        assert!(reason.finding.detail.starts_with("none of 3 sets "), "{}", reason.finding.detail);
        assert!(reason.finding.detail.contains("#b comes closest, with 1 differences"));
    }
    assert_eq!(appraisal.details["platform-set"], json!(null));
    assert_eq!(appraisal.details["platform-set-closest"], platform_id("b"));
    assert_eq!(appraisal.details["realm-set-closest"], realm_id("b"));
}

#[test]
fn a_set_that_has_ended_is_not_used_and_told_of() {
    let scene = Scene::new();
    let mut shelf = Shelf::default();
    let ended = UnixTime(NOW.0 - 1);
    shelf.put(PLATFORM_SET, ended, Endorsement::Platform(scene.platform_set.clone()));
    shelf.put(REALM_SET, ended, Endorsement::Realm(scene.realm_set.clone()));
    let appraisal = scene.appraise_by(&shelf);
    let (platform, realm) = vectors(&appraisal);
    assert_eq!((platform.executables, platform.configuration, realm.executables), (33, 36, 33));
    let told: Vec<&str> = appraisal
        .findings
        .iter()
        .filter(|r| r.finding.code == "CCA-131" && r.finding.outcome == Outcome::NotChecked)
        .map(|r| r.finding.detail.as_str())
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|detail| detail.contains(&ended.to_string())), "{told:?}");
    assert!(appraisal.asked.iter().all(|a| a.answer == Lookup::Expired { since: ended }));
    assert_eq!(appraisal.asked.len(), 2);
}

#[test]
fn the_used_sets_bound_the_verdict_and_others_do_not() {
    let scene = Scene::new();
    let mut shelf = scene.shelf();
    let soon = UnixTime(NOW.0 + 1);
    let mut other = scene.platform_set.clone();
    other.components.truncate(1);
    shelf.put("a/other", soon, Endorsement::Platform(other));
    let appraisal = scene.appraise_by(&shelf);
    let ends: Vec<_> = appraisal
        .asked
        .iter()
        .map(|a| match a.answer {
            Lookup::Found { expires, .. } => expires,
            Lookup::Missing | Lookup::Expired { .. } => panic!("{a:?}"),
        })
        .collect();
    assert_eq!(ends, [ENDS, ENDS]);
}

#[test]
fn a_stored_value_that_cannot_be_read_is_told_of_and_the_others_are_used() {
    let scene = Scene::new();
    let mut shelf = scene.shelf();
    // An endorsement of the wrong kind, and something that is none at all.
    let platform = Endorsement::Platform(scene.platform_set.clone()).to_value();
    let realm = Endorsement::Realm(scene.realm_set.clone()).to_value();
    shelf.0.insert(platform_id("y"), (json!(7), ENDS));
    shelf.0.insert(platform_id("z"), (realm, ENDS));
    shelf.0.insert(realm_id("z"), (platform, ENDS));
    let appraisal = scene.appraise_by(&shelf);
    assert_eq!(failed_codes(&appraisal), [""; 0]);
    let told: Vec<&str> = appraisal
        .findings
        .iter()
        .filter(|r| r.finding.code == "CCA-132")
        .map(|r| r.finding.found.as_str())
        .collect();
    assert_eq!(told, [platform_id("y"), platform_id("z"), realm_id("z")]);
}

#[test]
fn what_is_asked_and_not_there_is_on_record() {
    let appraisal = Scene::new().appraise_by(&Shelf::default());
    let asked: Vec<_> = appraisal.asked.iter().map(|a| (a.id.as_str(), &a.answer)).collect();
    let (platform, realm) = (platform_group(&[0x1d; 32]), realm_group(&[0x11; 64]));
    assert_eq!(asked, [(platform.as_str(), &Lookup::Missing), (realm.as_str(), &Lookup::Missing)]);
}

#[test]
fn many_sets_that_have_ended_are_counted_and_not_all_named() {
    let scene = Scene::new();
    let mut shelf = Shelf::default();
    for index in 0..40 {
        let set = Endorsement::Platform(scene.platform_set.clone());
        shelf.put(&format!("{index:02}"), UnixTime(NOW.0 - 1), set);
    }
    let appraisal = scene.appraise_by(&shelf);
    let told: Vec<&str> = appraisal
        .findings
        .iter()
        .filter(|r| r.finding.code == "CCA-131")
        .map(|r| r.finding.detail.as_str())
        .collect();
    assert_eq!(told.len(), 17);
    assert!(told[16].starts_with("24 more sets"), "{}", told[16]);
}
