//! Arm CCA evidence: parsing, verification, claims, endorsements, appraisal.
//!
//! ```text
//! bytes ──evidence──▶ CcaEvidence ──verify(trust anchors, now, binding)──▶ Authenticated
//!       ──CcaAppraiser(reference values)──▶ a trust vector for the platform and one for the realm
//! ```
//! [`CcaVerifier`] implements [`assay_types::Verifier`]. It does no I/O: it names the platform whose
//! attestation key it needs, and the caller brings it. Every check has a code ([`CHECKS`]).
//!
//! The formats are those of draft-ffm-rats-cca-token (all generations, in both wrappers), of the RMM
//! specification, and for endorsements CoRIM with Arm's profiles and the JSON stores of
//! rust-ccatoken and Trustee.

mod appraise;
#[cfg(feature = "attester")]
pub mod attest;
pub mod checks;
mod claim_reader;
mod claims;
pub mod endorsement;
pub mod evidence;
mod lifecycle;
mod names;
mod platform;
pub mod profile;
mod published_keys;
mod realm;
mod rejected;
mod settings;
pub mod show;
mod trust_anchors;
mod verify;

pub use appraise::{APPRAISAL_CHECKS, CcaAppraiser};
pub use checks::CHECKS;
pub use evidence::CcaEvidence;
pub use lifecycle::Lifecycle;
pub use platform::{PlatformClaims, SoftwareComponent};
pub use published_keys::EMULATED_CPAKS;
pub use realm::{MecPolicy, RealmClaims};
pub use rejected::{
    PLATFORM_SUBMODULE, REALM_SUBMODULE, is_unknown_platform, rejected_layers, rejected_vector,
};
pub use settings::CcaSettings;
pub use trust_anchors::{AnchorsError, EmulatedAnchors, keys_in};
pub use verify::CcaVerifier;
