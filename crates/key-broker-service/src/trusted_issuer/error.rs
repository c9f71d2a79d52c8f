//! Why another service's tokens cannot be verified, or are not accepted.

use std::path::PathBuf;

use assay_token::TokenError;
use assay_types::{Coded, Fault};

/// Why another service's tokens cannot be verified, or are not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// `KBS-060`: neither keys nor certificates.
    #[error("nothing is trusted: name the attestation service's keys (trusted_keys) or certificates")]
    Nothing,
    /// `KBS-061`: an address that cannot be used.
    #[error("the address of the trusted keys cannot be used: {why}")]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// `KBS-062`: a file that cannot be used.
    #[error("{} cannot be used: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `KBS-063`: the keys cannot be had.
    #[error("the trusted keys cannot be had from {address}: {why}")]
    Unreachable {
        /// Where they should be.
        address: String,
        /// Why.
        why: String,
    },
    /// `KBS-064`: the answer is no set of keys.
    #[error("{address} gives no trusted keys: {why}")]
    NotKeys {
        /// Where they should be.
        address: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// `KBS-065`: there are no keys yet.
    #[error("the trusted keys of the attestation service could not be had yet")]
    NotYet,
    /// The token does not hold.
    #[error("the attestation token does not hold: {0}")]
    Token(#[from] TokenError),
}

impl Coded for TrustError {
    fn code(&self) -> &'static str {
        match self {
            TrustError::Nothing => "KBS-060",
            TrustError::Address { .. } => "KBS-061",
            TrustError::File { .. } => "KBS-062",
            TrustError::Unreachable { .. } => "KBS-063",
            TrustError::NotKeys { .. } => "KBS-064",
            TrustError::NotYet => "KBS-065",
            TrustError::Token(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            TrustError::Nothing | TrustError::Address { .. } | TrustError::File { .. } => Fault::Internal,
            TrustError::Unreachable { .. } | TrustError::NotYet => Fault::Unavailable,
            TrustError::NotKeys { .. } => Fault::BadGateway,
            TrustError::Token(error) => error.fault(),
        }
    }
}
