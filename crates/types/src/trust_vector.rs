//! The AR4SI trustworthiness vector (draft-ietf-rats-ar4si, section 2.3) and its tiers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The status of an appraisal, from no claim at all to the worst one. Ordered from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustTier {
    /// No claim was made (-1, 0, 1).
    None,
    /// 2..=31 and -32..=-2.
    Affirming,
    /// 32..=95 and -96..=-33.
    Warning,
    /// 96..=127 and -128..=-97.
    Contraindicated,
}

impl TrustTier {
    /// The tier of a trustworthiness claim's value (AR4SI, section 2.3.2).
    pub const fn of(value: i8) -> Self {
        match value {
            -1..=1 => TrustTier::None,
            2..=31 | -32..=-2 => TrustTier::Affirming,
            32..=95 | -96..=-33 => TrustTier::Warning,
            96..=127 | -128..=-97 => TrustTier::Contraindicated,
        }
    }

    /// The name in tokens (`ear.status`).
    pub const fn as_str(self) -> &'static str {
        match self {
            TrustTier::None => "none",
            TrustTier::Affirming => "affirming",
            TrustTier::Warning => "warning",
            TrustTier::Contraindicated => "contraindicated",
        }
    }
}

impl fmt::Display for TrustTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One of the eight trustworthiness claims (AR4SI, section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustClaim {
    /// Which instance the attester is.
    InstanceIdentity,
    /// How it is configured.
    Configuration,
    /// What it has loaded.
    Executables,
    /// What its file system holds.
    FileSystem,
    /// What hardware and firmware it runs on.
    Hardware,
    /// Whether its memory is hidden from others.
    RuntimeOpaque,
    /// Whether its storage is hidden from others.
    StorageOpaque,
    /// Where its data come from.
    SourcedData,
}

impl TrustClaim {
    /// All eight, in the order of AR4SI.
    pub const ALL: [TrustClaim; 8] = [
        TrustClaim::InstanceIdentity,
        TrustClaim::Configuration,
        TrustClaim::Executables,
        TrustClaim::FileSystem,
        TrustClaim::Hardware,
        TrustClaim::RuntimeOpaque,
        TrustClaim::StorageOpaque,
        TrustClaim::SourcedData,
    ];

    /// The name in policies and tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            TrustClaim::InstanceIdentity => "instance-identity",
            TrustClaim::Configuration => "configuration",
            TrustClaim::Executables => "executables",
            TrustClaim::FileSystem => "file-system",
            TrustClaim::Hardware => "hardware",
            TrustClaim::RuntimeOpaque => "runtime-opaque",
            TrustClaim::StorageOpaque => "storage-opaque",
            TrustClaim::SourcedData => "sourced-data",
        }
    }

    /// The claim of that name, or of its form with underscores.
    pub fn from_name(name: &str) -> Option<Self> {
        TrustClaim::ALL.into_iter().find(|c| c.as_str() == name || c.as_str().replace('-', "_") == name)
    }
}

impl fmt::Display for TrustClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The eight trustworthiness claims of one attester; 0 where nothing was claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrustVector {
    /// Which instance the attester is.
    pub instance_identity: i8,
    /// How it is configured.
    pub configuration: i8,
    /// What it has loaded.
    pub executables: i8,
    /// What its file system holds.
    pub file_system: i8,
    /// What hardware and firmware it runs on.
    pub hardware: i8,
    /// Whether its memory is hidden from others.
    pub runtime_opaque: i8,
    /// Whether its storage is hidden from others.
    pub storage_opaque: i8,
    /// Where its data come from.
    pub sourced_data: i8,
}

impl TrustVector {
    /// The value of `claim`.
    pub const fn get(&self, claim: TrustClaim) -> i8 {
        match claim {
            TrustClaim::InstanceIdentity => self.instance_identity,
            TrustClaim::Configuration => self.configuration,
            TrustClaim::Executables => self.executables,
            TrustClaim::FileSystem => self.file_system,
            TrustClaim::Hardware => self.hardware,
            TrustClaim::RuntimeOpaque => self.runtime_opaque,
            TrustClaim::StorageOpaque => self.storage_opaque,
            TrustClaim::SourcedData => self.sourced_data,
        }
    }

    /// Sets the value of `claim`.
    pub const fn set(&mut self, claim: TrustClaim, value: i8) {
        *match claim {
            TrustClaim::InstanceIdentity => &mut self.instance_identity,
            TrustClaim::Configuration => &mut self.configuration,
            TrustClaim::Executables => &mut self.executables,
            TrustClaim::FileSystem => &mut self.file_system,
            TrustClaim::Hardware => &mut self.hardware,
            TrustClaim::RuntimeOpaque => &mut self.runtime_opaque,
            TrustClaim::StorageOpaque => &mut self.storage_opaque,
            TrustClaim::SourcedData => &mut self.sourced_data,
        } = value;
    }

    /// The worse of both for each claim: the worse tier, then the greater magnitude. No claim (0) is
    /// worse than nothing and better than everything.
    #[must_use]
    pub fn worst(self, other: TrustVector) -> TrustVector {
        let mut out = self;
        for claim in TrustClaim::ALL {
            let rank = |value: i8| (TrustTier::of(value), value.unsigned_abs());
            if rank(other.get(claim)) > rank(self.get(claim)) {
                out.set(claim, other.get(claim));
            }
        }
        out
    }

    /// The status: the worst tier of all claims; claims that were not made do not count.
    pub fn status(&self) -> TrustTier {
        TrustClaim::ALL.into_iter().map(|c| TrustTier::of(self.get(c))).max().unwrap_or(TrustTier::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_at_their_borders() {
        use TrustTier::{Affirming, Contraindicated, None, Warning};
        for (value, tier) in [
            (-128, Contraindicated),
            (-97, Contraindicated),
            (-96, Warning),
            (-33, Warning),
            (-32, Affirming),
            (-2, Affirming),
            (-1, None),
            (0, None),
            (1, None),
            (2, Affirming),
            (31, Affirming),
            (32, Warning),
            (95, Warning),
            (96, Contraindicated),
            (127, Contraindicated),
        ] {
            assert_eq!(TrustTier::of(value), tier, "{value}");
        }
    }

    #[test]
    fn the_status_is_the_worst_tier() {
        let mut vector = TrustVector::default();
        assert_eq!(vector.status(), TrustTier::None);
        for claim in TrustClaim::ALL {
            vector.set(claim, 2);
        }
        assert_eq!(vector.status(), TrustTier::Affirming);
        for claim in TrustClaim::ALL {
            let mut worse = vector;
            worse.set(claim, 97);
            assert_eq!(worse.get(claim), 97);
            assert_eq!(worse.status(), TrustTier::Contraindicated, "{claim}");
        }
    }

    #[test]
    fn the_worse_value_wins_and_no_claim_never_hides_one() {
        let with = |hardware| TrustVector { hardware, ..TrustVector::default() };
        for (a, b, expected) in
            [(2, 97, 97), (97, 2, 97), (0, 2, 2), (2, 0, 2), (2, 3, 3), (33, -97, -97), (0, 0, 0)]
        {
            assert_eq!(with(a).worst(with(b)).hardware, expected, "{a} {b}");
        }
    }

    #[test]
    fn json_has_all_eight_names() {
        let json = serde_json::to_value(TrustVector::default()).unwrap();
        for claim in TrustClaim::ALL {
            assert_eq!(json[claim.as_str()], 0);
            assert_eq!(TrustClaim::from_name(claim.as_str()), Some(claim));
        }
        assert_eq!(TrustClaim::from_name("file_system"), Some(TrustClaim::FileSystem));
        assert_eq!(TrustClaim::from_name("filesystem"), None);
    }
}
