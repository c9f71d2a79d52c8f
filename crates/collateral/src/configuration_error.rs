//! Why a service cannot be built.

use assay_types::{Coded, Fault};

/// Settings with which no service can be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// The offline folder is not there or is no folder.
    #[error("the offline folder {path:?} cannot be used: {cause}")]
    Folder {
        /// Its path as configured.
        path: String,
        /// Why.
        cause: String,
    },
    /// The URL of a vendor's service is not acceptable.
    #[error("the service URL {url:?} cannot be used: {why}")]
    Url {
        /// The URL as configured.
        url: String,
        /// Why.
        why: String,
    },
    /// Plain HTTP to another machine.
    #[error(
        "the service URL {url:?} is plain http to another machine: anyone on the way can change the \
         answers; use https, or allow it by the option spelled as a danger"
    )]
    PlainHttp {
        /// The URL as configured.
        url: String,
    },
    /// The header that goes with each request cannot be used.
    #[error("the header {name:?} cannot be sent: {why}")]
    SecretHeader {
        /// Its name.
        name: String,
        /// Why. The value is not shown.
        why: &'static str,
    },
    /// The TLS settings cannot be used.
    #[error("TLS cannot be set up: {cause}")]
    Tls {
        /// Why.
        cause: String,
    },
}

impl Coded for ConfigurationError {
    fn code(&self) -> &'static str {
        match self {
            ConfigurationError::Folder { .. } => "COL-003",
            ConfigurationError::Url { .. } => "COL-004",
            ConfigurationError::PlainHttp { .. } => "COL-005",
            ConfigurationError::Tls { .. } => "COL-006",
            ConfigurationError::SecretHeader { .. } => "COL-007",
        }
    }

    fn fault(&self) -> Fault {
        Fault::Internal
    }
}
