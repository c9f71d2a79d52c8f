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
//! - [`snp`], [`cca`] and [`intel`] are the toolkits below it: any certificate, list, report, token or endorsement,
//!   with any one thing changed.

mod asn1;
pub mod cca;
mod ec_key;
mod emulator;
mod error;
mod extension;
mod hints;
pub mod intel;
mod rsa_key;
mod sample;
mod seed;
mod set;
pub mod snp;

pub use cca::CcaSilicon;
pub use ec_key::EcKey;
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use intel::IntelSilicon;
pub use seed::{NotASeed, Seed};
pub use set::Field;
pub use snp::SnpSilicon;
