//! What can be wrong with a back end, and who is at fault.

use assay_store::StoreError;
use assay_types::{Coded, Fault};
use assay_vault::VaultError;

use crate::Pkcs11Error;

/// Why a back end did not do what it was asked. No variant holds a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The own store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The PKCS#11 token failed.
    #[error(transparent)]
    Pkcs11(#[from] Pkcs11Error),
    /// Vault has something there that holds no value for us.
    #[error(
        "the secret {path} in Vault has no text member {member:?}; it has {}",
        if found.is_empty() { "none".to_owned() } else { found.join(", ") }
    )]
    NoMember {
        /// The resource.
        path: String,
        /// The member that is needed.
        member: &'static str,
        /// Some of the names that are there.
        found: Vec<String>,
    },
    /// The value in Vault is not in the form in which it must be.
    #[error("the member {member:?} of the secret {path} in Vault is not base64 (RFC 4648, section 4)")]
    NotBase64 {
        /// The resource.
        path: String,
        /// The member.
        member: &'static str,
    },
    /// The value is larger than the back end takes.
    #[error("the resource has {found} bytes; {backend} takes at most {limit}")]
    TooLarge {
        /// The back end.
        backend: &'static str,
        /// The limit in bytes.
        limit: usize,
        /// The size in bytes.
        found: usize,
    },
    /// A listing that is longer than is gathered.
    #[error("{backend} has more than {limit} resources below this prefix; name a longer one")]
    TooMany {
        /// The back end.
        backend: &'static str,
        /// The limit.
        limit: usize,
    },
    /// No answer to the question whether it can serve.
    #[error("the secret back end {backend} does not answer")]
    Silent {
        /// The back end.
        backend: &'static str,
    },
}

impl BackendError {
    /// What went wrong in a few words for those who may not know addresses, paths and settings.
    pub fn explanation(&self) -> &'static str {
        match self {
            BackendError::Store(_) => "the store does not serve",
            BackendError::Vault(error) => error.explanation(),
            BackendError::Pkcs11(error) => error.explanation(),
            BackendError::NoMember { .. } | BackendError::NotBase64 { .. } => {
                "what Vault holds there is not a resource of this service"
            }
            BackendError::TooLarge { .. } => "the resource is larger than its back end takes",
            BackendError::TooMany { .. } => "there are more resources than are listed at once",
            BackendError::Silent { .. } => "a secret back end does not answer",
        }
    }
}

impl Coded for BackendError {
    fn code(&self) -> &'static str {
        match self {
            BackendError::Store(error) => error.code(),
            BackendError::Vault(error) => error.code(),
            BackendError::Pkcs11(error) => error.code(),
            BackendError::NoMember { .. } => "SEC-001",
            BackendError::NotBase64 { .. } => "SEC-002",
            BackendError::TooLarge { .. } => "SEC-003",
            BackendError::TooMany { .. } => "SEC-004",
            BackendError::Silent { .. } => "SEC-005",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            BackendError::Store(error) => error.fault(),
            BackendError::Vault(error) => error.fault(),
            BackendError::Pkcs11(error) => error.fault(),
            BackendError::NoMember { .. } | BackendError::NotBase64 { .. } => Fault::BadGateway,
            BackendError::TooLarge { .. } => Fault::TooLarge,
            BackendError::TooMany { .. } => Fault::Unprocessable,
            BackendError::Silent { .. } => Fault::DependencyTimeout,
        }
    }
}
