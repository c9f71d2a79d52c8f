//! Why a sealed secret is not opened.

use assay_types::{Coded, Fault};

/// An error of a sealed secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedSecretError {
    /// It is not of the form `sealed.<header>.<payload>.<signature>`.
    #[error("not a sealed secret: {why}")]
    Form {
        /// What is wrong.
        why: String,
    },
}

impl Coded for SealedSecretError {
    fn code(&self) -> &'static str {
        match self {
            SealedSecretError::Form { .. } => "SEA-001",
        }
    }

    fn fault(&self) -> Fault {
        Fault::BadRequest
    }
}
