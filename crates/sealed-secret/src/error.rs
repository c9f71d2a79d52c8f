//! Why a sealed secret is not opened, or not made.

use assay_types::{Coded, Fault, NotAResourcePath, NotAResourceUri, NotOfResourcePlugin};

/// An error of a sealed secret.
///
/// Text taken from a sealed secret is cut after 256 characters before it is shown. No secret is in here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedSecretError {
    /// It is not of the form `sealed.<header>.<payload>.<signature>`.
    #[error("not a sealed secret (sealed.<header>.<payload>.<signature>): {why}")]
    Form {
        /// What is wrong.
        why: String,
    },
    /// Longer than allowed.
    #[error("the {part} has {found} bytes; at most {max} are taken")]
    TooLarge {
        /// Which part.
        part: &'static str,
        /// Its length.
        found: usize,
        /// The greatest length.
        max: usize,
    },
    /// A part is not encoded as it must be.
    #[error("the {part} is not {expected}: {why}")]
    Encoding {
        /// Which part.
        part: &'static str,
        /// The encoding it must have.
        expected: &'static str,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// The header is not the JSON that it must be.
    #[error("the header cannot be read: {why}")]
    Header {
        /// What is wrong.
        why: String,
    },
    /// Signed by another algorithm.
    #[error("the header says alg {found:?}; sealed secrets are signed with \"ES256\"")]
    Algorithm {
        /// The header's.
        found: String,
    },
    /// The header demands an extension.
    #[error("the header demands an extension (crit); none is understood")]
    Critical,
    /// The name of the signing key is missing or cannot be one.
    #[error("the header's kid cannot be used: {why}")]
    KeyName {
        /// What is wrong.
        why: String,
    },
    /// The verification key cannot be used.
    #[error("the verification key cannot be used: {why}; expected is a public JWK on P-256")]
    VerificationKey {
        /// What is wrong.
        why: String,
    },
    /// Somebody stored a private key where public ones belong.
    #[error(
        "the verification key is a PRIVATE key (member \"d\"): whoever can read it can forge sealed secrets; \
         make a new key, store its public half, and seal anew"
    )]
    PrivateKey,
    /// The signature does not hold.
    #[error(
        "the signature does not hold under the key {kid:?}: the text was changed, or sealed with another key"
    )]
    Signature {
        /// The name of the key.
        kid: String,
    },
    /// The payload is not the JSON that it must be.
    #[error("the payload cannot be read: {why}")]
    Payload {
        /// What is wrong.
        why: String,
    },
    /// The payload is of another version.
    #[error("the payload is of version {found:?}; only \"0.1.0\" is known")]
    Version {
        /// The payload's.
        found: String,
    },
    /// The payload is of another type.
    #[error("the payload is of type {found:?}; known are \"vault\" and \"envelope\"")]
    Type {
        /// The payload's.
        found: String,
    },
    /// The provider cannot be asked by this agent.
    #[error(
        "the provider {found:?} of a sealed secret of type {of} is not supported here; supported is \"kbs\""
    )]
    Provider {
        /// `vault` or `envelope`.
        of: &'static str,
        /// The payload's.
        found: String,
    },
    /// The secret is encrypted in a way that is not known.
    #[error("the wrap_type is {found:?}; known are \"A256GCM\" and \"A256CTR\"")]
    WrapType {
        /// The payload's.
        found: String,
    },
    /// The secret is encrypted without authentication, and that is not allowed.
    #[error(
        "the wrap_type A256CTR does not authenticate the secret and is refused; seal with A256GCM, or allow it \
         (allow_ctr_danger)"
    )]
    CtrRefused,
    /// A value has not its one length.
    #[error("{what} has {found} bytes; it must have {expected}")]
    Length {
        /// Which value.
        what: &'static str,
        /// Its one right length.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// The data key does not come out.
    #[error(
        "encrypted_key does not open under the key-encryption key: it was wrapped by another one, or changed"
    )]
    Unwrap,
    /// The secret does not come out.
    #[error("encrypted_data does not authenticate under the data key: key, iv or data were changed")]
    Decrypt,
    /// A vault's name, or an envelope's key, is no URI of a resource.
    #[error("{member} {found:?} names no resource: {why}")]
    ResourceUri {
        /// The member of the payload.
        member: &'static str,
        /// Its value.
        found: String,
        /// Why.
        why: NotAResourceUri,
    },
    /// A vault's name is neither a URI nor a path of a resource.
    #[error("name {found:?} names no resource: {why}; or write a URI: kbs:///…")]
    ResourcePath {
        /// Its value.
        found: String,
        /// Why.
        why: NotAResourcePath,
    },
    /// The owner's private key cannot be used.
    #[error("the signing key cannot be used: {why}; expected is a private JWK on P-256")]
    SigningKey {
        /// What is wrong.
        why: &'static str,
    },
    /// The key is not one of those whose sealed secrets are taken.
    #[error("the key {kid:?} is not among the trusted keys; the setting `trusted_keys` names them")]
    KeyNotTrusted {
        /// The header's.
        kid: String,
    },
    /// The file with the verification key cannot be used.
    #[error("the verification key {kid:?} cannot be had from {directory}: {why}")]
    KeyFile {
        /// The header's.
        kid: String,
        /// Where files with keys are.
        directory: String,
        /// What is wrong.
        why: String,
    },
    /// A URI of a resource that no secret of the key broker can have.
    #[error("{member} {found:?} names no secret of the key broker: {why}")]
    NotASecret {
        /// The member of the payload, or the header's `kid`.
        member: &'static str,
        /// Its value.
        found: String,
        /// Why.
        why: NotOfResourcePlugin,
    },
    /// The cryptographic library failed at what cannot fail by the input.
    #[error("{operation} failed")]
    Cryptography {
        /// What was attempted.
        operation: &'static str,
    },
}

/// `text`, cut to what an error may carry.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(256).collect()
}

impl Coded for SealedSecretError {
    fn code(&self) -> &'static str {
        match self {
            SealedSecretError::Form { .. } => "SEA-001",
            SealedSecretError::TooLarge { .. } => "SEA-002",
            SealedSecretError::Encoding { .. } => "SEA-003",
            SealedSecretError::Header { .. } => "SEA-004",
            SealedSecretError::Algorithm { .. } => "SEA-005",
            SealedSecretError::Critical => "SEA-006",
            SealedSecretError::KeyName { .. } => "SEA-007",
            SealedSecretError::VerificationKey { .. } => "SEA-008",
            SealedSecretError::PrivateKey => "SEA-009",
            SealedSecretError::Signature { .. } => "SEA-010",
            SealedSecretError::Payload { .. } => "SEA-011",
            SealedSecretError::Version { .. } => "SEA-012",
            SealedSecretError::Type { .. } => "SEA-013",
            SealedSecretError::Provider { .. } => "SEA-014",
            SealedSecretError::WrapType { .. } => "SEA-015",
            SealedSecretError::CtrRefused => "SEA-016",
            SealedSecretError::Length { .. } => "SEA-017",
            SealedSecretError::Unwrap => "SEA-018",
            SealedSecretError::Decrypt => "SEA-019",
            SealedSecretError::ResourceUri { .. } => "SEA-020",
            SealedSecretError::ResourcePath { .. } => "SEA-021",
            SealedSecretError::SigningKey { .. } => "SEA-022",
            SealedSecretError::KeyNotTrusted { .. } => "SEA-023",
            SealedSecretError::KeyFile { .. } => "SEA-024",
            SealedSecretError::Cryptography { .. } => "SEA-025",
            SealedSecretError::NotASecret { .. } => "SEA-026",
        }
    }

    /// What cannot be read is the caller's fault; what can be read and is not to be opened is refused.
    fn fault(&self) -> Fault {
        match self {
            SealedSecretError::Form { .. }
            | SealedSecretError::Encoding { .. }
            | SealedSecretError::Header { .. }
            | SealedSecretError::KeyName { .. }
            | SealedSecretError::Payload { .. } => Fault::BadRequest,
            SealedSecretError::TooLarge { .. } => Fault::TooLarge,
            SealedSecretError::Signature { .. }
            | SealedSecretError::KeyNotTrusted { .. }
            | SealedSecretError::CtrRefused => Fault::Forbidden,
            SealedSecretError::Cryptography { .. } => Fault::Internal,
            _ => Fault::Unprocessable,
        }
    }
}
