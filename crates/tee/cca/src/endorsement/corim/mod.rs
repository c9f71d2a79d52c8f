//! Endorsements from CoRIMs that follow Arm's profiles (draft-ydb-rats-cca-endorsements).
//!
//! - **Platform** (`tag:arm.com,2025:cca_platform#1.0.0`): reference triples with software components
//!   and a configuration, attest-key triples with the CPAK.
//! - **Realm** (`tag:arm.com,2025:cca_realm#1.0.0`): reference triples with the measurements of a realm.
//!
//! Revision 04 of the draft names the same two profiles otherwise ([`PLATFORM_PROFILE_04`],
//! [`REALM_PROFILE_04`]); either name is taken.
//!
//! The reference triples that one CoMID has for one environment are one set. Where draft and Veraison's
//! documents disagree, both are taken: a configuration's mask in tag 563 or beside the raw value;
//! digest algorithms by name, by their number among IANA's named information hashes, or among COSE's
//! algorithms; digests without an array around each.
//!
//! `vendor` and `model` of a class are for people: the implementation id says it all. Endorsed values and
//! identity keys are not looked at.
//!
//! The rules are [`PROFILE_CHECKS`]; everything that breaks one is told, not only the first.

mod checks;
mod measurement;
mod platform;
mod realm;

use std::collections::HashSet;
use std::fmt;

use assay_corim::{Comid, Corim, Environment, Identifier, Note, Profile};
use assay_types::Check;

use super::{Endorsement, NamedEndorsement, Origin};

pub use checks::PROFILE_CHECKS;

/// The profile of platforms.
pub const PLATFORM_PROFILE: &str = "tag:arm.com,2025:cca_platform#1.0.0";

/// The profile of realms.
pub const REALM_PROFILE: &str = "tag:arm.com,2025:cca_realm#1.0.0";

/// The profile of platforms by its name in revision 04 of the draft, section 3.1.1.
pub const PLATFORM_PROFILE_04: &str = "tag:arm.com,2025:endorsements/cca_platform#1.0.0";

/// The profile of realms by its name in revision 04 of the draft, section 3.2.1.
pub const REALM_PROFILE_04: &str = "tag:arm.com,2025:endorsements/cca_realm#1.0.0";

/// Profiles of earlier drafts, which have other measurements, and their successors.
const OLD_PROFILES: [(&str, &str); 2] =
    [("http://arm.com/cca/ssd/1", PLATFORM_PROFILE), ("http://arm.com/cca/realm/1", REALM_PROFILE)];

/// More problems than this are not worth reading.
const MAX_PROBLEMS: usize = 1000;

/// A rule of its profile that a CoRIM breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileProblem {
    /// The rule, of [`PROFILE_CHECKS`].
    pub check: Check,
    /// Where: `tags[0].triples.reference[1].measurements[2].mval.digests`.
    pub path: String,
    /// What must be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for ProfileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProfileProblem { check, path, expected, found } = self;
        write!(f, "{} {path}: expected {expected}, found {found}", check.code)
    }
}

/// Collects what breaks a rule.
#[derive(Default)]
struct Problems(Vec<ProfileProblem>);

impl Problems {
    fn add(
        &mut self,
        check: &Check,
        path: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(ProfileProblem {
                check: *check,
                path: path.into(),
                expected: expected.into(),
                found: found.into(),
            });
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Platform,
    Realm,
}

/// The endorsements of a CoRIM, in the order of its CoMIDs.
///
/// `profile` is what the transport says of the document (`application/rim+cbor; profile="…"`). A CoRIM
/// without a profile is taken only with it; one that names another is refused.
///
/// # Errors
/// All rules that the document breaks, up to 1000.
pub fn of_corim(corim: &Corim, profile: Option<&str>) -> Result<Vec<NamedEndorsement>, Vec<ProfileProblem>> {
    let mut problems = Problems::default();
    let mut all = Vec::new();
    let kind = kind(corim, profile, &mut problems);
    if let Some(kind) = kind {
        for (index, comid) in corim.comids() {
            let path = format!("tags[{index}]");
            let origin = Origin::of_corim(&corim.id, &comid.id);
            let endorsements = of_comid(kind, comid, &path, &mut problems);
            match origin {
                Ok(origin) => all.extend(
                    endorsements
                        .into_iter()
                        .map(|endorsement| NamedEndorsement { origin: origin.clone(), endorsement }),
                ),
                Err(error) => {
                    problems.add(&checks::NAMES, path, "identifiers that name it", error.to_string());
                }
            }
        }
        check_names(&all, &mut problems);
        if all.is_empty() && problems.0.is_empty() {
            problems.add(&checks::SOMETHING, "tags", "reference or attest-key triples", "none");
        }
    }
    if problems.0.is_empty() { Ok(all) } else { Err(problems.0) }
}

fn kind(corim: &Corim, expected: Option<&str>, problems: &mut Problems) -> Option<Kind> {
    let known = format!("{PLATFORM_PROFILE} or {REALM_PROFILE}");
    let stated = match &corim.profile {
        Some(Profile::Uri(uri)) => Some(uri.as_str()),
        Some(oid @ Profile::Oid(_)) => {
            problems.add(&checks::PROFILE, "profile", known, oid.to_string());
            return None;
        }
        None => None,
    };
    if let (Some(stated), Some(expected)) = (stated, expected)
        && stated != expected
    {
        let by_transport = format!("{expected}, which the media type names");
        problems.add(&checks::PROFILE, "profile", by_transport, stated);
        return None;
    }
    match stated.or(expected) {
        Some(PLATFORM_PROFILE | PLATFORM_PROFILE_04) => Some(Kind::Platform),
        Some(REALM_PROFILE | REALM_PROFILE_04) => Some(Kind::Realm),
        other => {
            let successor = OLD_PROFILES.iter().find(|(old, _)| Some(*old) == other);
            let found = match (other, successor) {
                (Some(old), Some((_, new))) => format!("{old}, of an earlier draft; its successor is {new}"),
                (Some(other), None) => other.to_owned(),
                (None, _) => "no profile".to_owned(),
            };
            problems.add(&checks::PROFILE, "profile", known, found);
            None
        }
    }
}

fn of_comid(kind: Kind, comid: &Comid, path: &str, problems: &mut Problems) -> Vec<Endorsement> {
    let path = format!("{path}.triples");
    match kind {
        Kind::Platform => {
            let mut all = platform::reference_values(&comid.triples.reference, &path, problems);
            all.extend(platform::trust_anchors(&comid.triples.attest_key, &path, problems));
            all
        }
        Kind::Realm => {
            if !comid.triples.attest_key.is_empty() {
                let found = format!("{} of them", comid.triples.attest_key.len());
                problems.add(&checks::REALM_KEY, format!("{path}.attest-key"), "none", found);
            }
            realm::reference_values(&comid.triples.reference, &path, problems)
        }
    }
}

/// Two endorsements of one name would be one in the store.
fn check_names(all: &[NamedEndorsement], problems: &mut Problems) {
    let mut names = HashSet::new();
    for name in all.iter().flat_map(NamedEndorsement::names) {
        if names.contains(&name) {
            problems.add(&checks::NAMES, "tags", "one endorsement of each name", format!("two of {name}"));
        }
        names.insert(name);
    }
}

/// Remarks on what the profiles have no use for: endorsed values, identity keys.
pub(super) fn not_used(corim: &Corim) -> Vec<Note> {
    let of = |(index, comid): (usize, &Comid)| {
        let kinds = [("endorsed", comid.triples.endorsed.len()), ("identity", comid.triples.identity.len())];
        kinds.into_iter().filter(|(_, count)| *count > 0).map(move |(kind, count)| Note {
            path: format!("tags[{index}].triples.{kind}"),
            text: format!("{count} triples that are not used"),
        })
    };
    corim.comids().flat_map(of).collect()
}

/// The bytes of the class id. `instance` says whether the environment may have one.
fn class_bytes<'c>(
    environment: &'c Environment,
    check: &Check,
    expected: &str,
    instance: bool,
    path: &str,
    problems: &mut Problems,
) -> Option<&'c [u8]> {
    let class = environment.class.as_ref();
    let strangers = [
        ("instance", !instance && environment.instance.is_some()),
        ("group", environment.group.is_some()),
        ("class.layer", class.is_some_and(|class| class.layer.is_some())),
        ("class.index", class.is_some_and(|class| class.index.is_some())),
    ];
    for (member, _) in strangers.into_iter().filter(|(_, there)| *there) {
        problems.add(&checks::ENVIRONMENT, format!("{path}.environment.{member}"), "nothing", "a value");
    }
    let path = || format!("{path}.environment.class.class-id");
    match class.and_then(|class| class.id.as_ref()) {
        Some(Identifier::Bytes(bytes)) => Some(bytes),
        Some(other) => {
            problems.add(check, path(), expected, other.describe());
            None
        }
        None => {
            problems.add(&checks::CLASS, path(), expected, "nothing");
            None
        }
    }
}
