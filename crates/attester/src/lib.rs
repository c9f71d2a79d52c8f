//! How a guest asks its platform: the trait that each TEE's attester implements, and what they share:
//! where devices stand ([`Host`]), configfs-tsm ([`tsm`]), device calls ([`ioctl`]).
//!
//! Everything here blocks. An agent runs an attester on a thread of its own, one call at a time.
//!
//! ```text
//! probe(&Host) --> Probe { what was looked for, the attester if the TEE is here }
//! Attester::evidence(report data, deadline) --> JSON of the wire
//! Attester::registers() --> read, extend
//! ```

mod attester;
mod error;
mod host;
pub mod ioctl;
mod probe;
pub mod tsm;

pub use attester::{Attester, EvidenceRequest, InitDataBinding, MeasurementRegisters};
pub use error::AttesterError;
pub use host::Host;
pub use probe::{Probe, Step};
