//! Why the simulator does not do what was asked for.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_emulator::EmulatorError;
use assay_types::{Coded, Fault, Tee};
use rustix::io::Errno;

/// An error of the simulator.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// The kernel has no configfs-tsm for this TEE, or the emulator does not know it.
    #[error("no guest files are simulated for {tee}; there are those of snp, tdx and cca")]
    UnsupportedTee {
        /// The TEE asked for.
        tee: Tee,
    },
    /// The emulator refuses.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// Inputs that the kernel would refuse; EINVAL.
    #[error("{0}")]
    Refused(String),
    /// FUSE cannot be used.
    #[error(
        "a FUSE file system cannot be mounted: {why}. Either install fuse3 and allow /dev/fuse (in a container also \
         the capability SYS_ADMIN), or present plain files with --without-fuse; then registers cannot be extended"
    )]
    NoFuse {
        /// What is missing.
        why: String,
    },
    /// A simulator that was killed has left its mount.
    #[error(
        "a simulator that has ended is still mounted at {0}: clear it with `fusermount3 -u {0}`, or with --remount",
        dir.display()
    )]
    StaleMount {
        /// The mount point.
        dir: PathBuf,
    },
    /// A simulator that was killed has left its plain files, or one still runs there.
    #[error(
        "the files of another simulator are in {}: end it; if it was killed, clear them with --remount",
        dir.display()
    )]
    Leftover {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory holds something, which would be hidden or mixed up.
    #[error("{} is not an empty directory ({found:?} is in it)", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
        /// The name of an entry.
        found: String,
    },
    /// A file cannot be used.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was done: `reading`, `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The state file is not one, or of another guest.
    #[error("the state file {}: {why}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl SimulatorError {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| SimulatorError::File { action, path: path.to_owned(), source: Arc::new(source) }
    }

    /// What a file operation of the guest gets.
    pub(crate) fn errno(&self) -> Errno {
        match self {
            SimulatorError::Refused(_) => Errno::INVAL,
            _ => Errno::IO,
        }
    }
}

impl Coded for SimulatorError {
    fn code(&self) -> &'static str {
        match self {
            SimulatorError::UnsupportedTee { .. } => "SIM-001",
            SimulatorError::Emulator(_) => "SIM-002",
            SimulatorError::Refused(_) => "SIM-003",
            SimulatorError::NoFuse { .. } => "SIM-004",
            SimulatorError::StaleMount { .. } => "SIM-005",
            SimulatorError::Leftover { .. } => "SIM-006",
            SimulatorError::NotEmpty { .. } => "SIM-007",
            SimulatorError::File { .. } => "SIM-008",
            SimulatorError::State { .. } => "SIM-009",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            SimulatorError::UnsupportedTee { .. }
            | SimulatorError::Emulator(_)
            | SimulatorError::Refused(_) => Fault::BadRequest,
            SimulatorError::StaleMount { .. }
            | SimulatorError::Leftover { .. }
            | SimulatorError::NotEmpty { .. }
            | SimulatorError::State { .. } => Fault::Conflict,
            SimulatorError::NoFuse { .. } | SimulatorError::File { .. } => Fault::Unavailable,
        }
    }
}
