//! What is wrong with a document, and where.

use assay_cbor::{CborError, Problem};
use assay_cose::CoseError;
use assay_types::{Coded, Fault, Validity};

use crate::path::Path;

/// Why bytes are no CoRIM as it is read here. A path names the place, such as
/// `corim.tags[0].triples.reference[1].measurements[2].mval.digests`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorimError {
    /// Bytes that must be CBOR are not.
    #[error("{path}: {error}")]
    Cbor {
        /// Where.
        path: String,
        /// What is wrong.
        error: CborError,
    },
    /// An item is not of the type, length or form that it must have.
    #[error("{path}: expected {expected}, found {found}")]
    Form {
        /// Where.
        path: String,
        /// What must be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A mandatory member is missing.
    #[error("{path}: the member is mandatory, and missing")]
    Missing {
        /// Where.
        path: String,
    },
    /// There are more items than are read.
    #[error("{path}: {found} items; at most {limit} are read")]
    TooMany {
        /// Where.
        path: String,
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// Neither an unsigned nor a signed CoRIM.
    #[error("not a CoRIM: expected an item with tag 501 (unsigned) or 18 (signed), found {found}")]
    Wrapper {
        /// What is there.
        found: String,
    },
    /// The signed message cannot be read as a COSE_Sign1.
    #[error("corim: {0}")]
    Cose(#[from] CoseError),
    /// The signed message is not about a CoRIM.
    #[error("protected.content-type: expected \"application/rim+cbor\", found {found}")]
    ContentType {
        /// The header's value in diagnostic notation, cut after 64 characters.
        found: String,
    },
    /// A validity that ends before it begins.
    #[error("{path}: it is never valid: {validity}")]
    NeverValid {
        /// Where.
        path: String,
        /// The validity.
        validity: Validity,
    },
}

impl CorimError {
    pub(crate) fn form(path: &Path<'_>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        CorimError::Form { path: path.to_string(), expected: expected.into(), found: found.into() }
    }
}

impl Coded for CorimError {
    fn code(&self) -> &'static str {
        match self {
            CorimError::Cbor { .. } => "COR-001",
            CorimError::Form { .. } => "COR-002",
            CorimError::Missing { .. } => "COR-003",
            CorimError::TooMany { .. } => "COR-004",
            CorimError::Wrapper { .. } => "COR-005",
            CorimError::Cose(_) => "COR-006",
            CorimError::ContentType { .. } => "COR-007",
            CorimError::NeverValid { .. } => "COR-008",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            CorimError::TooMany { .. }
            | CorimError::Cbor { error: CborError { problem: Problem::TooLong { .. }, .. }, .. } => {
                Fault::TooLarge
            }
            CorimError::NeverValid { .. } => Fault::Unprocessable,
            CorimError::Cbor { .. }
            | CorimError::Form { .. }
            | CorimError::Missing { .. }
            | CorimError::Wrapper { .. }
            | CorimError::Cose(_)
            | CorimError::ContentType { .. } => Fault::BadRequest,
        }
    }
}
