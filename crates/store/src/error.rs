//! What can go wrong, each with its code.

use std::path::PathBuf;
use std::time::Duration;

use assay_types::{Coded, Fault};

/// Why the store did not do what was asked. Nothing was written unless said otherwise. No variant
/// carries stored content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process held the database longer than the time allowed for waiting.
    #[error("the database is locked by another process; try again")]
    Locked,
    /// The disk, or the size allowed for the database, is full.
    #[error("the disk or the database is full; free some space and try again")]
    Full,
    /// The database file is damaged.
    #[error("the database is corrupt ({detail}); restore it from a backup")]
    Corrupt {
        /// What was found.
        detail: String,
    },
    /// The file is a database of some other program.
    #[error("{} is a database of another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The database was written by a newer version of the program.
    #[error("the database has schema version {found}, this program knows up to {known}; use a newer program")]
    NewerSchema {
        /// The version in the database.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The schema could not be brought up to date, or is not what this program made.
    #[error("the database schema cannot be brought up to date: {detail}")]
    Migration {
        /// Why.
        detail: String,
    },
    /// The data were encrypted with another key-encryption key.
    #[error(
        "the key-encryption key is not the one of this database (database: {expected}, given: {given}); \
         restore the key file that belongs to it"
    )]
    WrongKey {
        /// The id of the key the data were encrypted with.
        expected: String,
        /// The id of the key given.
        given: String,
    },
    /// A sealed record does not open: it was altered, or moved from elsewhere.
    #[error("{record} does not open: it was altered or moved in the database")]
    Tampered {
        /// The name of the record.
        record: String,
    },
    /// The database or its folder cannot be opened, created or written.
    #[error("cannot use {}: {detail}", path.display())]
    NotAccessible {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The key file cannot be opened, read or created.
    #[error("cannot use the key file {}: {detail}", path.display())]
    KeyFileNotAccessible {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The key file can be read or written by others than its owner.
    #[error("the key file {} has mode {mode:03o}; others may not have access, set it to 600 or 400", path.display())]
    KeyFileMode {
        /// The file.
        path: PathBuf,
        /// The permission bits.
        mode: u32,
    },
    /// The key file belongs to another user.
    #[error("the key file {} belongs to user {owner}, not to {user} or root", path.display())]
    KeyFileOwner {
        /// The file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// The key file is not a regular file of exactly 32 bytes.
    #[error("the key file {} must be a regular file of 32 bytes: {detail}", path.display())]
    KeyFileForm {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The text given as key-encryption key is not one.
    #[error(
        "the key-encryption key must be 32 bytes in hexadecimal or base64; a text of {found} characters was given"
    )]
    KeyText {
        /// The number of characters found.
        found: usize,
    },
    /// The service that seals the key-encryption key did not do so.
    #[error("the key-encryption key cannot be had from {name}: {detail}")]
    KeyService {
        /// The service and its key.
        name: String,
        /// Why.
        detail: String,
    },
    /// The export cannot be taken: cut off, altered, of another key, or none at all.
    #[error("the export cannot be taken: {detail}")]
    Export {
        /// What is wrong with it.
        detail: String,
    },
    /// An export is taken into an empty store only.
    #[error("the store is not empty: there are rows in {table}; an export is taken into a new store")]
    NotEmpty {
        /// The first table with rows.
        table: &'static str,
    },
    /// A text holds a character that PostgreSQL does not take.
    #[error("a text holds a NUL character, which the database does not take")]
    NotText,
    /// The key-encryption key is the active one.
    #[error("the key-encryption key {id} is the active one; put another in force first")]
    KeyInUse {
        /// Its id.
        id: String,
    },
    /// The address of the PostgreSQL database is not of the form that is taken.
    #[error("the address of the database is not postgresql://user@host:port/database: {why}")]
    Url {
        /// What is wrong with it.
        why: String,
    },
    /// The database server cannot be reached, or ended the connection.
    #[error("the database {place} cannot be reached: {detail}")]
    NotReached {
        /// Host, port and database.
        place: String,
        /// What was reported. A write under way may or may not have happened.
        detail: String,
    },
    /// The database server refuses: wrong password, no such database, no right to write.
    #[error("the database {place} refuses: {detail}")]
    Refused {
        /// Host, port and database.
        place: String,
        /// What it said.
        detail: String,
    },
    /// The database server did not answer in time.
    #[error("the database {place} did not answer within {waited:?}")]
    NoAnswer {
        /// Host, port and database.
        place: String,
        /// How long was waited.
        waited: Duration,
    },
    /// Every connection was in use for as long as one may wait.
    #[error("all {limit} connections to the database are in use; try again, or allow more of them")]
    NoConnection {
        /// The most connections there may be.
        limit: u32,
    },
    /// The challenge was answered before, or the session or token identifier is taken.
    #[error("the challenge was used already")]
    AlreadyUsed,
    /// As many sessions wait for evidence as are allowed at a time.
    #[error("{limit} challenge-response sessions are open, the most that are allowed; try again later")]
    TooManySessions {
        /// The limit.
        limit: u64,
    },
    /// There is a record of that name already.
    #[error("{record} is there already")]
    AlreadyExists {
        /// The name of the record.
        record: String,
    },
    /// The value is larger than the store takes.
    #[error("{what} has {found} bytes; at most {limit} are stored")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit in bytes.
        limit: usize,
        /// The size found, in bytes.
        found: usize,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The disk failed, or the database's thread ended.
    #[error("the database cannot be reached: {detail}")]
    Io {
        /// What was reported. A write under way may or may not have happened.
        detail: String,
    },
    /// A cryptographic operation failed that has no reason to.
    #[error("a cryptographic operation failed: {operation}")]
    Crypto {
        /// Which one.
        operation: &'static str,
    },
    /// The database refused a statement: a fault of this program.
    #[error("unexpected answer of the database: {detail}")]
    Unexpected {
        /// What was reported.
        detail: String,
    },
}

impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            StoreError::Locked => "STORE-001",
            StoreError::Full => "STORE-002",
            StoreError::Corrupt { .. } => "STORE-003",
            StoreError::Foreign { .. } => "STORE-004",
            StoreError::NewerSchema { .. } => "STORE-005",
            StoreError::Migration { .. } => "STORE-006",
            StoreError::WrongKey { .. } => "STORE-007",
            StoreError::Tampered { .. } => "STORE-008",
            StoreError::NotAccessible { .. } => "STORE-009",
            StoreError::KeyFileNotAccessible { .. } => "STORE-010",
            StoreError::KeyFileMode { .. } => "STORE-011",
            StoreError::KeyFileOwner { .. } => "STORE-012",
            StoreError::KeyFileForm { .. } => "STORE-013",
            StoreError::AlreadyUsed => "STORE-014",
            StoreError::AlreadyExists { .. } => "STORE-015",
            StoreError::TooLarge { .. } => "STORE-016",
            StoreError::Closed => "STORE-017",
            StoreError::Io { .. } => "STORE-018",
            StoreError::Crypto { .. } => "STORE-019",
            StoreError::Unexpected { .. } => "STORE-020",
            StoreError::TooManySessions { .. } => "STORE-021",
            StoreError::KeyText { .. } => "STORE-022",
            StoreError::KeyService { .. } => "STORE-023",
            StoreError::Url { .. } => "STORE-024",
            StoreError::NotReached { .. } => "STORE-025",
            StoreError::Refused { .. } => "STORE-026",
            StoreError::NoAnswer { .. } => "STORE-027",
            StoreError::NoConnection { .. } => "STORE-028",
            StoreError::KeyInUse { .. } => "STORE-029",
            StoreError::NotText => "STORE-030",
            StoreError::Export { .. } => "STORE-031",
            StoreError::NotEmpty { .. } => "STORE-032",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            StoreError::Locked
            | StoreError::Full
            | StoreError::TooManySessions { .. }
            | StoreError::NotAccessible { .. }
            | StoreError::Closed
            | StoreError::KeyService { .. }
            | StoreError::NotReached { .. }
            | StoreError::Refused { .. }
            | StoreError::NoAnswer { .. }
            | StoreError::NoConnection { .. }
            | StoreError::Io { .. } => Fault::Unavailable,
            StoreError::AlreadyUsed
            | StoreError::AlreadyExists { .. }
            | StoreError::KeyInUse { .. }
            | StoreError::NotEmpty { .. } => Fault::Conflict,
            StoreError::TooLarge { .. } => Fault::TooLarge,
            StoreError::NotText | StoreError::Export { .. } => Fault::BadRequest,
            StoreError::Corrupt { .. }
            | StoreError::Foreign { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Migration { .. }
            | StoreError::WrongKey { .. }
            | StoreError::Tampered { .. }
            | StoreError::KeyFileNotAccessible { .. }
            | StoreError::KeyFileMode { .. }
            | StoreError::KeyFileOwner { .. }
            | StoreError::KeyFileForm { .. }
            | StoreError::KeyText { .. }
            | StoreError::Url { .. }
            | StoreError::Crypto { .. }
            | StoreError::Unexpected { .. } => Fault::Internal,
        }
    }
}
