//! What can go wrong in the agent, with a stable code each.

use assay_attester::AttesterError;
use assay_client::ClientError;
use assay_sealed_secret::SealedSecretError;
use assay_types::{Coded, Fault, NotAResourceUri, NotOfResourcePlugin};

use crate::measurement::MeasurementError;

/// An error of the agent, as its callers see it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The peer may not use this listener at all.
    #[error("{peer} may not use {listener}")]
    NotAdmitted {
        /// The listener's address.
        listener: String,
        /// The peer.
        peer: String,
    },
    /// The peer may not do this.
    #[error("{peer} may not use {what} by {listener}; the key `{key}` of this listener allows it")]
    NotAllowed {
        /// What it wanted.
        what: String,
        /// The peer.
        peer: String,
        /// The listener's address.
        listener: String,
        /// The key of the configuration that would allow it.
        key: &'static str,
    },
    /// There is no such kind of token.
    #[error("unknown token type {found:?}; known are \"kbs\" and \"coco_as\"")]
    TokenType {
        /// What was asked for.
        found: String,
    },
    /// Tokens of this kind, or secrets, need a service that is not configured.
    #[error("no {what} is configured: set `{key}`")]
    NotConfigured {
        /// What is missing.
        what: &'static str,
        /// The key of the configuration.
        key: &'static str,
    },
    /// The runtime data are too long to be looked at.
    #[error("{found} bytes of runtime data; at most {max} are taken")]
    RuntimeDataTooLong {
        /// The number of bytes.
        found: usize,
        /// The greatest number.
        max: usize,
    },
    /// Nothing on this platform binds the init data.
    #[error("the init data are not bound: {why}")]
    InitDataUnbound {
        /// Why.
        why: String,
    },
    /// The request cannot be understood.
    #[error("{0}")]
    BadRequest(String),
    /// The URI cannot be read.
    #[error(transparent)]
    ResourceUri(#[from] NotAResourceUri),
    /// The URI names no secret.
    #[error(transparent)]
    ResourcePath(#[from] NotOfResourcePlugin),
    /// The attester's.
    #[error(transparent)]
    Attester(#[from] AttesterError),
    /// No TEE was found.
    #[error("no TEE was found on this machine; `assay-agent doctor` says what was looked for")]
    NoTee,
    /// The device is still busy with an earlier call, or too many wait for it.
    #[error("{what}: the device is busy since {seconds} s")]
    DeviceBusy {
        /// What was asked for.
        what: &'static str,
        /// For how long.
        seconds: u64,
    },
    /// The device did not get done in time.
    #[error("{what}: the device did not get done within {seconds} s")]
    DeviceLate {
        /// What was asked for.
        what: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// The device's thread is gone.
    #[error("the device's thread has ended; restart the agent")]
    DeviceGone,
    /// The key broker's or attestation service's, or the way to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Measuring an event.
    #[error(transparent)]
    Measurement(#[from] MeasurementError),
    /// A sealed secret.
    #[error(transparent)]
    SealedSecret(#[from] SealedSecretError),
    /// As many requests as are allowed are worked on, and none ended in time.
    #[error("{max} requests are worked on, and none ended within {seconds} s; try again later")]
    TooManyRequests {
        /// The greatest number at a time.
        max: usize,
        /// How long the request waited.
        seconds: u64,
    },
    /// There was no answer within the listener's or the caller's time.
    #[error("no answer within {millis} ms")]
    TookTooLong {
        /// The time, in milliseconds.
        millis: u64,
    },
    /// Callers' places at the device are taken.
    #[error("{waiting} calls for evidence wait for the device already; ask again later")]
    EvidenceQueue {
        /// How many.
        waiting: usize,
    },
    /// The share of the event log that this listener may fill is used up.
    #[error(
        "the event log has {found} bytes; callers of {listener} may fill it up to {max}, the rest is kept for root's"
    )]
    LogShare {
        /// The listener's address.
        listener: String,
        /// The log's length.
        found: usize,
        /// Up to where.
        max: usize,
    },
    /// The device was at an event when the wait for it ended.
    #[error(
        "the event may be measured: the device was at it when the wait ended; do not send it again before looking \
         at the log"
    )]
    MayBeMeasured,
    /// Ours.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Coded for AgentError {
    fn code(&self) -> &'static str {
        match self {
            AgentError::NotAdmitted { .. } => "AGT-001",
            AgentError::NotAllowed { .. } => "AGT-002",
            AgentError::TokenType { .. } => "AGT-003",
            AgentError::NotConfigured { .. } => "AGT-004",
            AgentError::RuntimeDataTooLong { .. } => "AGT-005",
            AgentError::InitDataUnbound { .. } => "AGT-006",
            AgentError::BadRequest(_) => "AGT-007",
            AgentError::ResourceUri(_) => "AGT-008",
            AgentError::ResourcePath(_) => "AGT-009",
            AgentError::NoTee => "AGT-010",
            AgentError::DeviceBusy { .. } => "AGT-011",
            AgentError::DeviceGone => "AGT-012",
            AgentError::Internal(_) => "AGT-013",
            AgentError::TooManyRequests { .. } => "AGT-014",
            AgentError::TookTooLong { .. } => "AGT-015",
            AgentError::DeviceLate { .. } => "AGT-024",
            AgentError::EvidenceQueue { .. } => "AGT-021",
            AgentError::LogShare { .. } => "AGT-022",
            AgentError::MayBeMeasured => "AGT-023",
            AgentError::Attester(error) => error.code(),
            AgentError::Client(error) => error.code(),
            AgentError::Measurement(error) => error.code(),
            AgentError::SealedSecret(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            AgentError::NotAdmitted { .. } | AgentError::NotAllowed { .. } => Fault::Forbidden,
            AgentError::TokenType { .. }
            | AgentError::BadRequest(_)
            | AgentError::ResourceUri(_)
            | AgentError::ResourcePath(_) => Fault::BadRequest,
            AgentError::RuntimeDataTooLong { .. } => Fault::TooLarge,
            AgentError::InitDataUnbound { .. } => Fault::Unprocessable,
            AgentError::NotConfigured { .. }
            | AgentError::NoTee
            | AgentError::DeviceBusy { .. }
            | AgentError::DeviceLate { .. }
            | AgentError::DeviceGone
            | AgentError::TookTooLong { .. } => Fault::Unavailable,
            AgentError::TooManyRequests { .. } => Fault::RateLimited,
            AgentError::EvidenceQueue { .. } => Fault::RateLimited,
            AgentError::LogShare { .. } => Fault::Forbidden,
            AgentError::MayBeMeasured => Fault::Conflict,
            AgentError::Internal(_) => Fault::Internal,
            AgentError::Attester(error) => error.fault(),
            AgentError::Client(error) => error.fault(),
            AgentError::Measurement(error) => error.fault(),
            AgentError::SealedSecret(error) => error.fault(),
        }
    }
}
