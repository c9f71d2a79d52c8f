//! The error of everything here.

/// Bytes that are not a certificate or CRL: why, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotDer(String);

impl NotDer {
    /// For this reason.
    pub fn new(why: impl Into<String>) -> Self {
        NotDer(why.into())
    }
}

impl From<der::Error> for NotDer {
    fn from(e: der::Error) -> Self {
        NotDer(e.to_string())
    }
}
