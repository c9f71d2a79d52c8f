//! Mock silicon: from a 32-byte seed a vendor PKI and real-format evidence.
//!
//! Evidence of the emulator has the formats of hardware, to the byte; only the trust anchors tell
//! it from hardware. So the verifiers that it is shown to are the production code, and whoever
//! admits its anchors believes whatever it says: [`Emulator::anchors`] is for tests and
//! demonstrations.
//!
//! Everything is a function of the [`Seed`]: keys, certificates, serial numbers, signatures.
//!
//! - [`Emulator`] makes evidence by TEE name, with fields set by text.
//! - [`snp`] and [`cca`] are the toolkits below it: any certificate, list, report, token or endorsement,
//!   with any one thing changed.

pub mod cca;
mod emulator;
mod error;
mod hints;
mod rsa_key;
mod sample;
mod seed;
mod set;
pub mod snp;

pub use cca::CcaSilicon;
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use seed::{NotASeed, Seed};
pub use set::Field;
pub use snp::SnpSilicon;
