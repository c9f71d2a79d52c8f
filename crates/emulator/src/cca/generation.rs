//! The generations of tokens.

use std::fmt;

use assay_tee_cca::profile::{PlatformProfile, RealmProfile};

/// A generation of firmware: profiles of platform and realm, and the wrapper that belongs to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cca {
    /// RMM 1.0: no realm profile, the RAK as a bare point, wrapper 399.
    Rmm10,
    /// draft-ffm-rats-cca-token-00: profiles of 2023, the RAK as a COSE_Key, wrapper 399.
    Draft2023,
    /// A platform of 2023 under a realm of 2024 in wrapper 907: TF-A and TF-RMM as they are in 2026.
    Mixed,
    /// RMM 2.0 with profiles of 2024.
    Rmm20Of2024,
    /// RMM 2.0 with profiles of 2026: the realm is bound by claim 2408.
    Rmm20Of2026,
    /// The direct model with profiles of 2024: the realm's claims are not signed.
    Direct2024,
    /// The direct model with profiles of 2026.
    Direct2026,
    /// The RAK kept within the hardware-enforced security, profiles of 2026: claim 10 of the platform
    /// is the realm's challenge.
    HesRak2026,
}

/// What goes around the two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrapper {
    /// Tag 399: `{44234: bstr, 44241: bstr}`.
    Eat,
    /// Tag 907: `{44234: [content-format, bstr], 44241: [content-format, bstr]}`.
    Cmw,
}

impl Cca {
    /// Every generation.
    pub const ALL: [Cca; 8] = [
        Cca::Rmm10,
        Cca::Draft2023,
        Cca::Mixed,
        Cca::Rmm20Of2024,
        Cca::Rmm20Of2026,
        Cca::Direct2024,
        Cca::Direct2026,
        Cca::HesRak2026,
    ];

    /// Its name in `--set generation=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cca::Rmm10 => "rmm-1.0",
            Cca::Draft2023 => "draft-2023",
            Cca::Mixed => "mixed",
            Cca::Rmm20Of2024 => "rmm-2.0-2024",
            Cca::Rmm20Of2026 => "rmm-2.0-2026",
            Cca::Direct2024 => "direct-2024",
            Cca::Direct2026 => "direct-2026",
            Cca::HesRak2026 => "hesrak-2026",
        }
    }

    /// The profile of its platform tokens.
    #[expect(clippy::expect_used, reason = "a test asks for every one of these names")]
    pub fn platform_profile(self) -> &'static PlatformProfile {
        let name = match self {
            Cca::Rmm10 => "http://arm.com/CCA-SSD/1.0.0",
            Cca::Draft2023 | Cca::Mixed => "tag:arm.com,2023:cca_platform#1.0.0",
            Cca::Rmm20Of2024 => "tag:arm.com,2024:cca_platform#2.0.0",
            Cca::Rmm20Of2026 => "tag:arm.com,2026:cca_platform#2.0.0",
            Cca::Direct2024 => "tag:arm.com,2024:cca_platform#2.0.0;direct",
            Cca::Direct2026 => "tag:arm.com,2026:cca_platform#2.0.0;direct",
            Cca::HesRak2026 => "tag:arm.com,2026:cca_platform#2.0.0;HESRAK",
        };
        PlatformProfile::from_name(name).expect("a profile of the table")
    }

    /// The profile of its realm tokens.
    #[expect(clippy::expect_used, reason = "a test asks for every one of these names")]
    pub fn realm_profile(self) -> &'static RealmProfile {
        let name = match self {
            Cca::Rmm10 => None,
            Cca::Draft2023 => Some("tag:arm.com,2023:realm#1.0.0"),
            Cca::Mixed | Cca::Rmm20Of2024 | Cca::Direct2024 => Some("tag:arm.com,2024:realm#2.0.0"),
            Cca::Rmm20Of2026 | Cca::Direct2026 | Cca::HesRak2026 => Some("tag:arm.com,2026:realm#2.0.0"),
        };
        RealmProfile::from_name(name).expect("a profile of the table")
    }

    /// Its wrapper.
    pub const fn wrapper(self) -> Wrapper {
        match self {
            Cca::Rmm10 | Cca::Draft2023 => Wrapper::Eat,
            _ => Wrapper::Cmw,
        }
    }
}

impl Wrapper {
    /// The tag.
    pub const fn tag(self) -> u64 {
        match self {
            Wrapper::Eat => 399,
            Wrapper::Cmw => 907,
        }
    }
}

impl fmt::Display for Cca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generation_has_profiles_of_the_table() {
        let names: std::collections::BTreeSet<String> = Cca::ALL
            .iter()
            .map(|g| format!("{g} {} {}", g.platform_profile().name, g.realm_profile()))
            .collect();
        assert_eq!(names.len(), Cca::ALL.len());
    }
}
