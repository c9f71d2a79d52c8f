//! Why there is no evidence.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use assay_types::{Coded, Fault, HashAlgorithm, Tee};

/// An error of an attester.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttesterError {
    /// The caller wants more bytes bound than the TEE has room for.
    #[error("{found} bytes of report data; {tee} takes at most {max}")]
    ReportDataTooLong {
        /// The TEE.
        tee: Tee,
        /// The number of bytes.
        found: usize,
        /// The greatest number.
        max: usize,
    },
    /// A file or device cannot be used.
    #[error("{action} {}: {}", path.display(), source)]
    Device {
        /// What was done: `opening`, `reading`, `writing`, `removing`, `asking`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: Arc<io::Error>,
    },
    /// The device did not answer in time.
    #[error("{what} did not answer within {waited_ms} ms")]
    Deadline {
        /// The device or file.
        what: String,
        /// How long it was waited for, in milliseconds.
        waited_ms: u64,
    },
    /// Someone else used the same report entry: its answer may be for another's data.
    #[error("the report entry {} was changed by someone else: generation {expected} expected, {found} found",
        path.display())]
    Generation {
        /// The entry.
        path: PathBuf,
        /// The generation that our own writes give.
        expected: u64,
        /// The generation found.
        found: u64,
    },
    /// The device answered with something that is no evidence.
    #[error("{what}: {why}")]
    Malformed {
        /// The device or file.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// The platform's field has another value than the init data.
    #[error(
        "the init data are not those that the guest was launched with: {field} is {found}, their digest {expected}"
    )]
    InitDataMismatch {
        /// The field, such as `HOSTDATA`.
        field: &'static str,
        /// The digest as the field would hold it, lower case hex.
        expected: String,
        /// What the field holds, lower case hex.
        found: String,
    },
    /// There is no such register, or it cannot be extended.
    #[error("{tee} has no register for PCR {pcr} that can be extended at run time")]
    NoSuchRegister {
        /// The TEE.
        tee: Tee,
        /// The number asked for.
        pcr: u64,
    },
    /// The digest is not of the registers' hash.
    #[error("the registers take {expected} digests, this is a {found} digest")]
    WrongDigest {
        /// The registers' hash.
        expected: HashAlgorithm,
        /// The digest's.
        found: HashAlgorithm,
    },
}

impl AttesterError {
    /// An error of the kernel.
    pub fn device(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        AttesterError::Device { action, path: path.into(), source: Arc::new(source) }
    }

    /// No answer of `what`, which was asked at `started`.
    pub fn late(what: impl Into<String>, started: Instant) -> Self {
        let waited_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        AttesterError::Deadline { what: what.into(), waited_ms }
    }
}

impl Coded for AttesterError {
    fn code(&self) -> &'static str {
        match self {
            AttesterError::ReportDataTooLong { .. } => "ATT-001",
            AttesterError::Device { .. } => "ATT-002",
            AttesterError::Deadline { .. } => "ATT-003",
            AttesterError::Generation { .. } => "ATT-004",
            AttesterError::Malformed { .. } => "ATT-005",
            AttesterError::InitDataMismatch { .. } => "ATT-006",
            AttesterError::NoSuchRegister { .. } => "ATT-007",
            AttesterError::WrongDigest { .. } => "ATT-008",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            AttesterError::ReportDataTooLong { .. } | AttesterError::NoSuchRegister { .. } => {
                Fault::BadRequest
            }
            AttesterError::InitDataMismatch { .. } => Fault::Conflict,
            AttesterError::Device { .. }
            | AttesterError::Deadline { .. }
            | AttesterError::Generation { .. }
            | AttesterError::Malformed { .. } => Fault::Unavailable,
            AttesterError::WrongDigest { .. } => Fault::Internal,
        }
    }
}
