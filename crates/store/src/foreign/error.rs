//! What can go wrong with a foreign store as a whole, and with one of its entries.

use assay_types::{Coded, Fault};

/// Why nothing could be read from a foreign store. No variant carries stored content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// The folder of the store is not there.
    #[error("{place} is not there")]
    NotThere {
        /// The folder.
        place: String,
    },
    /// The folder or file cannot be read, or is neither.
    #[error("{place} cannot be read: {detail}")]
    NotReadable {
        /// The folder or file.
        place: String,
        /// Why.
        detail: String,
    },
    /// The file is not what the other program writes.
    #[error("{place} is not of the form that it should have: {detail}")]
    Malformed {
        /// The file or table.
        place: String,
        /// Where, and what was expected.
        detail: String,
    },
    /// The file, or all entries together, are larger than is read.
    #[error("{place} has more than {limit} bytes, the most that is read at a time")]
    TooLarge {
        /// The file, folder or table.
        place: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// There are more entries than are read.
    #[error("{place} has more than {limit} entries, the most that are read at a time")]
    TooMany {
        /// The file, folder or table.
        place: String,
        /// The limit.
        limit: usize,
    },
    /// The database cannot be reached, or does not answer as it should.
    #[error("the database {place} cannot be read: {detail}")]
    Database {
        /// Its host, port and name.
        place: String,
        /// What was reported.
        detail: String,
    },
    /// The database is on another host, and nothing says how to know it.
    #[error(
        "the database {place} is on another host: name the certificate authority of its TLS certificate, \
         since secrets would come over the network"
    )]
    Unprotected {
        /// Its host, port and name.
        place: String,
    },
}

impl Coded for ForeignError {
    fn code(&self) -> &'static str {
        match self {
            ForeignError::NotThere { .. } => "IMP-001",
            ForeignError::NotReadable { .. } => "IMP-002",
            ForeignError::Malformed { .. } => "IMP-003",
            ForeignError::TooLarge { .. } => "IMP-004",
            ForeignError::TooMany { .. } => "IMP-005",
            ForeignError::Database { .. } => "IMP-006",
            ForeignError::Unprotected { .. } => "IMP-007",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            ForeignError::NotThere { .. } => Fault::NotFound,
            ForeignError::NotReadable { .. } | ForeignError::Database { .. } => Fault::Unavailable,
            ForeignError::Malformed { .. } => Fault::Unprocessable,
            ForeignError::TooLarge { .. } | ForeignError::TooMany { .. } => Fault::TooLarge,
            ForeignError::Unprotected { .. } => Fault::BadRequest,
        }
    }
}

/// Why one entry of a foreign store cannot be read. No variant carries stored content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The name or key is none that the other program makes.
    #[error("the key is none that Trustee makes: {detail}")]
    Key {
        /// What is wrong.
        detail: &'static str,
    },
    /// There is something else than a regular file.
    #[error("it is not a regular file")]
    NotAFile,
    /// A link leads out of the folder.
    #[error("it is a link that leads out of its folder")]
    LeavesFolder,
    /// The file cannot be read.
    #[error("it cannot be read: {detail}")]
    NotReadable {
        /// Why.
        detail: String,
    },
    /// The value is larger than any that can be taken.
    #[error("it has more than {limit} bytes, the most that a value may have")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The value is not base64 of the URL-safe alphabet with padding.
    #[error("the value is not base64 of the URL-safe alphabet with padding")]
    Base64,
    /// The database has NULL in place of the value.
    #[error("there is no value")]
    Missing,
}

impl Coded for EntryError {
    fn code(&self) -> &'static str {
        match self {
            EntryError::Key { .. } => "IMP-010",
            EntryError::NotAFile => "IMP-011",
            EntryError::LeavesFolder => "IMP-012",
            EntryError::NotReadable { .. } => "IMP-013",
            EntryError::TooLarge { .. } => "IMP-014",
            EntryError::Base64 => "IMP-015",
            EntryError::Missing => "IMP-016",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            EntryError::NotReadable { .. } => Fault::Unavailable,
            EntryError::TooLarge { .. } => Fault::TooLarge,
            EntryError::Key { .. }
            | EntryError::NotAFile
            | EntryError::LeavesFolder
            | EntryError::Base64
            | EntryError::Missing => Fault::Unprocessable,
        }
    }
}
