//! The client side of Veraison's challenge-response API: an Arm CCA token goes to a Veraison service,
//! and its attestation result comes back as [`Authenticated`] claims.
//!
//! ```text
//! token ──POST newSession?nonce=──▶ session ──POST evidence──▶ EAR (JWT)
//!       ──signature, profile, nonce, time──▶ submodules ──▶ Authenticated{claims, appraiser}
//! ```
//! - [`VeraisonClient::verify`] is all of it. The nonce is the challenge that the token must have
//!   been made for, so the service compares it, and the result is fresh.
//! - What is wrong with the **evidence** is a [`VerifyError`] with the findings of [`CHECKS`]; what
//!   is wrong with the **service** is a [`VeraisonError`] with a code of its own. A result that cannot
//!   be believed is the service's fault: it says nothing of the evidence.
//! - What the service thinks of platform and realm is not lost: the two trust vectors come out as an
//!   [`EndorsedAppraiser`], layer by layer, with a finding for each claim that is not affirming
//!   ([`APPRAISAL_CHECKS`]).
//! - [`Session`], [`Discovery`], [`AttestationResult`] and [`MediaType`] read what the service sends,
//!   without I/O.
//!
//! [`Authenticated`]: assay_types::Authenticated
//! [`VerifyError`]: assay_types::VerifyError
//! [`EndorsedAppraiser`]: assay_types::EndorsedAppraiser

mod appraisal;
mod base64_text;
mod checks;
mod claims;
mod client;
mod connection;
mod dialect;
mod discovery;
mod ear;
mod error;
mod evidence;
mod http;
mod key;
mod media_type;
mod session;
mod settings;

pub use appraisal::{APPRAISAL_CHECKS, VeraisonAppraisal};
pub use checks::CHECKS;
pub use claims::{Asked, authenticate};
pub use client::VeraisonClient;
pub use discovery::Discovery;
pub use ear::{AttestationResult, KNOWN_PROFILES, LayerResult, Submodules};
pub use error::{Step, VeraisonError, VeraisonFailure};
pub use evidence::{MAX_TOKEN_LEN, token_bytes};
pub use media_type::MediaType;
pub use session::{SESSION_MEDIA_TYPE, Session, SessionStatus};
pub use settings::{CCA_MEDIA_TYPE, VeraisonSettings};
