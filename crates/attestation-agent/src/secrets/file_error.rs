//! Why a secret is not in its file.

use assay_types::{Coded, Fault};

/// Why a secret is not in its file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The path cannot be that of a file of secrets.
    #[error("{path}: {why}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The directory is not in memory.
    #[error(
        "{directory} is on a file system of type {magic:#010x}, not on tmpfs or ramfs: a secret must not reach \
         a disk; choose a directory below /run, or allow it (allow_disk_danger)"
    )]
    OnDisk {
        /// The directory.
        directory: String,
        /// The type that `statfs` gives.
        magic: u64,
    },
    /// There is no room.
    #[error("no room for {path} ({bytes} bytes): the file system is full; nothing was changed")]
    NoSpace {
        /// The file.
        path: String,
        /// The length of the secret.
        bytes: usize,
    },
    /// Something else than a file has that name.
    #[error("{path} is a directory; a secret is written into a file")]
    Directory {
        /// The path.
        path: String,
    },
    /// The system refuses.
    #[error("{operation} {path}: {why}")]
    System {
        /// What was attempted.
        operation: &'static str,
        /// With which file or directory.
        path: String,
        /// What the system says.
        why: String,
    },
    /// Somebody else could put another file, or another directory, in place of this one.
    #[error("{directory} is no safe place for a secret: {why}")]
    Untrusted {
        /// The directory, or the link.
        directory: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// Two secrets are to go into one file.
    #[error("{path} is named twice; each file holds one secret")]
    Twice {
        /// The path.
        path: String,
    },
}

impl Coded for SecretFileError {
    fn code(&self) -> &'static str {
        match self {
            SecretFileError::Path { .. } => "SEF-001",
            SecretFileError::OnDisk { .. } => "SEF-002",
            SecretFileError::NoSpace { .. } => "SEF-003",
            SecretFileError::Directory { .. } => "SEF-004",
            SecretFileError::System { .. } => "SEF-005",
            SecretFileError::Twice { .. } => "SEF-006",
            SecretFileError::Untrusted { .. } => "SEF-007",
        }
    }

    /// The configuration's or the machine's, never a caller's.
    fn fault(&self) -> Fault {
        match self {
            SecretFileError::NoSpace { .. } | SecretFileError::System { .. } => Fault::Unavailable,
            _ => Fault::Unprocessable,
        }
    }
}
