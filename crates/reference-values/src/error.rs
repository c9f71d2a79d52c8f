//! What can go wrong, each with its code.

use assay_store::StoreError;
use assay_types::{Coded, Fault};

/// Why reference values were not registered or read. Of a message that is refused, nothing is
/// registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceValueError {
    /// The message is not the JSON object it must be.
    #[error("not a reference value message {{\"version\",\"type\",\"payload\"}}: {detail}")]
    Message {
        /// What is wrong.
        detail: String,
    },
    /// The message is too large.
    #[error("the message has {found} bytes; at most {limit} are taken")]
    MessageTooLarge {
        /// The limit in bytes.
        limit: usize,
        /// The size found, in bytes.
        found: usize,
    },
    /// The message has another version.
    #[error("message version {found:?} is not known; known is \"0.1.0\"")]
    Version {
        /// The version, cut after 64 characters.
        found: String,
    },
    /// There is no extractor for this type.
    #[error("message type {found:?} is not known; known are: {known}")]
    UnknownType {
        /// The type, cut after 64 characters.
        found: String,
        /// The known types, separated by commas.
        known: String,
    },
    /// The payload is not standard base64 with padding.
    #[error("the payload is not standard base64 with padding: {detail}")]
    Base64 {
        /// What is wrong.
        detail: String,
    },
    /// The payload is not what its type says.
    #[error("the payload of type {kind} cannot be read: {detail}")]
    Payload {
        /// The type.
        kind: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// There are too many values.
    #[error("the message has {found} reference values; at most {limit} are taken")]
    TooMany {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A name is not of the allowed form.
    #[error("{name:?} is not a reference value name: 1 to 512 printable ASCII characters")]
    Name {
        /// The name, cut after 64 characters.
        name: String,
    },
    /// A value is too large.
    #[error("the value of {name} has {found} bytes of JSON; at most {limit} are taken")]
    ValueTooLarge {
        /// Its name.
        name: String,
        /// The limit in bytes.
        limit: usize,
        /// The size found, in bytes.
        found: usize,
    },
    /// `expires` is not a time, or lies in the past.
    #[error("expires: {detail}")]
    Expires {
        /// What is wrong.
        detail: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was cut off by the end of the program.
    #[error("the program is ending; the values may or may not have been registered")]
    Interrupted,
}

impl Coded for ReferenceValueError {
    fn code(&self) -> &'static str {
        match self {
            ReferenceValueError::Message { .. } => "RV-001",
            ReferenceValueError::MessageTooLarge { .. } => "RV-002",
            ReferenceValueError::Version { .. } => "RV-003",
            ReferenceValueError::UnknownType { .. } => "RV-004",
            ReferenceValueError::Base64 { .. } => "RV-005",
            ReferenceValueError::Payload { .. } => "RV-006",
            ReferenceValueError::TooMany { .. } => "RV-007",
            ReferenceValueError::Name { .. } => "RV-008",
            ReferenceValueError::ValueTooLarge { .. } => "RV-009",
            ReferenceValueError::Expires { .. } => "RV-010",
            ReferenceValueError::Interrupted => "RV-011",
            ReferenceValueError::Store(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            ReferenceValueError::Message { .. }
            | ReferenceValueError::Base64 { .. }
            | ReferenceValueError::Payload { .. }
            | ReferenceValueError::Name { .. }
            | ReferenceValueError::Expires { .. } => Fault::BadRequest,
            ReferenceValueError::Version { .. } | ReferenceValueError::UnknownType { .. } => {
                Fault::Unprocessable
            }
            ReferenceValueError::MessageTooLarge { .. }
            | ReferenceValueError::TooMany { .. }
            | ReferenceValueError::ValueTooLarge { .. } => Fault::TooLarge,
            ReferenceValueError::Store(error) => error.fault(),
            ReferenceValueError::Interrupted => Fault::Unavailable,
        }
    }
}
