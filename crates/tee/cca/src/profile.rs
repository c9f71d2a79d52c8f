//! The profiles of platform and realm tokens: which generation of claims, which attestation model,
//! which claim binds the realm to the platform (draft-ffm-rats-cca-token-04, 4.3.3 and 4.5.1; RMM
//! specification 1.0 for the first).

use std::fmt;

/// A generation of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// RMM 1.0 and 1.1.
    V1,
    /// RMM 2.0.
    V2,
}

/// How the realm's claims are tied to the platform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// The realm token is signed by the realm attestation key (RAK); the platform token has the RAK's
    /// hash.
    Delegated,
    /// As [`Model::Delegated`], with the RAK kept within the hardware-enforced security (HES). The
    /// platform token has the realm's challenge as well.
    HesRak,
    /// The realm's claims are not signed; the platform token has their hash.
    Direct,
}

/// The claim of the platform token that binds the realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingClaim {
    /// The platform challenge, claim 10: profiles before 2026.
    Challenge,
    /// The workload binding, claim 2408: profiles of 2026 and later.
    Workload,
}

impl BindingClaim {
    /// The claim's key.
    pub const fn key(self) -> i64 {
        match self {
            BindingClaim::Challenge => 10,
            BindingClaim::Workload => 2408,
        }
    }
}

/// A profile of platform tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformProfile {
    /// Its name: the value of claim 265.
    pub name: &'static str,
    /// Its claims.
    pub generation: Generation,
    /// Its model.
    pub model: Model,
    /// What binds the realm. The draft contradicts itself for 2026 (4.3.1 against 4.3.3); this is the
    /// reading of 4.3.1 and of its example.
    pub binding: BindingClaim,
}

/// A profile of realm tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealmProfile {
    /// Its name: the value of claim 265. `None` for the first generation, which has no such claim.
    pub name: Option<&'static str>,
    /// Its claims.
    pub generation: Generation,
}

const fn platform(
    name: &'static str,
    generation: Generation,
    model: Model,
    binding: BindingClaim,
) -> PlatformProfile {
    PlatformProfile { name, generation, model, binding }
}

use BindingClaim::{Challenge, Workload};
use Generation::{V1, V2};
use Model::{Delegated, Direct, HesRak};

/// Every profile of platform tokens.
pub const PLATFORM_PROFILES: &[PlatformProfile] = &[
    platform("http://arm.com/CCA-SSD/1.0.0", V1, Delegated, Challenge),
    platform("tag:arm.com,2023:cca_platform#1.0.0", V1, Delegated, Challenge),
    platform("tag:arm.com,2024:cca_platform#1.1.0", V1, Delegated, Challenge),
    platform("tag:arm.com,2024:cca_platform#2.0.0", V2, Delegated, Challenge),
    platform("tag:arm.com,2024:cca_platform#2.0.0;direct", V2, Direct, Challenge),
    platform("tag:arm.com,2026:cca_platform#2.0.0", V2, Delegated, Workload),
    platform("tag:arm.com,2026:cca_platform#2.0.0;delegated", V2, Delegated, Workload),
    platform("tag:arm.com,2026:cca_platform#2.0.0;HESRAK", V2, HesRak, Workload),
    platform("tag:arm.com,2026:cca_platform#2.0.0;direct", V2, Direct, Workload),
    platform("tag:arm.com,2026:cca_platform#2.1.0", V2, Delegated, Workload),
    platform("tag:arm.com,2026:cca_platform#2.1.0;delegated", V2, Delegated, Workload),
    platform("tag:arm.com,2026:cca_platform#2.1.0;HESRAK", V2, HesRak, Workload),
    platform("tag:arm.com,2026:cca_platform#2.1.0;direct", V2, Direct, Workload),
];

/// Every profile of realm tokens, the first without a name.
pub const REALM_PROFILES: &[RealmProfile] = &[
    RealmProfile { name: None, generation: V1 },
    RealmProfile { name: Some("tag:arm.com,2023:realm#1.0.0"), generation: V1 },
    RealmProfile { name: Some("tag:arm.com,2024:realm#2.0.0"), generation: V2 },
    RealmProfile { name: Some("tag:arm.com,2026:realm#2.0.0"), generation: V2 },
];

impl PlatformProfile {
    /// The profile of that name.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        PLATFORM_PROFILES.iter().find(|profile| profile.name == name)
    }
}

impl RealmProfile {
    /// The profile of that name, or the one without.
    pub fn from_name(name: Option<&str>) -> Option<&'static Self> {
        REALM_PROFILES.iter().find(|profile| profile.name == name)
    }

    /// Whether the RAK is a bare point on P-384 and not a COSE_Key.
    pub fn has_raw_key(&self) -> bool {
        self.name.is_none()
    }
}

impl fmt::Display for PlatformProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for RealmProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.unwrap_or("none (RMM 1.0)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binding_claim_follows_the_year_and_the_model_the_suffix() {
        for profile in PLATFORM_PROFILES {
            assert_eq!(PlatformProfile::from_name(profile.name), Some(profile));
            let of_2026 = profile.name.contains(",2026:");
            assert_eq!(profile.binding, if of_2026 { Workload } else { Challenge }, "{profile}");
            let model = match profile.name.split_once(';').map(|(_, model)| model) {
                Some("direct") => Direct,
                Some("HESRAK") => HesRak,
                _ => Delegated,
            };
            assert_eq!(profile.model, model, "{profile}");
            assert_eq!(profile.generation == V2, profile.name.contains("#2."), "{profile}");
        }
        assert!(PlatformProfile::from_name("tag:arm.com,2026:cca_platform#2.0.0;").is_none());
        assert!(RealmProfile::from_name(Some("")).is_none());
    }
}
