//! What can go wrong with the audit log, each with its code.

use assay_store::StoreError;
use assay_token::TokenError;
use assay_types::{Coded, Fault};

/// Why something was not recorded, or the log could not be read. Whoever asked for an act to be recorded
/// and got this refuses the act.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The store has taken no record for a while.
    #[error("the audit log cannot be written: {why}; nothing that must be recorded is done until it can")]
    Unavailable {
        /// Why.
        why: String,
    },
    /// More records wait than there is room for.
    #[error("the audit log's queue is full: its store is too slow, or down")]
    QueueFull,
    /// The record was not written in time. It is still in the queue, and may be written yet.
    #[error("the audit log did not take the record within {seconds} seconds")]
    TooSlow {
        /// The time allowed.
        seconds: u64,
    },
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
    /// Somebody else wrote into the chain of this process.
    #[error(
        "the audit log's chain has records or a head that this process did not write; restart it for a new \
         chain, and run `assay audit verify`"
    )]
    ChainTaken,
    /// A record that cannot be.
    #[error("the audit record cannot be written: {why}")]
    Record {
        /// Why.
        why: String,
    },
    /// A key of the log that this build cannot use.
    #[error("the audit-signing key {kid} has the unknown algorithm {algorithm:?}")]
    Key {
        /// The key.
        kid: String,
        /// The algorithm.
        algorithm: String,
    },
    /// A line of an export that is none.
    #[error("line {line} of the export: {why}")]
    Export {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// The export ends too early.
    #[error("the export is cut off: {why}")]
    Truncated {
        /// What is missing.
        why: String,
    },
    /// The export could not be read or written.
    #[error("the export cannot be read or written: {why}")]
    Io {
        /// Why.
        why: String,
    },
    /// A log with broken places is not pruned: what broke them would be gone.
    #[error("the audit log has {broken} broken places and is not pruned; see `assay audit verify`")]
    Broken {
        /// How many.
        broken: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key or signature failed.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl Coded for AuditError {
    fn code(&self) -> &'static str {
        match self {
            AuditError::Unavailable { .. } => "AUD-001",
            AuditError::QueueFull => "AUD-002",
            AuditError::TooSlow { .. } => "AUD-003",
            AuditError::Closed => "AUD-004",
            AuditError::ChainTaken => "AUD-005",
            AuditError::Record { .. } => "AUD-006",
            AuditError::Key { .. } => "AUD-007",
            AuditError::Export { .. } => "AUD-008",
            AuditError::Truncated { .. } => "AUD-009",
            AuditError::Io { .. } => "AUD-010",
            AuditError::Broken { .. } => "AUD-011",
            AuditError::Store(error) => error.code(),
            AuditError::Token(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            AuditError::Unavailable { .. }
            | AuditError::QueueFull
            | AuditError::TooSlow { .. }
            | AuditError::Closed
            | AuditError::ChainTaken => Fault::Unavailable,
            AuditError::Export { .. } | AuditError::Truncated { .. } => Fault::BadRequest,
            AuditError::Broken { .. } => Fault::Conflict,
            AuditError::Record { .. } | AuditError::Key { .. } | AuditError::Io { .. } => Fault::Internal,
            AuditError::Store(error) => error.fault(),
            AuditError::Token(error) => error.fault(),
        }
    }
}
