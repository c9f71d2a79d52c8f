//! The settings of a verifier.

use crate::anchors::SnpAnchors;

/// Whether a revocation list is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CrlPolicy {
    /// Lists that come along are checked; none is asked for.
    #[default]
    IfPresent,
    /// A list of the root key must be there, and is asked for when it did not come along.
    Required,
}

/// The virtual machine privilege levels at which reports may have been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VmplPolicy([bool; 4]);

impl Default for VmplPolicy {
    /// Level 0 only: without a trusted layer below it, the guest's kernel runs there.
    fn default() -> Self {
        VmplPolicy([true, false, false, false])
    }
}

impl VmplPolicy {
    /// These levels, each 0 to 3, and no others; higher numbers are never allowed.
    pub fn only(levels: &[u32]) -> Self {
        VmplPolicy([0, 1, 2, 3].map(|level| levels.contains(&level)))
    }

    /// Whether the level is allowed.
    pub fn allows(&self, level: u32) -> bool {
        usize::try_from(level).ok().and_then(|level| self.0.get(level)).copied().unwrap_or(false)
    }
}

impl std::fmt::Display for VmplPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let allowed: Vec<String> = (0..)
            .zip(self.0)
            .filter(|(_, allowed)| *allowed)
            .map(|(level, _): (u32, _)| level.to_string())
            .collect();
        f.write_str(&allowed.join(" or "))
    }
}

/// The settings of a verifier.
#[derive(Clone, Debug)]
pub struct SnpSettings {
    /// The root keys that are trusted.
    pub anchors: SnpAnchors,
    /// Whether a revocation list is required.
    pub crl: CrlPolicy,
    /// The privilege levels that are allowed.
    pub vmpl: VmplPolicy,
    /// How many verified chains are remembered, about 4 KiB each.
    pub cached_chains: u64,
}

impl SnpSettings {
    /// AMD's roots, revocation lists where they come along, VMPL 0, 4096 chains.
    pub fn production() -> Self {
        SnpSettings {
            anchors: SnpAnchors::amd(),
            crl: CrlPolicy::default(),
            vmpl: VmplPolicy::default(),
            cached_chains: 4096,
        }
    }
}
