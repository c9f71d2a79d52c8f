//! The appraisal of CCA claims against endorsed reference values: a trust vector (AR4SI) for the
//! platform and one for the realm, with every reason.
//!
//! | layer | claim | value |
//! |---|---|---|
//! | platform | hardware | 2: its signature was verified |
//! | | instance-identity, storage-opaque | 2 secured, or debugged outside the root of trust; else 96 |
//! | | runtime-opaque | 2 secured; 32 debugged outside the root of trust; else 96 |
//! | | configuration | 2 as the set says, by its mask; 32 differs; 36 nothing to compare with |
//! | | executables | 2 the firmware is that of a set, no less and no more; else 33 |
//! | realm | instance-identity | 2: its binding was verified |
//! | | executables | 2 initial and extensible measurements match; 3 the set has no extensible ones; 33 no set, or a measurement differs; 96 the personalization value differs |
//! | | runtime-opaque | 32 where the platform is not secured; else not claimed |
//!
//! A set is what one document says of one environment. Sets are alternatives and are never mixed; the
//! one that gives the best vector counts. `docs/cca-appraisal.md` says more.

mod assignment;
mod checks;
mod components;
mod config;
mod firmware;
mod measurement;
mod platform;
mod realm;
mod reasons;
mod sets;

use assay_types::{EndorsedAppraisal, EndorsedAppraiser, LayerAppraisal, ReferenceValueSnapshot, UnixTime};
use serde_json::{Map, Value, json};

pub use checks::APPRAISAL_CHECKS;

use crate::endorsement::{Endorsement, PlatformReference, RealmReference, platform_group, realm_group};
use crate::platform::PlatformClaims;
use crate::realm::RealmClaims;
use crate::rejected::{PLATFORM_SUBMODULE, REALM_SUBMODULE};
use reasons::Reasons;
use sets::{Named, Sets};

/// Appraises the claims of a token that was verified.
#[derive(Clone, Debug, PartialEq)]
pub struct CcaAppraiser {
    platform: PlatformClaims,
    realm: RealmClaims,
}

impl CcaAppraiser {
    /// An appraiser of these claims. Their authenticity, and that the realm is bound to the platform,
    /// is the caller's business.
    pub fn new(platform: PlatformClaims, realm: RealmClaims) -> Self {
        CcaAppraiser { platform, realm }
    }

    fn compare(
        &self,
        platforms: &Sets<PlatformReference>,
        realms: &Sets<RealmReference>,
    ) -> EndorsedAppraisal {
        let mut reasons = Reasons::default();
        let platform = platform::appraise(&self.platform, platforms, &mut reasons);
        let state = self.platform.lifecycle_state;
        let realm = realm::appraise(&self.realm, state, realms, &mut reasons);

        let mut details = Map::new();
        details.insert("lifecycle-state".into(), state.as_str().into());
        set_details("platform", platforms, platform.set, platform.matches(), &mut details);
        firmware::details(platform.firmware.as_ref(), &self.platform.components, &mut details);
        set_details("realm", realms, realm.set, realm.matches(), &mut details);
        details.insert("rems-unappraised".into(), json!(realm.unappraised));

        let layer = |layer: &str, submodule: &str, trust_vector| LayerAppraisal {
            layer: layer.into(),
            submodule: submodule.into(),
            trust_vector,
        };
        EndorsedAppraisal {
            layers: vec![
                layer("platform", PLATFORM_SUBMODULE, platform.vector),
                layer("realm", REALM_SUBMODULE, realm.vector),
            ],
            findings: reasons.into_findings(),
            asked: [platforms.asked(platform.set), realms.asked(realm.set)].concat(),
            details,
        }
    }
}

/// `<layer>-set`: the name of the set that matches, or null; `<layer>-set-closest`: where none matches,
/// the one that comes closest, or null; `<layer>-sets-tried`: how many were compared.
fn set_details<T>(
    layer: &str,
    sets: &Sets<T>,
    set: Option<&Named<T>>,
    matches: bool,
    details: &mut Map<String, Value>,
) {
    let name = set.map(|named| named.stored.id.clone());
    let (matched, closest) = if matches { (name, None) } else { (None, name) };
    details.insert(format!("{layer}-set"), json!(matched));
    details.insert(format!("{layer}-set-closest"), json!(closest));
    details.insert(format!("{layer}-sets-tried"), json!(sets.in_force.len()));
}

impl EndorsedAppraiser for CcaAppraiser {
    fn appraise(&self, values: &dyn ReferenceValueSnapshot, now: UnixTime) -> EndorsedAppraisal {
        let implementation = &self.platform.implementation_id;
        let group = platform_group(implementation);
        let answers = values.group(&group, now);
        let platforms = Sets::new(group, answers, |value| match Endorsement::from_value(value) {
            Ok(Endorsement::Platform(set)) if set.implementation_id == *implementation => Ok(set),
            Ok(Endorsement::Platform(_)) => Err("it is of another implementation than its name says".into()),
            Ok(_) => Err("it is not a set for a platform".into()),
            Err(problem) => Err(problem.to_string()),
        });
        let rim = &self.realm.initial_measurement;
        let group = realm_group(rim);
        let answers = values.group(&group, now);
        let realms = Sets::new(group, answers, |value| match Endorsement::from_value(value) {
            Ok(Endorsement::Realm(set)) if set.initial_measurement.accepts(rim) => Ok(set),
            Ok(Endorsement::Realm(_)) => {
                Err("it is of another initial measurement than its name says".into())
            }
            Ok(_) => Err("it is not a set for a realm".into()),
            Err(problem) => Err(problem.to_string()),
        });
        self.compare(&platforms, &realms)
    }
}

#[cfg(test)]
mod tests;
