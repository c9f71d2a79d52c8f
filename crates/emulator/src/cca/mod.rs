//! Emulated Arm CCA silicon: realm tokens of every generation, and the endorsements of their platform.

pub mod claim;
mod content;
mod corim;
mod evidence;
mod fields;
mod generation;
mod guest;

mod members;
mod message;
mod silicon;
mod stores;

pub use crate::ec_key::EcKey;
pub use content::{COMPONENTS, Firmware, PLATFORM_CONFIG, realm_measurement};
pub use corim::{CorimKind, CorimTemplate, SIGNER, mkey};
pub use evidence::{CcaEvidence, Collection};
pub(crate) use fields::{FIELDS, guest};
pub use generation::{Cca, Wrapper};
pub use guest::CcaGuest;
pub use members::{Members, indefinite};
pub use message::Message;
pub use silicon::CcaSilicon;
