//! Runtime measurements: events, their log, the register they extend.
//!
//! # An extend
//! ```text
//! check the event ─▶ read the register ─▶ write-ahead log, synced ─▶ extend ─▶ read the register
//!     after  ─▶ append the entry, synced ─▶ keep the register's value ─▶ remove the write-ahead log ─▶ Ok
//!     before ─▶ remove the write-ahead log                             ─▶ not measured
//!     other  ─▶ somebody else extended it                              ─▶ broken
//!     (cannot be read) ─▶ the write-ahead log stays; the next call or start decides
//! ```
//! What a start finds is settled by the last five lines as well, so that there is one way to complete an event.
//! The register decides, never what the device answered. Once it is known to have an event, evidence carries the
//! event, even while the file cannot be written ([`Measurements::log`]).
//!
//! # Files
//! In one directory, by default `/run/attestation-agent`:
//! - `eventlog`: AAEL entries one after the other ([`assay_eventlog::read_aael_file`]). Each names the register
//!   that was extended with it.
//! - `.wal_event_entry`: there while an event is being measured ([`wal`]).
//! - `.registers`: what the registers held after the last event ([`kept`]). Replaced whole: written as
//!   `.registers.new`, synced, renamed.
//! - `.lock`: locked (`flock`) by the agent that uses the directory; empty.
//!
//! The directory must not outlive the registers, which begin anew when the machine does: a directory of
//! `/run` does not. One that does looks as if someone else had extended the registers, and no events are measured.
//!
//! # Other writers
//! The log can lead to the register's value only if the agent alone extends it. What a register held at
//! the first event is taken as it is: boot events may be in it, whose log is elsewhere. From then on its value is
//! known, over restarts too. A change by someone else ends measuring: no verifier would accept the log.
//!
//! What a start finds, by `.registers`:
//! - none: the first start; whatever the registers hold is taken as it is.
//! - one, and no write-ahead log: each register in it holds its value, or someone else extended it.
//! - one, and a write-ahead log: the register of that record holds the record's value before or after, whichever
//!   of the two is kept, since the record is removed only when the kept value is lasting. The others as above.
//! - one that is not as it was written, or for another hash: no death of the agent leaves that, and what the
//!   registers should hold is lost. No events are measured, nothing in the directory is touched. Who can write the
//!   directory (root) can also put a right one there or remove it: against them this is no defence.

mod directory;
mod error;
mod event;
#[doc(hidden)]
pub mod kept;
mod measurements;
mod recover;
mod settings;
mod settle;
mod steps;
#[doc(hidden)]
pub mod wal;

pub use error::MeasurementError;
pub use measurements::{Measurements, Recovered, State};
pub use settings::MeasurementSettings;
pub use steps::{NoSteps, Step, Steps};
