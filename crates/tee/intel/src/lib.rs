//! Intel TDX and SGX evidence: quotes, collateral, TCB evaluation, claims.
//!
//! ```text
//! bytes ──quote──▶ Quote ──verify(collateral, anchors, now, binding)──▶ Authenticated
//! ```
//! The verifiers do no I/O: they name the collateral they lack, and the caller brings it. Every check
//! has a code ([`checks`]).

mod anchors;
#[cfg(feature = "attester")]
pub mod attest;
mod attestation_key;
pub mod attributes;
pub mod certified;
pub mod checks;
mod claims;
pub mod collateral;
mod event_log;
mod evidence;
mod family;
mod pck;
mod piece_digests;
pub mod quote;
mod roots;
mod settings;
pub mod tcb;
mod tcb_claims;
mod verify;

pub use anchors::{AnchorsError, IntelAnchors};
pub use checks::{SGX_CHECKS, TDX_CHECKS};
pub use claims::quote_claims;
pub use evidence::{EvidenceError, IntelEvidence, MAX_EVENT_LOG_LEN};
pub use family::Family;
pub use pck::{BadExtensions, Configuration, PckExtensions, SgxType};
pub use settings::IntelSettings;
pub use verify::IntelVerifier;
