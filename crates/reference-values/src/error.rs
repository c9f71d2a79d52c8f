//! What can go wrong, each with its code.

use std::time::Duration;

use assay_remote::RemoteError;
use assay_store::StoreError;
use assay_tee_cca::endorsement::EndorsementError;
use assay_types::{Coded, Fault, UnixTime, Validity};

/// Why reference values were not registered or read. Of a message that is refused, nothing is
/// registered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
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
    /// The name is one of endorsements, which come in messages of other types.
    #[error(
        "{name:?} is the name of an endorsement: register it as a message of type corim, cca-trust-anchors or cca-reference-values"
    )]
    ReservedName {
        /// The name, cut after 64 characters.
        name: String,
    },
    /// The document gives no endorsements.
    #[error(transparent)]
    Endorsements(#[from] EndorsementError),
    /// Nobody signed the document, and unsigned ones are not taken.
    #[error(
        "{what} is not signed; it is taken only where unsigned endorsements are allowed (--danger-allow-unsigned-corim, danger.allow_unsigned_corim)"
    )]
    Unsigned {
        /// What is not signed.
        what: &'static str,
    },
    /// The document is signed, but no signer is configured.
    #[error(
        "the CoRIM is signed, by its own word by {signer:?}, but no signer is configured whose word would count"
    )]
    NoSigners {
        /// The signer by the document's own word, cut after 64 characters.
        signer: String,
    },
    /// No configured key made the signature.
    #[error(
        "the CoRIM is signed by nobody who is configured (signer by its own word {signer:?}, kid {kid:?}), or was altered: its signature holds under none of the {tried} configured keys for its algorithm"
    )]
    UnknownSigner {
        /// The signer by the document's own word, cut after 64 characters.
        signer: String,
        /// The key's name by the document's own word, cut after 64 characters.
        kid: String,
        /// How many keys were tried.
        tried: usize,
    },
    /// The key is known, and the signature does not hold.
    #[error("the signature of the CoRIM: {detail}")]
    BadSignature {
        /// What is wrong.
        detail: String,
    },
    /// The signer's certificate is not trusted.
    #[error("the certificate that came with the CoRIM is not trusted: {detail}")]
    SignerUntrusted {
        /// What is wrong.
        detail: String,
    },
    /// Document or certificate are not valid now.
    #[error("{what} is valid from {validity}, and now it is {now}")]
    NotValidNow {
        /// What is not valid.
        what: &'static str,
        /// When it is valid.
        validity: Validity,
        /// The time of the registration.
        now: UnixTime,
    },
    /// The configured signers cannot be used.
    #[error("the signers of CoRIMs: {detail}")]
    Signers {
        /// What is wrong.
        detail: String,
    },
    /// An evaluation asked for groups of values, and the remote provider cannot be asked for any.
    #[error(
        "the evaluation needs the reference values of {groups}, and the remote provider's protocol (trustee) has no call for groups: use protocol = \"assay\", or reference values of this process"
    )]
    GroupsNotServed {
        /// The groups, separated by commas, at most four.
        groups: String,
    },
    /// The remote provider has no such call.
    #[error("the remote provider's protocol (trustee) has no call to {what}")]
    NotServed {
        /// What was to be done.
        what: &'static str,
    },
    /// The set of the remote provider was not confirmed for too long.
    #[error(
        "the reference values are not to be relied on: the remote provider has {}, and the limit is {} s: {why}",
        age.map_or_else(|| "never answered".to_owned(), |age| format!("not answered for {} s", age.as_secs())),
        limit.as_secs()
    )]
    Stale {
        /// How long ago it last answered.
        age: Option<Duration>,
        /// The longest time without an answer.
        limit: Duration,
        /// What came of the last attempt.
        why: String,
    },
    /// An evaluation asks a remote provider for more and more values.
    #[error("the evaluation asks the remote provider for more than {what}; the last was {id:?}")]
    TooManyQuestions {
        /// The limit.
        what: String,
        /// A value that was asked for last, cut after 64 characters.
        id: String,
    },
    /// A remote provider gave no answer, or refused.
    #[error(transparent)]
    Remote(#[from] RemoteError),
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
            ReferenceValueError::ReservedName { .. } => "RV-012",
            ReferenceValueError::Unsigned { .. } => "RV-013",
            ReferenceValueError::NoSigners { .. } => "RV-014",
            ReferenceValueError::UnknownSigner { .. } => "RV-015",
            ReferenceValueError::BadSignature { .. } => "RV-016",
            ReferenceValueError::SignerUntrusted { .. } => "RV-017",
            ReferenceValueError::NotValidNow { .. } => "RV-018",
            ReferenceValueError::Signers { .. } => "RV-019",
            ReferenceValueError::GroupsNotServed { .. } => "RV-020",
            ReferenceValueError::NotServed { .. } => "RV-021",
            ReferenceValueError::Stale { .. } => "RV-022",
            ReferenceValueError::TooManyQuestions { .. } => "RV-023",
            ReferenceValueError::Remote(error) => error.code(),
            ReferenceValueError::Endorsements(error) => error.code(),
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
            ReferenceValueError::Version { .. }
            | ReferenceValueError::UnknownType { .. }
            | ReferenceValueError::ReservedName { .. }
            | ReferenceValueError::Unsigned { .. }
            | ReferenceValueError::NoSigners { .. }
            | ReferenceValueError::UnknownSigner { .. }
            | ReferenceValueError::BadSignature { .. }
            | ReferenceValueError::SignerUntrusted { .. }
            | ReferenceValueError::NotValidNow { .. }
            | ReferenceValueError::GroupsNotServed { .. }
            | ReferenceValueError::NotServed { .. } => Fault::Unprocessable,
            ReferenceValueError::MessageTooLarge { .. }
            | ReferenceValueError::TooMany { .. }
            | ReferenceValueError::ValueTooLarge { .. } => Fault::TooLarge,
            ReferenceValueError::Remote(error) => error.fault(),
            ReferenceValueError::Endorsements(error) => error.fault(),
            ReferenceValueError::Store(error) => error.fault(),
            ReferenceValueError::Signers { .. } | ReferenceValueError::TooManyQuestions { .. } => {
                Fault::Internal
            }
            ReferenceValueError::Stale { .. } | ReferenceValueError::Interrupted => Fault::Unavailable,
        }
    }
}
