//! The realm: its measurements, its personalization value, the platform it runs on.

use assay_types::TrustClaim::{Executables, InstanceIdentity, RuntimeOpaque};
use assay_types::TrustVector;

use super::checks::{
    REALM_EXTENSIBLE_MEASUREMENT, REALM_INSTANCE, REALM_ON_SECURED_PLATFORM, REALM_PERSONALIZATION, REALM_SET,
};
use super::reasons::Reasons;
use super::sets::{Named, Sets, badness};
use crate::endorsement::RealmReference;
use crate::lifecycle::Lifecycle;
use crate::realm::RealmClaims;

/// AR4SI instance identity: recognised.
const RECOGNISED: i8 = 2;
/// AR4SI executables: approved at run time, what was loaded later included.
const APPROVED: i8 = 2;
/// AR4SI executables: approved at boot.
const APPROVED_AT_BOOT: i8 = 3;
/// AR4SI executables: not recognised.
const UNRECOGNISED: i8 = 33;
/// AR4SI executables: contraindicated.
const CONTRAINDICATED: i8 = 96;
/// AR4SI runtime opaque: isolated, and not more.
const ISOLATED: i8 = 32;

/// The appraisal of a realm.
pub(super) struct Realm<'a> {
    pub(super) vector: TrustVector,
    /// The set that was compared: the one that matches, or the one that comes closest.
    pub(super) set: Option<&'a Named<RealmReference>>,
    /// Which extensible measurements were compared with nothing.
    pub(super) unappraised: Vec<u64>,
}

impl Realm<'_> {
    /// Whether the realm is that of the set.
    pub(super) fn matches(&self) -> bool {
        self.set.is_some() && matches!(self.vector.executables, APPROVED | APPROVED_AT_BOOT)
    }
}

/// How a realm compares with a set of its initial measurement; `None` where the set says nothing.
struct Comparison {
    personalization: Option<bool>,
    extensible: [Option<bool>; 4],
}

impl Comparison {
    fn new(claims: &RealmClaims, set: &RealmReference) -> Self {
        let mut extensible = [None; 4];
        let both = claims.extensible_measurements.iter().zip(&set.extensible_measurements);
        for (out, (found, reference)) in extensible.iter_mut().zip(both) {
            *out = reference.as_ref().map(|reference| reference.accepts(found));
        }
        Comparison {
            personalization: set.personalization_value.map(|value| value == claims.personalization_value),
            extensible,
        }
    }

    fn executables(&self) -> i8 {
        if self.personalization == Some(false) {
            CONTRAINDICATED
        } else if self.extensible.contains(&Some(false)) {
            UNRECOGNISED
        } else if self.extensible.contains(&Some(true)) {
            APPROVED
        } else {
            APPROVED_AT_BOOT
        }
    }

    fn mismatches(&self) -> usize {
        let differs = |outcome: &&Option<bool>| **outcome == Some(false);
        usize::from(self.personalization == Some(false)) + self.extensible.iter().filter(differs).count()
    }
}

/// Appraises a realm whose token was verified and bound to its platform.
pub(super) fn appraise<'a>(
    claims: &RealmClaims,
    platform: Lifecycle,
    sets: &'a Sets<RealmReference>,
    reasons: &mut Reasons,
) -> Realm<'a> {
    let mut vector =
        TrustVector { instance_identity: RECOGNISED, executables: UNRECOGNISED, ..TrustVector::default() };
    let bound = "the realm token was verified as bound to the platform token";
    reasons.pass(InstanceIdentity, &REALM_INSTANCE, "", bound);
    if platform == Lifecycle::Secured {
        reasons.pass(RuntimeOpaque, &REALM_ON_SECURED_PLATFORM, platform.as_str(), "");
    } else {
        vector.runtime_opaque = ISOLATED;
        let detail = "what the realm keeps in memory is as hidden as its platform is secured";
        let expected = Lifecycle::Secured.as_str();
        reasons.fail(RuntimeOpaque, &REALM_ON_SECURED_PLATFORM, expected, platform.as_str(), detail);
    }
    sets.report_unused(Executables, reasons);
    let best = sets.best(
        |set| Comparison::new(claims, set),
        |comparison| (badness(comparison.executables()), comparison.mismatches()),
    );
    let rim = hex::encode(&claims.initial_measurement);
    let Some((named, comparison)) = best else {
        let expected = format!("a set of reference values in {}", sets.group);
        reasons.fail(Executables, &REALM_SET, expected, rim, sets.absence());
        return Realm { vector, set: None, unappraised: vec![0, 1, 2, 3] };
    };
    vector.executables = comparison.executables();
    if comparison.mismatches() == 0 {
        reasons.pass(Executables, &REALM_SET, &named.stored.id, &format!("initial measurement {rim}"));
    } else {
        let detail = format!(
            "none of {} sets of initial measurement {rim} matches; {} comes closest, with {} differences; they are listed below",
            sets.in_force.len(),
            named.stored.id,
            comparison.mismatches(),
        );
        reasons.fail(Executables, &REALM_SET, "a set that matches the realm", "none", detail);
    }
    report(claims, &named.set, &comparison, reasons);
    let nothing = (0..).zip(&comparison.extensible).filter(|(_, outcome)| outcome.is_none());
    Realm { vector, set: Some(named), unappraised: nothing.map(|(index, _)| index).collect() }
}

fn report(claims: &RealmClaims, set: &RealmReference, comparison: &Comparison, reasons: &mut Reasons) {
    let rpv = hex::encode(claims.personalization_value);
    match (comparison.personalization, set.personalization_value) {
        (Some(true), _) => reasons.pass(Executables, &REALM_PERSONALIZATION, rpv, ""),
        (Some(false), Some(expected)) => {
            let detail = "the host started the realm for another purpose or tenant";
            reasons.fail(Executables, &REALM_PERSONALIZATION, hex::encode(expected), rpv, detail);
        }
        _ => {
            let why = "the set has no reference value for the personalization value";
            reasons.not_checked(Executables, &REALM_PERSONALIZATION, rpv, why);
        }
    }
    let rems = claims.extensible_measurements.iter().zip(&set.extensible_measurements);
    for (index, ((found, reference), outcome)) in rems.zip(comparison.extensible).enumerate() {
        let hex = hex::encode(found);
        let (check, detail) = (&REALM_EXTENSIBLE_MEASUREMENT, format!("REM{index}"));
        match (outcome, reference) {
            (Some(true), _) => reasons.pass(Executables, check, hex, &detail),
            (Some(false), Some(reference)) => {
                let detail = format!("{detail} differs: more or other than the expected was loaded");
                reasons.fail(Executables, check, reference.to_hex(), hex, detail);
            }
            _ => {
                let why = format!("the set has no reference value for {detail}: it may be anything");
                reasons.not_checked(Executables, check, hex, why);
            }
        }
    }
}
