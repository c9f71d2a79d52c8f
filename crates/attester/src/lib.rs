//! How a guest asks its platform: the trait that each TEE's attester implements, and what they share:
//! where devices stand ([`Host`]), configfs-tsm ([`tsm`]), device calls ([`ioctl`]), a thread for calls that
//! may hang ([`DeviceThread`]), the rules of binding ([`binding`]).
//!
//! Everything here blocks. An agent runs an attester on a thread of its own, one call at a time.
//!
//! ```text
//! probe(&Host) --> Probe { what was looked for, the attester if the TEE is here }
//! Attester::evidence(report data, deadline) --> JSON of the wire
//! Attester::registers() --> read, extend
//! ```

mod attester;
pub mod binding;
mod device_thread;
mod error;
pub mod files;
mod host;
pub mod ioctl;
mod patience;
mod probe;
pub mod tsm;

pub use attester::{Attester, EvidenceRequest, InitDataBinding, MeasurementRegisters};
pub use device_thread::DeviceThread;
pub use error::AttesterError;
pub use host::Host;
pub use probe::{Probe, Step};
