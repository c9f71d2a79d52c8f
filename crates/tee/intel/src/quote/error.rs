//! What is wrong with bytes that are no quote.

use assay_types::Check;

use super::MAX_QUOTE_LEN;
use crate::checks;

/// Bytes that are no quote, or none that is supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// Longer than any quote.
    #[error("a quote has at most {MAX_QUOTE_LEN} bytes, found {found}")]
    TooLong {
        /// The length in bytes.
        found: usize,
    },
    /// The bytes end, or those of the structure that a length gives, before a field does.
    #[error("{field} at offset {offset}: expected {expected} bytes, found {found}")]
    Truncated {
        /// The field.
        field: &'static str,
        /// Where it starts.
        offset: usize,
        /// Its length in bytes.
        expected: usize,
        /// How many bytes are left.
        found: usize,
    },
    /// A length says something else than what it is the length of.
    #[error("{field} at offset {offset}: expected {expected}, found {found}")]
    Length {
        /// The length field.
        field: &'static str,
        /// Where it starts.
        offset: usize,
        /// What it should say, in bytes.
        expected: usize,
        /// What it says.
        found: usize,
    },
    /// Behind the quote stands something else than zeros.
    #[error("byte {found:#04x} at offset {offset}: expected the end, or zeros as padding")]
    Trailing {
        /// Where the first such byte is.
        offset: usize,
        /// The byte.
        found: u8,
    },
    /// A version that is not known.
    #[error("quote version at offset 0: expected 3, 4 or 5, found {found}")]
    Version {
        /// The version.
        found: u16,
    },
    /// A TEE that quotes of the version do not have.
    #[error("TEE type of a quote of version {version} at offset 4: expected {expected}, found {found:#x}")]
    TeeType {
        /// The version.
        version: u16,
        /// Which types it has.
        expected: &'static str,
        /// The type.
        found: u32,
    },
    /// An attestation key that is not supported.
    #[error("attestation key type at offset 2: expected 2 (ECDSA P-256), found {found}")]
    AttestationKeyType {
        /// The type.
        found: u16,
    },
    /// A body that is not known.
    #[error("body type at offset 48: expected 1 (SGX), 2, 3 or 4 (TDX), found {found}")]
    BodyType {
        /// The type.
        found: u16,
    },
    /// A body of another TEE than the header names.
    #[error("body type at offset 48: expected {expected} with TEE type {tee_type:#x}, found {found}")]
    BodyOfOtherTee {
        /// The TEE type of the header.
        tee_type: u32,
        /// Which body types it has.
        expected: &'static str,
        /// The body type.
        found: u16,
    },
    /// Certification data that are not supported.
    #[error("certification data type at offset {offset}: expected {expected}, found {found}")]
    CertificationType {
        /// Where it is.
        offset: usize,
        /// Which types can be read there.
        expected: &'static str,
        /// The type.
        found: u16,
    },
}

impl QuoteError {
    /// The check that fails with it.
    pub fn check(&self) -> &'static Check {
        match self {
            QuoteError::Version { .. } | QuoteError::BodyType { .. } => &checks::QUOTE_VERSION,
            QuoteError::TeeType { .. } | QuoteError::BodyOfOtherTee { .. } => &checks::TEE_TYPE,
            QuoteError::AttestationKeyType { .. } => &checks::ATTESTATION_KEY_TYPE,
            QuoteError::CertificationType { .. } => &checks::CERTIFICATION_DATA,
            QuoteError::TooLong { .. }
            | QuoteError::Truncated { .. }
            | QuoteError::Length { .. }
            | QuoteError::Trailing { .. } => &checks::EVIDENCE_FORM,
        }
    }

    /// Whether it may be a quote, but one that is not supported.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self,
            QuoteError::Version { .. }
                | QuoteError::BodyType { .. }
                | QuoteError::AttestationKeyType { .. }
                | QuoteError::CertificationType { .. }
        )
    }

    /// What was expected, as findings show it.
    pub fn expected(&self) -> String {
        match self {
            QuoteError::TooLong { .. } => format!("at most {MAX_QUOTE_LEN} bytes"),
            QuoteError::Truncated { field, offset, expected, .. } => {
                format!("{expected} bytes of {field} at offset {offset}")
            }
            QuoteError::Length { field, offset, expected, .. } => {
                format!("{field} {expected} at offset {offset}")
            }
            QuoteError::Trailing { .. } => "nothing behind the quote, or zeros".to_owned(),
            QuoteError::Version { .. } => "3, 4 or 5".to_owned(),
            QuoteError::AttestationKeyType { .. } => "2 (ECDSA P-256)".to_owned(),
            QuoteError::BodyType { .. } => "body type 1 (SGX), 2, 3 or 4 (TDX)".to_owned(),
            QuoteError::BodyOfOtherTee { expected, .. } => format!("body type {expected}"),
            QuoteError::TeeType { expected, .. } | QuoteError::CertificationType { expected, .. } => {
                (*expected).to_owned()
            }
        }
    }

    /// What was found, as findings show it.
    pub fn found(&self) -> String {
        match self {
            QuoteError::TooLong { found } | QuoteError::Truncated { found, .. } => format!("{found} bytes"),
            QuoteError::Length { found, .. } => found.to_string(),
            QuoteError::Trailing { offset, found } => format!("{found:#04x} at offset {offset}"),
            QuoteError::TeeType { found, .. } => format!("{found:#x}"),
            QuoteError::Version { found }
            | QuoteError::AttestationKeyType { found }
            | QuoteError::BodyType { found }
            | QuoteError::BodyOfOtherTee { found, .. }
            | QuoteError::CertificationType { found, .. } => found.to_string(),
        }
    }
}
