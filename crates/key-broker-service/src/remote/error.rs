//! Why a remote attestation service gave no token that counts.

use assay_attestation_service::EvaluationError;
use assay_remote::RemoteError;
use assay_token::TokenError;
use assay_types::{Coded, Fault};

use crate::trusted_issuer::TrustError;

/// Why a remote attestation service gave no token that counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteAttestationError {
    /// What the guest sent cannot be read, so it was not passed on.
    #[error(transparent)]
    Request(#[from] EvaluationError),
    /// The service gave no answer, or refused.
    #[error(transparent)]
    Remote(RemoteError),
    /// `KBS-066`: it refuses the evidence. Trustee's says so in this way, and for everything else that goes
    /// wrong there.
    #[error("the attestation service does not accept the evidence: {message}")]
    Evidence {
        /// Its words, cut.
        message: String,
    },
    /// `KBS-067`: its token does not hold.
    #[error("the token of the attestation service does not hold: {0}")]
    Token(TokenError),
    /// `KBS-068`: its token holds, but says something else.
    #[error("the token of the attestation service is not about this guest: {why}")]
    NotAbout {
        /// What is different.
        why: &'static str,
    },
    /// Its tokens cannot be verified.
    #[error(transparent)]
    Trust(TrustError),
}

impl RemoteAttestationError {
    /// A token that does not hold is the service's fault here, not the guest's.
    pub(super) fn of_trust(error: TrustError) -> Self {
        match error {
            TrustError::Token(error) => RemoteAttestationError::Token(error),
            other => RemoteAttestationError::Trust(other),
        }
    }
}

impl From<RemoteError> for RemoteAttestationError {
    fn from(error: RemoteError) -> Self {
        match error {
            // Of one that says no more, as Trustee's.
            RemoteError::Refused { message, code: None, fault: Fault::Unprocessable, .. } => {
                RemoteAttestationError::Evidence { message }
            }
            other => RemoteAttestationError::Remote(other),
        }
    }
}

impl Coded for RemoteAttestationError {
    fn code(&self) -> &'static str {
        match self {
            RemoteAttestationError::Request(error) => error.code(),
            RemoteAttestationError::Remote(error) => error.code(),
            RemoteAttestationError::Evidence { .. } => "KBS-066",
            RemoteAttestationError::Token(_) => "KBS-067",
            RemoteAttestationError::NotAbout { .. } => "KBS-068",
            RemoteAttestationError::Trust(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            RemoteAttestationError::Request(error) => error.fault(),
            RemoteAttestationError::Remote(error) => error.fault(),
            RemoteAttestationError::Evidence { .. } => Fault::Evidence,
            RemoteAttestationError::Token(_) | RemoteAttestationError::NotAbout { .. } => Fault::BadGateway,
            RemoteAttestationError::Trust(error) => error.fault(),
        }
    }
}
