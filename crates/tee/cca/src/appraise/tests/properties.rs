//! Properties of the appraisal.

use assay_types::{TrustTier, TrustVector};
use proptest::prelude::*;

use super::scene::{Scene, component, vectors, wanted};
use crate::SoftwareComponent;
use crate::endorsement::ComponentReference;

/// Few names and values, so that they meet; the type, the name, the version may be absent.
fn small() -> impl Strategy<Value = (Option<&'static str>, u8, u8, Option<&'static str>)> {
    let name = prop::option::of(prop::sample::select(vec!["BL", "RMM", "SCP"]));
    let version = prop::option::of(prop::sample::select(vec!["1", "2"]));
    (name, 0_u8..3, 0_u8..2, version)
}

fn evidence() -> impl Strategy<Value = Vec<SoftwareComponent>> {
    let one = small().prop_map(|(name, measured, signer, version)| SoftwareComponent {
        version: version.map(Into::into),
        signer_id: vec![signer; 32],
        ..component(name, measured)
    });
    prop::collection::vec(one, 0..6)
}

fn reference() -> impl Strategy<Value = Vec<ComponentReference>> {
    let one = small().prop_map(|(name, measured, signer, version)| ComponentReference {
        version: version.map(Into::into),
        signer_id: vec![signer; 32],
        ..wanted(name, measured)
    });
    prop::collection::vec(one, 0..6)
}

fn badness(value: i8) -> (TrustTier, u8) {
    (TrustTier::of(value), value.unsigned_abs())
}

fn no_better(worse: TrustVector, than: TrustVector) -> bool {
    assay_types::TrustClaim::ALL
        .into_iter()
        .all(|claim| badness(worse.get(claim)) >= badness(than.get(claim)))
}

proptest! {
    #[test]
    fn order_never_matters(
        (evidence, shuffled) in evidence().prop_flat_map(|c| (Just(c.clone()), Just(c).prop_shuffle())),
        (reference, mixed) in reference().prop_flat_map(|c| (Just(c.clone()), Just(c).prop_shuffle())),
    ) {
        let mut one = Scene::new();
        one.platform.components = evidence;
        one.platform_set.components = reference;
        let mut other = Scene::new();
        other.platform.components = shuffled;
        other.platform_set.components = mixed;
        let (one, other) = (one.appraise(), other.appraise());
        prop_assert_eq!(vectors(&one), vectors(&other));
        prop_assert_eq!(one.findings, other.findings);
        prop_assert_eq!(one.details, other.details);
    }

    #[test]
    fn what_is_endorsed_matches_itself(reference in reference()) {
        // One component for each name and for each reference without a name.
        let mut scene = Scene::new();
        let mut components: Vec<ComponentReference> = Vec::new();
        for one in reference {
            if !components.iter().any(|c| c.name.is_some() && c.name == one.name || *c == one) {
                components.push(one);
            }
        }
        scene.platform.components = components
            .iter()
            .map(|c| SoftwareComponent {
                version: c.version.clone(),
                signer_id: c.signer_id.clone(),
                ..component(c.name.as_deref(), c.measurement.0[0].value[0])
            })
            .collect();
        let executables = if components.is_empty() { 33 } else { 2 };
        scene.platform_set.components = components;
        prop_assert_eq!(vectors(&scene.appraise()).0.executables, executables);
    }

    #[test]
    fn a_match_is_lost_by_any_component_more_or_less(
        remove in 0_usize..4, add in evidence(), with_type: bool
    ) {
        let best = vectors(&Scene::new().appraise()).0;
        let mut fewer = Scene::new();
        let mut removed = fewer.platform.components.remove(remove);
        prop_assert_eq!(vectors(&fewer.appraise()).0.executables, 33);
        prop_assert!(no_better(vectors(&fewer.appraise()).0, best));
        // The same component again, whether it states its type or not.
        if !with_type {
            removed.component_type = None;
        }
        let mut more = Scene::new();
        more.platform.components.push(removed);
        prop_assert_eq!(vectors(&more.appraise()).0.executables, 33);
        for component in add {
            let mut more = Scene::new();
            more.platform.components.push(component);
            prop_assert_eq!(vectors(&more.appraise()).0.executables, 33);
        }
    }

    #[test]
    fn every_bit_of_every_component_counts(index in 0_usize..4, byte in 0_usize..32, bit in 0_u8..8, signer: bool) {
        let mut scene = Scene::new();
        let component = &mut scene.platform.components[index];
        let field = if signer { &mut component.signer_id } else { &mut component.measurement };
        field[byte] ^= 1_u8 << bit;
        prop_assert_eq!(vectors(&scene.appraise()).0.executables, 33);
    }

    #[test]
    fn a_realm_whose_set_says_more_is_never_better_for_what_it_says(
        rem in 0_usize..4, byte in 0_usize..64, bit in 0_u8..8, given: [bool; 4]
    ) {
        let mut scene = Scene::new();
        for (reference, given) in scene.realm_set.extensible_measurements.iter_mut().zip(given) {
            if !given {
                *reference = None;
            }
        }
        let before = vectors(&scene.appraise()).1.executables;
        prop_assert_eq!(before, if given.contains(&true) { 2 } else { 3 });
        scene.realm.extensible_measurements[rem][byte] ^= 1_u8 << bit;
        let after = vectors(&scene.appraise()).1.executables;
        prop_assert_eq!(after, if given[rem] { 33 } else { before });
    }

    #[test]
    fn nothing_is_affirmed_without_a_match_whatever_is_presented(
        evidence in evidence(), reference in reference()
    ) {
        let mut scene = Scene::new();
        scene.platform.components = evidence;
        scene.platform_set.components = reference;
        let appraisal = scene.appraise();
        let affirmed = vectors(&appraisal).0.executables == 2;
        prop_assert_eq!(affirmed, !appraisal.details["platform-set"].is_null());
        // By hand: as many components as places, each component wanted, each place taken.
        let wants = |c: &SoftwareComponent, r: &ComponentReference| {
            (r.name.is_none() || c.component_type.is_none() || r.name == c.component_type)
                && (r.version.is_none() || r.version == c.version)
                && r.signer_id == c.signer_id
                && r.measurement.0[0].value == c.measurement
        };
        let each_wanted = scene.platform.components.iter()
            .all(|c| scene.platform_set.components.iter().any(|r| wants(c, r)));
        let each_present = scene.platform_set.components.iter().all(|r| {
            scene.platform.components.iter().any(|c| {
                let alternatives = scene.platform_set.components.iter().filter(|o| o.name == r.name);
                wants(c, r) || r.name.is_some() && alternatives.into_iter().any(|o| wants(c, o))
            })
        });
        if affirmed {
            prop_assert!(each_wanted && each_present);
        }
    }
}
