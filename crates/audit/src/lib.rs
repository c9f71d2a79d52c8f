//! The audit log: hash-chained records of verdicts, releases, denials and admin actions.
//!
//! ```text
//! Event ──AuditLog──▶ Record ──chained──▶ AuditRow ─┐  one transaction
//!                               signed ──▶ AuditHead ┘
//! ```
//! - Each process that writes has a chain of its own ([`ChainId`]), so replicas never wait for each
//!   other. A [`Record`] is canonical JSON (RFC 8785); its [`RecordHash`] covers the one before it.
//! - The head of a chain (how long it is, and its last hash) is signed and written together with the
//!   records ([`SignedHead`]), so the removal of the last record is found as well.
//! - The first record of a chain quotes the heads of the others, and so do later ones from time to
//!   time: the removal of a whole chain, with its head, is found.
//! - [`AuditLog`] writes; [`Verifier`] finds every broken place; [`ExportWriter`] and
//!   [`ExportReader`] carry a log to where it is verified without the store; [`prune()`] removes what is
//!   old in a way that verification knows of.
//!
//! Nobody who can write to the database alone can change the past unnoticed. Whoever holds the
//! key-encryption key as well can forge: `docs/audit.md` says what is guaranteed and what is not.

mod backend;
mod error;
mod event;
mod expectations;
mod export;
mod finding;
mod head;
mod health;
mod hex_bytes;
mod keys;
mod log;
#[cfg(test)]
mod memory;
mod occasional;
mod prune;
mod query;
mod record;
mod snapshot;
mod store_checks;
mod store_export;
#[cfg(test)]
mod tamper_tests;
mod verifier;
mod writer;
#[cfg(test)]
mod writer_tests;

pub use error::AuditError;
pub use event::{Event, EvidenceRef, Kind, Outcome, PolicyRef, ValuesRef};
pub use expectations::Expectations;
pub use export::{EXPORT_FORMAT, ExportLine, ExportReader, ExportWriter, MAX_LINE_BYTES, verify_export};
pub use finding::{Break, BrokenPlace, Report};
pub use head::{Head, SignedHead};
pub use hex_bytes::{ChainId, HexBytes, RecordHash};
pub use keys::{AuditKeys, KEY_PURPOSE, public_keys, rotate};
pub use log::{AuditCounts, AuditLog, AuditSettings};
pub use prune::{Pruned, prune};
pub use query::{Filter, Found, find};
pub use record::{HeadRef, MAX_RECORD_BYTES, Record};
pub use store_checks::verify_store;
pub use store_export::export_store;
pub use verifier::Verifier;
