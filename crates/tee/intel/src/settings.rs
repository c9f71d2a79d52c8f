//! The settings of the verifiers.

use crate::anchors::IntelAnchors;
use crate::collateral::UpdateChannel;

/// Settings of [`IntelVerifier`](crate::IntelVerifier).
#[derive(Clone, Debug)]
pub struct IntelSettings {
    /// The roots that chains may end at.
    pub anchors: IntelAnchors,
    /// Which edition of TCB info and QE identity is asked for: the one of the day that Intel
    /// announces a TCB recovery, or the one of the day by which platforms should have followed.
    pub update_channel: UpdateChannel,
    /// The lowest `tcbEvaluationDataNumber` that TCB info and QE identity may have. None is asked for
    /// unless set. Collateral of an earlier TCB recovery may still be in force when it is served.
    pub minimum_evaluation_number: Option<u32>,
    /// How many verified platforms (PCK certificate with collateral) are remembered.
    pub cached_platforms: u64,
}

impl IntelSettings {
    /// Intel's root, the standard channel, no minimum.
    pub fn production() -> Self {
        IntelSettings {
            anchors: IntelAnchors::intel(),
            update_channel: UpdateChannel::Standard,
            minimum_evaluation_number: None,
            cached_platforms: 1024,
        }
    }
}
