//! Runtime measurements: events, their log, the register they extend.
//!
//! # An extend
//! ```text
//! check the event ─▶ read the register ─▶ write-ahead log, synced ─▶ extend ─▶ read the register
//!     after  ─▶ append the entry, synced ─▶ remove the write-ahead log ─▶ Ok
//!     before ─▶ remove the write-ahead log                             ─▶ not measured
//!     other  ─▶ somebody else extended it                              ─▶ broken
//!     (cannot be read) ─▶ the write-ahead log stays; the next call or start decides
//! ```
//! What a start finds is settled by the last five lines as well, so that there is one way to complete an event.
//! The register decides, never what the device answered.
//!
//! # Files
//! In one directory, by default `/run/attestation-agent`:
//! - `eventlog`: AAEL entries one after the other ([`assay_eventlog::read_aael_file`]). Each names the register
//!   that was extended with it.
//! - `.wal_event_entry`: there while an event is being measured ([`wal`]).
//! - `.lock`: locked (`flock`) by the agent that uses the directory; empty.
//!
//! The directory must not outlive the registers, which begin anew when the machine does: a directory of
//! `/run` does not.
//!
//! # Other writers
//! The log can lead to the register's value only if the agent alone extends it. What a register held at
//! the first event after a start is taken as it is: boot events may be in it, whose log is elsewhere. From
//! then on its value is known. A change by someone else ends measuring: no verifier would accept the log.

mod directory;
mod error;
mod event;
mod measurements;
mod settings;
mod settle;
mod steps;
#[doc(hidden)]
pub mod wal;

pub use error::MeasurementError;
pub use measurements::{Measurements, Recovered, State};
pub use settings::MeasurementSettings;
pub use steps::{NoSteps, Step, Steps};
