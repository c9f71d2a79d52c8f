//! The table of what evidence gets: line by line, variant by variant.

use assay_types::TrustTier::{self, Affirming, Contraindicated, Warning};
use assay_types::TrustVector;

use super::scene::{Scene, component, measurement, vectors, wanted};
use crate::endorsement::{ConfigReference, MeasuredDigest};

/// A change to what is presented or endorsed.
type Break = fn(&mut Scene);

fn all_platform(value: impl Fn(&mut TrustVector)) -> TrustVector {
    let mut vector = TrustVector {
        instance_identity: 2,
        configuration: 2,
        executables: 2,
        hardware: 2,
        runtime_opaque: 2,
        storage_opaque: 2,
        ..TrustVector::default()
    };
    value(&mut vector);
    vector
}

fn platform(executables: i8, configuration: i8) -> TrustVector {
    all_platform(|vector| {
        vector.executables = executables;
        vector.configuration = configuration;
    })
}

fn lifecycle(instance_identity: i8, runtime_opaque: i8, storage_opaque: i8) -> TrustVector {
    all_platform(|vector| {
        vector.instance_identity = instance_identity;
        vector.runtime_opaque = runtime_opaque;
        vector.storage_opaque = storage_opaque;
    })
}

fn realm(executables: i8) -> TrustVector {
    TrustVector { instance_identity: 2, executables, ..TrustVector::default() }
}

fn realm_on_unsecured() -> TrustVector {
    TrustVector { runtime_opaque: 32, ..realm(2) }
}

#[expect(clippy::too_many_lines, reason = "one table")]
fn table() -> Vec<(&'static str, Break, TrustVector, TrustTier, TrustVector, TrustTier)> {
    let good = platform(2, 2);
    vec![
        ("baseline", |_| (), good, Affirming, realm(2), Affirming),
        // Lifecycle.
        (
            "lifecycle 0x0000",
            |s| s.lifecycle(0x0000),
            lifecycle(96, 96, 96),
            Contraindicated,
            realm_on_unsecured(),
            Warning,
        ),
        (
            "lifecycle 0x10xx",
            |s| s.lifecycle(0x1001),
            lifecycle(96, 96, 96),
            Contraindicated,
            realm_on_unsecured(),
            Warning,
        ),
        (
            "lifecycle 0x20xx",
            |s| s.lifecycle(0x20ff),
            lifecycle(96, 96, 96),
            Contraindicated,
            realm_on_unsecured(),
            Warning,
        ),
        (
            "lifecycle 0x50xx",
            |s| s.lifecycle(0x5000),
            lifecycle(96, 96, 96),
            Contraindicated,
            realm_on_unsecured(),
            Warning,
        ),
        (
            "lifecycle 0x60xx",
            |s| s.lifecycle(0x6000),
            lifecycle(96, 96, 96),
            Contraindicated,
            realm_on_unsecured(),
            Warning,
        ),
        ("lifecycle 0x30xx", |s| s.lifecycle(0x30ff), good, Affirming, realm(2), Affirming),
        (
            "lifecycle 0x40xx",
            |s| s.lifecycle(0x4000),
            lifecycle(2, 32, 2),
            Warning,
            realm_on_unsecured(),
            Warning,
        ),
        // Firmware.
        (
            "signer id of every component changed",
            |s| s.platform.components.iter_mut().for_each(|c| c.signer_id = vec![0x52; 32]),
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "one component missing from the evidence",
            |s| drop(s.platform.components.remove(2)),
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "extra unknown component",
            |s| s.platform.components.push(component(Some("M4"), 5)),
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "component without type",
            |s| s.platform.components[1].component_type = None,
            good,
            Affirming,
            realm(2),
            Affirming,
        ),
        (
            "version differs, the reference has none",
            |s| s.platform.components[1].version = Some("9".into()),
            good,
            Affirming,
            realm(2),
            Affirming,
        ),
        (
            "version differs from the reference's",
            |s| s.platform_set.components[1].version = Some("9".into()),
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "component twice",
            |s| s.platform.components.push(component(Some("M1"), 2)),
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        // Configuration.
        (
            "configuration differs",
            |s| s.platform.config[3] = 0,
            platform(2, 32),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "configuration differs only in bits that the mask leaves out",
            |s| {
                s.platform.config = vec![0xcf, 0xcf, 0xcf, 0x0f];
                let config =
                    ConfigReference { value: vec![0xcf; 4], mask: Some(vec![0xff, 0xff, 0xff, 0x3f]) };
                s.platform_set.config = Some(config);
            },
            good,
            Affirming,
            realm(2),
            Affirming,
        ),
        ("configuration empty", |s| s.platform.config.clear(), platform(2, 32), Warning, realm(2), Affirming),
        // Realm.
        (
            "personalization value differs",
            |s| s.realm.personalization_value[63] ^= 1,
            good,
            Affirming,
            realm(96),
            Contraindicated,
        ),
        (
            "REM0 differs from the reference",
            |s| s.realm.extensible_measurements[0][0] ^= 1,
            good,
            Affirming,
            realm(33),
            Warning,
        ),
        (
            "reference has RIM and REM2 only, REM0 differs",
            |s| {
                let kept = s.realm_set.extensible_measurements[2].take();
                s.realm_set.extensible_measurements = [None, None, kept, None];
                s.realm.extensible_measurements[0][0] ^= 1;
            },
            good,
            Affirming,
            realm(2),
            Affirming,
        ),
        (
            "reference has RIM only",
            |s| {
                s.realm_set.extensible_measurements = [None, None, None, None];
                s.realm_set.personalization_value = None;
            },
            good,
            Affirming,
            realm(3),
            Affirming,
        ),
        (
            "RIM unknown: no reference values for the realm",
            |s| s.realm.initial_measurement = vec![0x12; 64],
            good,
            Affirming,
            realm(33),
            Warning,
        ),
        (
            "no reference values for the platform",
            |s| s.platform.implementation_id = [0x2d; 32],
            platform(33, 36),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "no reference value for the configuration",
            |s| s.platform_set.config = None,
            platform(2, 36),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "two digests of the initial measurement",
            |s| {
                let other = MeasuredDigest { algorithm: None, value: vec![0x33; 48] };
                s.realm_set.initial_measurement.0.push(other);
            },
            good,
            Affirming,
            realm(2),
            Affirming,
        ),
        // Beyond the table: what the rules say of components.
        (
            "measurement differs",
            |s| s.platform.components[0].measurement = vec![0xee; 32],
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "either of two alternatives of one name",
            |s| s.platform_set.components.insert(0, wanted(Some("M1"), 0xaa)),
            good,
            Affirming,
            realm(2),
            Affirming,
        ),
        (
            "both alternatives of one name",
            |s| {
                s.platform_set.components.push(wanted(Some("M1"), 0xaa));
                s.platform.components.push(component(Some("M1"), 0xaa));
            },
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "measurements of two components exchanged",
            |s| {
                s.platform.components[1].measurement = vec![3; 32];
                s.platform.components[2].measurement = vec![2; 32];
            },
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "reference without names",
            |s| s.platform_set.components.iter_mut().for_each(|c| c.name = None),
            good,
            Affirming,
            realm(2),
            Affirming,
        ),
        (
            "reference without a name that is not in the evidence",
            |s| s.platform_set.components.push(wanted(None, 0xaa)),
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "one component without type for two roles",
            |s| {
                s.platform_set.components[1].measurement = measurement(3);
                s.platform.components.remove(1);
                s.platform.components[1].component_type = None;
            },
            platform(33, 2),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "reference without components",
            |s| s.platform_set.components.clear(),
            platform(33, 36),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "neither side has components",
            |s| {
                s.platform_set.components.clear();
                s.platform.components.clear();
            },
            platform(33, 36),
            Warning,
            realm(2),
            Affirming,
        ),
        (
            "personalization value and REM differ",
            |s| {
                s.realm.personalization_value[0] ^= 1;
                s.realm.extensible_measurements[3][0] ^= 1;
            },
            good,
            Affirming,
            realm(96),
            Contraindicated,
        ),
        (
            "all of the realm as endorsed but an unset personalization value",
            |s| s.realm_set.personalization_value = None,
            good,
            Affirming,
            realm(2),
            Affirming,
        ),
    ]
}

#[test]
fn every_variant_gets_its_vectors_and_says_why_wherever_it_is_not_affirming() {
    for (variant, change, platform, platform_status, realm, realm_status) in table() {
        let shelf = Scene::new().shelf();
        let mut scene = Scene::new();
        change(&mut scene);
        // Reference values are changed where the variant changes them; where it changes who the evidence
        // is of, they stay those of the baseline.
        let mut changed = scene.shelf();
        changed
            .0
            .extend(shelf.0.into_iter().filter(|(id, _)| !changed.0.contains_key(id)).collect::<Vec<_>>());
        let appraisal = scene.appraise_by(&changed);
        assert_eq!(vectors(&appraisal), (platform, realm), "{variant}");
        assert_eq!((platform.status(), realm.status()), (platform_status, realm_status), "{variant}");
        let worse = [(platform, "platform"), (realm, "realm")];
        for claim in assay_types::TrustClaim::ALL {
            let bad = worse.iter().any(|(vector, _)| TrustTier::of(vector.get(claim)) > Affirming);
            let explained = appraisal.findings.iter().any(|r| r.claim == claim && r.finding.failed());
            assert_eq!(bad, explained, "{variant}: {claim}: {:#?}", appraisal.findings);
        }
    }
}
