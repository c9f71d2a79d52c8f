//! Arm CCA evidence: parsing, verification, claims, endorsements, appraisal.
//!
//! ```text
//! bytes ──evidence──▶ CcaEvidence ──verify(trust anchors, now, binding)──▶ Authenticated
//!       ──CcaAppraiser(reference values)──▶ a trust vector for the platform and one for the realm
//! ```
//! The formats are those of draft-ffm-rats-cca-token (all generations, in both wrappers), of the RMM
//! specification, and for endorsements CoRIM with Arm's profiles and the JSON stores of
//! rust-ccatoken and Trustee.

mod appraise;
pub mod endorsement;
mod lifecycle;
mod platform;
pub mod profile;
mod realm;

pub use appraise::{APPRAISAL_CHECKS, CcaAppraiser};
pub use lifecycle::Lifecycle;
pub use platform::{PlatformClaims, SoftwareComponent};
pub use realm::{MecPolicy, RealmClaims};
