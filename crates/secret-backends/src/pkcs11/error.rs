//! What can be wrong with a PKCS#11 token.

use std::path::PathBuf;
use std::time::Duration;

use assay_types::{Coded, Fault};
use cryptoki::error::{Error, RvError};

/// Why the token did not do what it was asked. No variant holds a PIN or a value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module cannot be loaded.
    #[error("the PKCS#11 module {} cannot be used: {why}", module.display())]
    Module {
        /// The file.
        module: PathBuf,
        /// Why.
        why: String,
    },
    /// The file with the PIN cannot be used.
    #[error("the PIN file {} cannot be used: {why}", file.display())]
    PinFile {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// No token has this label.
    #[error("no token has the label {label:?}; there are {}", if found.is_empty() { "none".to_owned() } else { found.join(", ") })]
    TokenNotFound {
        /// The label.
        label: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// Several tokens have this label.
    #[error("several tokens have the label {label:?}")]
    TokenAmbiguous {
        /// The label.
        label: String,
    },
    /// The token does not take the PIN. It is not tried again until the file has another one, since a
    /// token locks itself after a few attempts.
    #[error("the token does not take the PIN ({why}); it is tried again when the PIN file has another one")]
    PinRefused {
        /// What the token says.
        why: String,
    },
    /// No answer in time.
    #[error("the token did not answer within {} ms", deadline.as_millis())]
    TimedOut {
        /// The time allowed.
        deadline: Duration,
    },
    /// The token is gone, or its sessions are, and logging in again did not help.
    #[error("the token cannot be reached: {why}")]
    Lost {
        /// What it says.
        why: String,
    },
    /// The token has no room.
    #[error("the token has no room for the object: {why}")]
    Full {
        /// What it says.
        why: String,
    },
    /// What is there under this label cannot be read.
    #[error(
        "the key with the label {path} is on the token, but its value cannot be read: it is sensitive or not extractable"
    )]
    NotReadable {
        /// The resource.
        path: String,
    },
    /// Several objects have this label, with different values, and none is ours.
    #[error("several objects of other programs have the label {path}, with different values")]
    Ambiguous {
        /// The resource.
        path: String,
    },
    /// The value is longer than is read.
    #[error("the object with the label {path} is longer than {limit} bytes")]
    TooLarge {
        /// The resource.
        path: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// Something else.
    #[error("the token refused: {why}")]
    Failed {
        /// What it says.
        why: String,
    },
}

impl Pkcs11Error {
    /// What went wrong in a few words for those who may not know paths and settings.
    pub fn explanation(&self) -> &'static str {
        match self {
            Pkcs11Error::TimedOut { .. } => "the hardware token does not answer in time",
            Pkcs11Error::Lost { .. } | Pkcs11Error::TokenNotFound { .. } => {
                "the hardware token cannot be reached"
            }
            Pkcs11Error::PinRefused { .. } | Pkcs11Error::PinFile { .. } => {
                "the hardware token does not accept the service's PIN"
            }
            Pkcs11Error::Full { .. } => "the hardware token is full",
            Pkcs11Error::NotReadable { .. }
            | Pkcs11Error::Ambiguous { .. }
            | Pkcs11Error::TooLarge { .. } => {
                "what the hardware token holds there is not a resource of this service"
            }
            _ => "the hardware token does not do what it must",
        }
    }

    /// Whether a new session may help.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Pkcs11Error::Lost { .. })
    }
}

impl From<Error> for Pkcs11Error {
    fn from(error: Error) -> Self {
        let why = error.to_string();
        // The first sentence: what follows explains the constant.
        let why = why.split(". ").next().unwrap_or_default().chars().take(200).collect();
        match error {
            Error::Pkcs11(
                RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::DeviceRemoved
                | RvError::DeviceError
                | RvError::TokenNotPresent
                | RvError::TokenNotRecognized
                | RvError::SlotIdInvalid
                | RvError::UserNotLoggedIn
                | RvError::CryptokiNotInitialized,
                _,
            ) => Pkcs11Error::Lost { why },
            Error::Pkcs11(RvError::DeviceMemory | RvError::HostMemory, _) => Pkcs11Error::Full { why },
            Error::Pkcs11(
                RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinLocked
                | RvError::PinExpired
                | RvError::UserPinNotInitialized,
                _,
            ) => Pkcs11Error::PinRefused { why },
            _ => Pkcs11Error::Failed { why },
        }
    }
}

impl Coded for Pkcs11Error {
    fn code(&self) -> &'static str {
        match self {
            Pkcs11Error::Module { .. } => "HSM-001",
            Pkcs11Error::PinFile { .. } => "HSM-002",
            Pkcs11Error::TokenNotFound { .. } => "HSM-003",
            Pkcs11Error::TokenAmbiguous { .. } => "HSM-004",
            Pkcs11Error::PinRefused { .. } => "HSM-005",
            Pkcs11Error::TimedOut { .. } => "HSM-006",
            Pkcs11Error::Lost { .. } => "HSM-007",
            Pkcs11Error::Full { .. } => "HSM-008",
            Pkcs11Error::NotReadable { .. } => "HSM-009",
            Pkcs11Error::Ambiguous { .. } => "HSM-010",
            Pkcs11Error::TooLarge { .. } => "HSM-011",
            Pkcs11Error::Failed { .. } => "HSM-012",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Pkcs11Error::TimedOut { .. } => Fault::DependencyTimeout,
            Pkcs11Error::TokenNotFound { .. } | Pkcs11Error::Lost { .. } | Pkcs11Error::Full { .. } => {
                Fault::Unavailable
            }
            _ => Fault::BadGateway,
        }
    }
}
