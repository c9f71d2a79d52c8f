//! Veraison's REST interface, so that its command-line tools and client libraries work against this
//! service unchanged.
//!
//! ```text
//! newSession ──nonce──▶ session (waiting) ──evidence──▶ attestation service ──▶ EAR (complete)
//! submit ──CoRIM──▶ reference values
//! ```
//! - [`discovery`]: `/.well-known/veraison/verification` and `…/provisioning`.
//! - [`session`]: `/challenge-response/v1`. A session takes one piece of evidence and ends after
//!   [`Settings::challenge_response_seconds`](crate::Settings::challenge_response_seconds).
//! - [`provisioning`]: `/endorsement-provisioning/v1/submit`, for administrators who may register
//!   reference values.
//!
//! Where Veraison is lax, this is not: evidence is taken once for each nonce, session identifiers are
//! random, and problem details say which check failed.

mod cmw;
mod discovery;
mod ear;
mod evidence;
mod media_type;
mod messages;
mod nonce;
mod provisioning;
mod session;
mod session_id;

pub use cmw::{Cmw, CmwType, NotCmw};

pub(crate) use discovery::{provisioning_discovery, verification_discovery};
pub(crate) use messages::{ChallengeResponseSession, EvidenceBlob, ProvisioningSession, VeraisonDiscovery};
pub(crate) use provisioning::submit_endorsements;
pub(crate) use session::{delete_session, get_session, new_session, submit_evidence};

use assay_types::Tee;

/// The media type of a session.
pub(crate) const SESSION_TYPE: &str = "application/vnd.veraison.challenge-response-session+json";
/// The media type of what discovery answers.
pub(crate) const DISCOVERY_TYPE: &str = "application/vnd.veraison.discovery+json";
/// The media type of what a submission answers.
pub(crate) const PROVISIONING_TYPE: &str = "application/vnd.veraison.provisioning-session+json";

/// The media types of evidence, of all schemes.
pub(crate) const EVIDENCE_TYPES: &[&str] = ARM_CCA.evidence;
/// The media types of endorsements, of all schemes.
pub(crate) const ENDORSEMENT_TYPES: &[&str] = ARM_CCA.endorsements;

/// An attestation scheme, in Veraison's words.
struct Scheme {
    name: &'static str,
    tee: Tee,
    /// The media types of its evidence.
    evidence: &'static [&'static str],
    /// The media types of its endorsements.
    endorsements: &'static [&'static str],
}

/// Arm CCA.
const ARM_CCA: Scheme = Scheme {
    name: "ARM_CCA",
    tee: Tee::Cca,
    // Tokens of every profile go by this name.
    evidence: &[r#"application/eat-collection; profile="http://arm.com/CCA-SSD/1.0.0""#],
    endorsements: &[
        r#"application/rim+cbor; profile="tag:arm.com,2025:cca_platform#1.0.0""#,
        r#"application/rim+cbor; profile="tag:arm.com,2025:cca_realm#1.0.0""#,
        r#"application/rim+cose; profile="tag:arm.com,2025:cca_platform#1.0.0""#,
        r#"application/rim+cose; profile="tag:arm.com,2025:cca_realm#1.0.0""#,
    ],
};
