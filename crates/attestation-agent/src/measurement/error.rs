//! Why an event was not measured, or is not yet in the log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_attester::AttesterError;
use assay_types::{Coded, Fault};
use rustix::io::Errno;

/// Why an event was not measured, or is not yet in the log. Each says which of the two.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasurementError {
    /// The event cannot be written as one line `<domain> <operation> <content>`.
    #[error("the event's {part} {why}; nothing was measured")]
    Event {
        /// `domain`, `operation` or `content`.
        part: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The event's text is too long.
    #[error(
        "the event's text has {found} bytes, at most {max} are measured (max_event_bytes); nothing was measured"
    )]
    EventTooLong {
        /// The length of `<domain> <operation> <content>` in bytes.
        found: usize,
        /// The greatest length.
        max: usize,
    },
    /// The log has no room for the event.
    #[error(
        "the event log would have {needed} bytes, at most {max} are kept (max_log_bytes); nothing was measured, and \
         the log gets no more room until the guest starts anew"
    )]
    LogFull {
        /// The length of the log with this event, in bytes.
        needed: u64,
        /// The greatest length.
        max: u64,
    },
    /// The directory or a file in it is not fit.
    #[error("{}: {why}", path.display())]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// Another agent uses the directory.
    #[error("{} is used by another agent: end that one, or give this one a directory of its own", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A file failed before anything was measured.
    #[error("{action} {}: {source}; nothing was measured", path.display())]
    File {
        /// What was done, such as `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: Arc<io::Error>,
    },
    /// The disk is full; found out before anything was measured.
    #[error("{action} {}: the disk is full ({source}); nothing was measured", path.display())]
    DiskFull {
        /// What was done, such as `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: Arc<io::Error>,
    },
    /// The register has the event, the log not yet.
    #[error(
        "the event is measured in {register} but not logged yet: {action} {}: {source}; the next call or start \
         logs it, so do not send it again",
        path.display()
    )]
    NotLogged {
        /// The register's name.
        register: &'static str,
        /// What was done, such as `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: Arc<io::Error>,
    },
    /// The device did not extend the register.
    #[error("{register} was not extended: {why}; nothing was measured")]
    NotExtended {
        /// The register's name.
        register: &'static str,
        /// What the device said.
        why: String,
    },
    /// The device failed, and the register cannot be read to see whether it was extended.
    #[error(
        "whether {register} was extended is not known: {why}; the next call or start reads it and then logs the \
         event, or drops it when it was not measured"
    )]
    Undecided {
        /// The register's name.
        register: &'static str,
        /// What the device said.
        why: String,
    },
    /// Someone else extended the register, so that the log does not lead to its value.
    #[error(
        "{register} was extended by someone else: expected {expected}, found {found}; the log no longer \
         leads to its value, and no more events are measured until the machine starts anew"
    )]
    RegisterChanged {
        /// The register's name.
        register: &'static str,
        /// What the register should hold, lower case hex; two values where either would have been right.
        expected: String,
        /// What it holds, lower case hex.
        found: String,
    },
    /// Something happened earlier after which no event is measured.
    #[error("no events are measured any more: {why}")]
    Broken {
        /// What happened.
        why: String,
    },
    /// The log's file is not what was written.
    #[error(
        "{} is no event log of this agent: {why}; it cannot be mended, since the registers have its events: start \
         the machine anew, with an empty directory",
        path.display()
    )]
    LogDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A setting is out of its range.
    #[error("{key} is {found}; {min} to {max} can be set")]
    Setting {
        /// The setting.
        key: &'static str,
        /// Its value.
        found: u64,
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// An earlier event is still half done, and could not be completed now.
    #[error("nothing was measured, since an earlier event is not settled: {0}")]
    Unsettled(Box<MeasurementError>),
    /// The device answers with something that is no value of its register.
    #[error("{register} gives a {found} value, expected {expected}")]
    WrongValue {
        /// The register's name.
        register: &'static str,
        /// The algorithm of the registers.
        expected: &'static str,
        /// The algorithm of the value.
        found: &'static str,
    },
    /// There is no such register, or it cannot be read. Nothing was measured.
    #[error(transparent)]
    Attester(#[from] AttesterError),
}

impl MeasurementError {
    /// A failed file operation before anything was measured.
    pub(super) fn file(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.to_owned(), Arc::new(source.into()));
        let full = [Errno::NOSPC, Errno::DQUOT].map(Errno::raw_os_error);
        if source.raw_os_error().is_some_and(|code| full.contains(&code)) {
            MeasurementError::DiskFull { action, path, source }
        } else {
            MeasurementError::File { action, path, source }
        }
    }

    /// The same failure after the register was extended.
    pub(super) fn after_extend(self, register: &'static str) -> Self {
        match self {
            MeasurementError::File { action, path, source }
            | MeasurementError::DiskFull { action, path, source } => {
                MeasurementError::NotLogged { register, action, path, source }
            }
            other => other,
        }
    }
}

impl Coded for MeasurementError {
    fn code(&self) -> &'static str {
        match self {
            MeasurementError::Event { .. } => "AEL-001",
            MeasurementError::EventTooLong { .. } => "AEL-002",
            MeasurementError::LogFull { .. } => "AEL-003",
            MeasurementError::Directory { .. } => "AEL-004",
            MeasurementError::InUse { .. } => "AEL-005",
            MeasurementError::File { .. } => "AEL-006",
            MeasurementError::DiskFull { .. } => "AEL-007",
            MeasurementError::NotLogged { .. } => "AEL-008",
            MeasurementError::NotExtended { .. } => "AEL-009",
            MeasurementError::Undecided { .. } => "AEL-010",
            MeasurementError::RegisterChanged { .. } => "AEL-011",
            MeasurementError::Broken { .. } => "AEL-012",
            MeasurementError::LogDamaged { .. } => "AEL-013",
            MeasurementError::Setting { .. } => "AEL-014",
            MeasurementError::Unsettled(_) => "AEL-015",
            MeasurementError::WrongValue { .. } => "AEL-016",
            MeasurementError::Attester(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            MeasurementError::Event { .. } => Fault::BadRequest,
            MeasurementError::EventTooLong { .. } => Fault::TooLarge,
            MeasurementError::RegisterChanged { .. } | MeasurementError::InUse { .. } => Fault::Conflict,
            // The log never becomes shorter while the guest runs: trying again does not help.
            MeasurementError::LogFull { .. } => Fault::Unprocessable,
            MeasurementError::File { .. }
            | MeasurementError::DiskFull { .. }
            | MeasurementError::NotLogged { .. }
            | MeasurementError::NotExtended { .. }
            | MeasurementError::Undecided { .. }
            | MeasurementError::Broken { .. }
            | MeasurementError::Unsettled(_)
            | MeasurementError::WrongValue { .. } => Fault::Unavailable,
            MeasurementError::Directory { .. }
            | MeasurementError::LogDamaged { .. }
            | MeasurementError::Setting { .. } => Fault::Internal,
            MeasurementError::Attester(error) => error.fault(),
        }
    }
}
