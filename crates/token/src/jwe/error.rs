//! Why a secret cannot be encrypted or decrypted.

use assay_types::{Coded, Fault};

/// Why a secret cannot be encrypted to a key, or a JWE not be decrypted.
///
/// Text taken from a message is cut after 64 characters before it is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JweError {
    /// The guest's public key is of a kind or on a curve that is not supported.
    #[error("keys of the kind {kind:?} are not supported; use EC on P-256, P-384 or P-521, or RSA")]
    UnsupportedKey {
        /// Its `kty` or `crv`.
        kind: String,
    },
    /// The key asks for another algorithm than the one for its type.
    #[error("the key management algorithm {found:?} is not supported for this key; it must be {expected}")]
    UnsupportedAlgorithm {
        /// The algorithm for this type of key.
        expected: &'static str,
        /// The key's `alg`.
        found: String,
    },
    /// `RSA1_5`, in a key or in a header.
    #[error("RSA1_5 is refused: its padding is unsafe; use RSA-OAEP-256 or an EC key")]
    Rsa15Refused,
    /// The guest's public key is none.
    #[error("the public key cannot be used: {why}")]
    InvalidKey {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The RSA key is too short or too long.
    #[error("an RSA key must have 2048 to 8192 bits; this one has {bits}")]
    RsaKeySize {
        /// Its length.
        bits: usize,
    },
    /// A member of the message is not base64url without padding.
    #[error("{member:?} is not base64url without padding")]
    Encoding {
        /// The member's name.
        member: &'static str,
    },
    /// The protected header is not JSON with the members it must have.
    #[error("the protected header cannot be read: {why}")]
    Header {
        /// What the JSON parser says.
        why: String,
    },
    /// The protected header has a member that changes the meaning and that no server of this
    /// protocol sends: `crit`, `zip`, `apu` or `apv`.
    #[error("the protected header has {member:?}, which is not supported")]
    UnsupportedHeader {
        /// The member's name.
        member: &'static str,
    },
    /// The header's `alg` is not the one of the key.
    #[error("the header says alg {found:?}; for this key it must be {expected}")]
    WrongAlgorithm {
        /// The algorithm of the key.
        expected: &'static str,
        /// The header's.
        found: String,
    },
    /// The header's `enc` is not `A256GCM`.
    #[error("the header says enc {found:?}; it must be A256GCM")]
    WrongEncryption {
        /// The header's.
        found: String,
    },
    /// A member of the message has the wrong length.
    #[error("{member:?} must have {expected} bytes and has {found}")]
    Length {
        /// The member's name.
        member: &'static str,
        /// Its one right length.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// The header's ephemeral key is missing, of another curve, or no point of it.
    #[error("the ephemeral key (epk) cannot be used: {why}")]
    EphemeralKey {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The content encryption key does not come out: made for another key, or changed on the way.
    #[error("the wrapped key does not open with this key: it was made for another one, or changed")]
    Unwrap,
    /// The content does not come out: something was changed on the way.
    #[error("the content does not authenticate: header, iv, ciphertext or tag was changed")]
    Decrypt,
    /// Longer than a secret may be.
    #[error("the {part} has {found} bytes; at most {limit} are accepted")]
    TooLarge {
        /// `plaintext`, `ciphertext` or `protected header`.
        part: &'static str,
        /// Its length.
        found: usize,
        /// The greatest length accepted.
        limit: usize,
    },
    /// A private key that cannot be read.
    #[error("not a usable private key (PKCS#8) for {algorithm}")]
    InvalidPrivateKey {
        /// The algorithm it was to serve.
        algorithm: &'static str,
    },
    /// The cryptographic library failed at what cannot fail by the input.
    #[error("{operation} failed")]
    Cryptography {
        /// What was attempted.
        operation: &'static str,
    },
}

impl Coded for JweError {
    fn code(&self) -> &'static str {
        match self {
            JweError::UnsupportedKey { .. } => "JWE-001",
            JweError::UnsupportedAlgorithm { .. } => "JWE-002",
            JweError::Rsa15Refused => "JWE-003",
            JweError::InvalidKey { .. } => "JWE-004",
            JweError::RsaKeySize { .. } => "JWE-005",
            JweError::Encoding { .. } => "JWE-006",
            JweError::Header { .. } => "JWE-007",
            JweError::UnsupportedHeader { .. } => "JWE-008",
            JweError::WrongAlgorithm { .. } => "JWE-009",
            JweError::WrongEncryption { .. } => "JWE-010",
            JweError::Length { .. } => "JWE-011",
            JweError::EphemeralKey { .. } => "JWE-012",
            JweError::Unwrap => "JWE-013",
            JweError::Decrypt => "JWE-014",
            JweError::TooLarge { .. } => "JWE-015",
            JweError::InvalidPrivateKey { .. } => "JWE-016",
            JweError::Cryptography { .. } => "JWE-017",
        }
    }

    /// As a server sees it, where the guest's key is what can be wrong. A client that cannot
    /// decrypt reports its own error and has no use for a fault.
    fn fault(&self) -> Fault {
        match self {
            JweError::TooLarge { .. }
            | JweError::InvalidPrivateKey { .. }
            | JweError::Cryptography { .. } => Fault::Internal,
            _ => Fault::Unprocessable,
        }
    }
}
