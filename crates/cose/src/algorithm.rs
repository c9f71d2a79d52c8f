//! The signature algorithms (RFC 9053, section 2.1).

use std::fmt;

use crate::Curve;

/// ECDSA with the hash that belongs to the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ES256: P-256, SHA-256.
    Es256,
    /// ES384: P-384, SHA-384.
    Es384,
    /// ES512: P-521, SHA-512.
    Es512,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512];

    /// The number in headers (`alg`).
    pub const fn id(self) -> i64 {
        match self {
            Algorithm::Es256 => -7,
            Algorithm::Es384 => -35,
            Algorithm::Es512 => -36,
        }
    }

    /// The algorithm of that number.
    pub fn from_id(id: i64) -> Option<Self> {
        Algorithm::ALL.into_iter().find(|a| a.id() == id)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Es512 => "ES512",
        }
    }

    /// The curve it belongs to.
    pub const fn curve(self) -> Curve {
        match self {
            Algorithm::Es256 => Curve::P256,
            Algorithm::Es384 => Curve::P384,
            Algorithm::Es512 => Curve::P521,
        }
    }

    /// The algorithm that belongs to a curve.
    pub const fn of(curve: Curve) -> Self {
        match curve {
            Curve::P256 => Algorithm::Es256,
            Curve::P384 => Algorithm::Es384,
            Curve::P521 => Algorithm::Es512,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
