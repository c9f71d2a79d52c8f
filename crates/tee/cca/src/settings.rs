//! The settings of a verifier.

use crate::trust_anchors::EmulatedAnchors;

/// The settings of a verifier.
#[derive(Clone, Debug)]
pub struct CcaSettings {
    /// Keys of an emulator, admitted by a danger option. Results that rest on them say so.
    pub emulated: EmulatedAnchors,
    /// Admits keys whose private half is public (a danger option). Results that rest on them say so.
    pub allow_test_keys: bool,
    /// Rejects measurements that do not have the length of the algorithm their token names. Not the
    /// default: much of what is in the field says sha-256 over 64 bytes.
    pub strict_lengths: bool,
    /// How many trust anchors are remembered in their parsed form, about 1 KiB each.
    pub cached_anchors: u64,
}

impl CcaSettings {
    /// No emulator, no test keys, lengths as they come, 4096 anchors.
    pub fn production() -> Self {
        CcaSettings {
            emulated: EmulatedAnchors::default(),
            allow_test_keys: false,
            strict_lengths: false,
            cached_anchors: 4096,
        }
    }
}
