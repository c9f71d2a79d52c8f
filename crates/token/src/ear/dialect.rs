//! The spellings of one attestation result in JSON, and the names that differ between them.

use std::borrow::Cow;
use std::fmt;

/// The `eat_profile` of Trustee's tokens, which is what is written unless another is asked for.
pub const TRUSTEE_PROFILE: &str = "tag:github.com,2024:confidential-containers/Trustee";

/// Which names the members of an attestation result have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EarDialect {
    /// Trustee's: the dotted names of the drafts of 2023 (`ear.status`), under Trustee's own profile.
    #[default]
    Trustee2024,
    /// Veraison's (`github.com/veraison/ear`): dotted names under `tag:github.com,2023:veraison/ear`.
    Veraison2023,
    /// The working group's (draft-ietf-rats-ear-03 and -04): names with underscores (`ear_status`), a list
    /// of policy ids. Written under the profile of -04; what we write is the same in both.
    Ietf,
}

/// The profile of draft-ietf-rats-ear-03, whose names are those of -04.
const IETF_03: &str = "tag:ietf.org,2026:rats/ear#03";

/// Short names by which people ask for the draft's dialect.
const IETF_SHORT: [&str; 2] = ["ear#03", "ear#04"];

impl EarDialect {
    /// Every dialect, the default first.
    pub const ALL: [EarDialect; 3] = [EarDialect::Trustee2024, EarDialect::Veraison2023, EarDialect::Ietf];

    /// The `eat_profile` under which it is written.
    pub const fn profile(self) -> &'static str {
        match self {
            EarDialect::Trustee2024 => TRUSTEE_PROFILE,
            EarDialect::Veraison2023 => "tag:github.com,2023:veraison/ear",
            EarDialect::Ietf => "tag:ietf.org,2026:rats/ear#04",
        }
    }

    /// The dialect that a profile stands for. Case does not matter, as in a media type's parameter (RFC
    /// 9782, section 4). The draft's -03 and -04 are one dialect, also as `ear#03` and `ear#04`.
    pub fn from_profile(profile: &str) -> Option<Self> {
        let is = |other: &&str| profile.eq_ignore_ascii_case(other);
        if is(&IETF_03) || IETF_SHORT.iter().any(is) {
            return Some(EarDialect::Ietf);
        }
        EarDialect::ALL.into_iter().find(|dialect| is(&dialect.profile()))
    }

    /// Whether names have underscores.
    pub(crate) const fn has_underscores(self) -> bool {
        matches!(self, EarDialect::Ietf)
    }
}

impl fmt::Display for EarDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.profile())
    }
}

/// The draft's own members: dotted, with underscores.
const NAMES: [(&str, &str); 5] = [
    ("ear.verifier-id", "ear_verifier_id"),
    ("ear.raw-evidence", "ear_raw_evidence"),
    ("ear.status", "ear_status"),
    ("ear.trustworthiness-vector", "ear_trustworthiness_vector"),
    ("ear.appraisal-policy-id", "ear_appraisal_policy_ids"),
];

/// Whose extensions have both spellings. All other names are the same in every dialect.
const OWNERS: [&str; 3] = ["assay", "trustee", "veraison"];

/// The dotted spelling of a name with underscores; `None` when it is not one of those that have both.
pub(crate) fn dotted(name: &str) -> Option<Cow<'static, str>> {
    if let Some((dotted, _)) = NAMES.iter().find(|(_, underscored)| *underscored == name) {
        return Some(Cow::Borrowed(dotted));
    }
    let (owner, rest) = name.strip_prefix("ear_")?.split_once('_')?;
    (OWNERS.contains(&owner) && is_plain(rest, '_'))
        .then(|| Cow::Owned(format!("ear.{owner}.{}", rest.replace('_', "-"))))
}

/// The spelling with underscores of a dotted name; `None` when it is not one of those that have both.
pub(crate) fn underscored(name: &str) -> Option<Cow<'static, str>> {
    if let Some((_, underscored)) = NAMES.iter().find(|(dotted, _)| *dotted == name) {
        return Some(Cow::Borrowed(underscored));
    }
    let (owner, rest) = name.strip_prefix("ear.")?.split_once('.')?;
    (OWNERS.contains(&owner) && is_plain(rest, '-'))
        .then(|| Cow::Owned(format!("ear_{owner}_{}", rest.replace('-', "_"))))
}

/// Whether the name has nothing but letters, digits and this separator: then the other spelling leads
/// back to it.
fn is_plain(rest: &str, separator: char) -> bool {
    !rest.is_empty() && rest.chars().all(|c| c == separator || c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, proptest};

    #[test]
    fn profiles_lead_to_their_dialect() {
        for dialect in EarDialect::ALL {
            assert_eq!(EarDialect::from_profile(dialect.profile()), Some(dialect));
            assert_eq!(EarDialect::from_profile(&dialect.profile().to_uppercase()), Some(dialect));
        }
        for profile in ["ear#03", "ear#04", "tag:ietf.org,2026:rats/ear#03"] {
            assert_eq!(EarDialect::from_profile(profile), Some(EarDialect::Ietf), "{profile}");
        }
        for profile in ["", "ear", "ear#05", "tag:ietf.org,2026:rats/ear", "http://arm.com/psa/2.0.0"] {
            assert_eq!(EarDialect::from_profile(profile), None, "{profile:?}");
        }
    }

    #[test]
    fn names_have_their_other_spelling() {
        for (dots, underscores) in [
            ("ear.status", "ear_status"),
            ("ear.appraisal-policy-id", "ear_appraisal_policy_ids"),
            ("ear.veraison.annotated-evidence", "ear_veraison_annotated_evidence"),
            ("ear.assay.evidence-digest", "ear_assay_evidence_digest"),
            ("ear.trustee.identifiers", "ear_trustee_identifiers"),
        ] {
            assert_eq!(underscored(dots).unwrap(), underscores);
            assert_eq!(dotted(underscores).unwrap(), dots);
        }
        for name in ["iat", "ear.other.x", "ear.assay", "ear.assay.", "ear.assay.a_b", "ear.assay.a.b"] {
            assert_eq!(underscored(name), None, "{name}");
        }
        for name in ["ear_attester_claims", "ear_assay", "ear_assay_", "ear_other_x", "ear_assay_a-b"] {
            assert_eq!(dotted(name), None, "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn the_other_spelling_leads_back(name in "ear[._](assay|veraison|trustee|other)[._][a-zA-Z0-9._-]{0,12}") {
            if let Some(other) = underscored(&name) {
                assert_eq!(dotted(&other).unwrap(), name);
            }
            if let Some(other) = dotted(&name) {
                assert_eq!(underscored(&other).unwrap(), name);
            }
        }
    }
}
