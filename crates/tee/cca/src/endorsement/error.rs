//! What is wrong with a file of endorsements.

use std::fmt;

use assay_corim::CorimError;
use assay_types::{Coded, Fault};

use super::ProfileProblem;

/// Why a file gives no endorsements. Of a file that is refused, nothing is taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EndorsementError {
    /// It is not a CoRIM.
    #[error(transparent)]
    Corim(#[from] CorimError),
    /// The CoRIM breaks the rules of its profile.
    #[error("the CoRIM breaks its profile: {}", Listed(.0))]
    Profile(Vec<ProfileProblem>),
    /// It is not the JSON of a store.
    #[error("not a JSON store of {what}: {detail}")]
    Json {
        /// Of what.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// Entries of a JSON store cannot be.
    #[error("the JSON store cannot be taken: {}", Listed(.0))]
    Entries(Vec<EntryProblem>),
    /// It is too large.
    #[error("{what}: {found}; at most {limit} are read")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// How much there is.
        found: usize,
    },
}

/// What is wrong with an entry of a JSON store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProblem {
    /// Where: `platform[0].sw-components[1].signer-id`.
    pub path: String,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.detail);
        }
        write!(f, "{}: {}", self.path, self.detail)
    }
}

impl std::error::Error for EntryProblem {}

/// Problems one behind the other.
struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            if index == 20 {
                return write!(f, "and {} more", self.0.len() - index);
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl Coded for EndorsementError {
    fn code(&self) -> &'static str {
        match self {
            EndorsementError::Corim(error) => error.code(),
            EndorsementError::Profile(_) => "END-001",
            EndorsementError::Json { .. } => "END-002",
            EndorsementError::Entries(_) => "END-003",
            EndorsementError::TooLarge { .. } => "END-004",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            EndorsementError::Corim(error) => error.fault(),
            EndorsementError::Profile(_) | EndorsementError::Entries(_) => Fault::Unprocessable,
            EndorsementError::Json { .. } => Fault::BadRequest,
            EndorsementError::TooLarge { .. } => Fault::TooLarge,
        }
    }
}
