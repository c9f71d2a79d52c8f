//! All persistence: resources, policies, reference values, keys, sessions, cached collateral.
//!
//! # What is kept, and how safely
//! One SQLite file in WAL mode (mode 0600). The SQL is written for PostgreSQL as well; what is
//! SQLite's alone stands in one module.
//!
//! - Resources, policies, reference values, keys and collateral are written with
//!   `synchronous=FULL`: once a call returned, the write survives the death of the process and the
//!   loss of power.
//! - Attested sessions and challenge-response sessions are written with `synchronous=NORMAL`: once a call returned, the write
//!   survives the death of the process (`kill -9`). A loss of power may take the newest sessions;
//!   their guests attest again. A challenge of that moment could then be used a second time, with
//!   new evidence, until it expires.
//!
//! # Encryption at rest
//! Every version of a resource and every key has its own 256-bit data-encryption key. The data are
//! sealed with it (AES-256-GCM), and it is sealed with the [`KeyEncryptionKey`] (AES-256-GCM). Both
//! seals authenticate the record's name and version, so a row moved to another place does not open.
//! What is not secret is not encrypted: policies, reference values, collateral, and sessions (of
//! session identifiers and challenges only hashes are stored, and a token only opens resources for
//! the holder of the guest's private key). Whoever can write to the file can therefore change
//! policies or delete rows: the file's mode is what protects those.
//!
//! # Other programs' stores
//! [`foreign`] reads what Trustee stores, for those who come from there.
//!
//! # Time
//! The store reads no clock: each call that depends on the time has `now` as an argument.

mod challenge_response;
mod collateral;
mod error;
pub mod foreign;
mod key_file;
mod keys;
mod meta;
mod policies;
mod private_files;
mod reference_values;
mod resources;
mod rows;
mod seal;
mod session_writer;
mod sessions;
mod sqlite;
mod store;

pub use challenge_response::{ChallengeResponseSession, ChallengeResponseStatus, SubmittedEvidence};
pub use collateral::{CachedCollateral, CollateralInfo};
pub use error::StoreError;
pub use key_file::KeyEncryptionKey;
pub use keys::KeyRecord;
pub use policies::{PolicyInfo, StoredPolicy};
pub use reference_values::{NewReferenceValue, ReferenceValueRecord, ReferenceValueVersion};
pub use resources::{MAX_RESOURCE_LEN, ResourceInfo, StoredResource};
pub use sessions::AttestedSession;
pub use store::{Store, StoreLimits, StoreOptions};
