//! What can be wrong with a message or a key.

use assay_cbor::CborError;

use crate::{Algorithm, Curve};

/// What is wrong with a signed message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoseError {
    /// The bytes are not CBOR as it is read here.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The item is not a COSE_Sign1 with its tag.
    #[error("{what}: expected {expected}, found {found}")]
    Structure {
        /// Which part.
        what: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A header parameter is in both headers (RFC 9052, section 3).
    #[error("the header parameter {label} is both protected and unprotected")]
    HeaderTwice {
        /// Its label in diagnostic notation.
        label: String,
    },
    /// The header has `crit`; no extension is understood.
    #[error("the header has crit; no extension is understood")]
    Critical,
    /// The protected header names no algorithm.
    #[error("the protected header has no alg")]
    NoAlgorithm,
    /// The algorithm is not one of ES256, ES384, ES512.
    #[error("the algorithm {found} is not supported; supported are ES256 (-7), ES384 (-35), ES512 (-36)")]
    UnsupportedAlgorithm {
        /// The value of `alg` in diagnostic notation, cut after 64 characters.
        found: String,
    },
    /// The algorithm does not belong to the key.
    #[error("the algorithm is {algorithm}, the key is on {curve}")]
    AlgorithmMismatch {
        /// The header's algorithm.
        algorithm: Algorithm,
        /// The key's curve.
        curve: Curve,
    },
    /// The signature does not have the length of the algorithm's.
    #[error("the signature has {found} bytes; {algorithm} has {expected}")]
    SignatureLength {
        /// The header's algorithm.
        algorithm: Algorithm,
        /// The length it must have.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// The signature does not hold.
    #[error("the signature does not hold under this key")]
    BadSignature,
}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes are not CBOR as it is read here.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// It does not have the form of a key.
    #[error("not a public key: {why}")]
    Form {
        /// Why.
        why: String,
    },
    /// A key of another type, or on another curve.
    #[error("a key of a kind that is not supported: {found}; supported are P-256, P-384 and P-521")]
    Unsupported {
        /// What was found.
        found: String,
    },
    /// A coordinate does not have its full length.
    #[error("the coordinate {coordinate} has {found} bytes; {curve} has {}", curve.coordinate_len())]
    CoordinateLength {
        /// `x` or `y`.
        coordinate: &'static str,
        /// The curve.
        curve: Curve,
        /// The length it has.
        found: usize,
    },
    /// The point is not on the curve.
    #[error("the point is not on {curve}")]
    NotOnCurve {
        /// The curve.
        curve: Curve,
    },
}

impl KeyError {
    pub(crate) fn form(why: impl Into<String>) -> Self {
        KeyError::Form { why: why.into() }
    }
}
