//! All persistence: resources, policies, reference values, keys, sessions, cached collateral, the audit log.
//!
//! # What is kept, and how safely
//! In one SQLite file in WAL mode (mode 0600), or in a PostgreSQL database, which several processes
//! share. The SQL is written once, for both; what is one database's alone stands in a module of its own.
//!
//! - Resources, policies, reference values, keys and collateral are written with
//!   `synchronous=FULL`: once a call returned, the write survives the death of the process and the
//!   loss of power.
//! - Attested sessions and challenge-response sessions are written with `synchronous=NORMAL`: once a call returned, the write
//!   survives the death of the process (`kill -9`). A loss of power may take the newest sessions;
//!   their guests attest again. A challenge of that moment could then be used a second time, with
//!   new evidence, until it expires.
//! - With PostgreSQL every write is as durable as its server makes commits (`synchronous_commit`).
//!
//! # Several processes
//! Any number of processes may have a store open. Each change of policies, reference values, keys and
//! resources is made known ([`Store::follow`]); a challenge is taken once, whoever tries
//! ([`Store::record_attestation`]); the schema is made by one of those that start together. With
//! PostgreSQL all may go by the server's clock ([`Store::clock`]).
//!
//! # Encryption at rest
//! Every version of a resource and every key has its own 256-bit data-encryption key. The data are
//! sealed with it (AES-256-GCM), and it is sealed with the [`KeyEncryptionKey`] (AES-256-GCM). Both
//! seals authenticate the record's name and version, so a row moved to another place does not open.
//! What is not secret is not encrypted: policies, reference values, collateral, and sessions (of
//! session identifiers and challenges only hashes are stored, and a token only opens resources for
//! the holder of the guest's private key). Whoever can write to the database can therefore change
//! policies or delete rows: the file's mode, or the rights in PostgreSQL, are what protects those.
//!
//! # Time
//! The store reads no clock but to learn how far the database's is away ([`Store::clock`]): each call
//! that depends on the time has `now` as an argument.

mod audit;
mod challenge_response;
mod changes;
mod check;
mod clock;
mod collateral;
mod database;
mod dump;
mod error;
mod export;
mod feed;
mod key_file;
mod keyring;
mod keys;
mod location;
mod policies;
mod postgres;
mod private_files;
mod reference_values;
mod resource_cache;
mod resources;
mod rotation;
mod rows;
mod schema;
mod seal;
mod session_writer;
mod sessions;
mod sqlite;
mod statement;
mod store;

pub use audit::{AuditHead, AuditPlace, AuditRow, MAX_AUDIT_ROWS};
pub use challenge_response::{ChallengeResponseSession, ChallengeResponseStatus, SubmittedEvidence};
pub use changes::Topic;
pub use check::StoreCheck;
pub use collateral::{CachedCollateral, CollateralInfo};
pub use dump::Transferred;
pub use error::StoreError;
pub use feed::Feed;
pub use key_file::KeyEncryptionKey;
pub use keyring::{KeySource, KeyWrapper};
pub use keys::KeyRecord;
pub use location::{Location, PostgresOptions};
pub use policies::{PolicyInfo, StoredPolicy};
pub use reference_values::{NewReferenceValue, ReferenceValueRecord, ReferenceValueVersion};
pub use resources::{MAX_RESOURCE_LEN, ResourceInfo, StoredResource};
pub use rotation::{KeyEncryptionKeyInfo, Resealed};
pub use sessions::AttestedSession;
pub use store::{Store, StoreLimits, StoreOptions};
