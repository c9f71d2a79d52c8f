//! The elliptic curves of JWK (RFC 7518, section 6.2.1.1) and COSE (RFC 9053, section 7.1), with what
//! each needs of the library.

use std::fmt;

use aws_lc_rs::{agreement, signature};

/// An elliptic curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

    /// The name in a JWK (`crv`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
            Curve::P521 => "P-521",
        }
    }

    /// The curve of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Curve::ALL.into_iter().find(|c| c.as_str() == name)
    }

    /// The number in a COSE_Key (`crv`).
    pub const fn cose_id(self) -> i64 {
        match self {
            Curve::P256 => 1,
            Curve::P384 => 2,
            Curve::P521 => 3,
        }
    }

    /// The curve of that number in a COSE_Key.
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Curve::ALL.into_iter().find(|c| c.cose_id() == id)
    }

    /// The length of a coordinate in bytes; it is fixed, leading zeros are written.
    pub const fn coordinate_len(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// The ECDSA algorithm of JWS and COSE for this curve, with signatures `r || s` of fixed length.
    pub fn verification(self) -> &'static signature::EcdsaVerificationAlgorithm {
        match self {
            Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Curve::P521 => &signature::ECDSA_P521_SHA512_FIXED,
        }
    }

    /// ECDH on this curve.
    pub fn agreement(self) -> &'static agreement::Algorithm {
        match self {
            Curve::P256 => &agreement::ECDH_P256,
            Curve::P384 => &agreement::ECDH_P384,
            Curve::P521 => &agreement::ECDH_P521,
        }
    }

    /// The point `0x04 || x || y` (SEC 1, 2.3.3); `None` when a coordinate has the wrong length.
    /// Whether the point lies on the curve is for the library to say when it takes the point.
    pub fn join(self, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
        if x.len() != self.coordinate_len() || y.len() != self.coordinate_len() {
            return None;
        }
        Some([&[4], x, y].concat())
    }

    /// The coordinates of the point `0x04 || x || y`; `None` when it has another form or length.
    pub fn split(self, point: &[u8]) -> Option<(&[u8], &[u8])> {
        let coordinates = point.strip_prefix(&[4])?;
        let (x, y) = coordinates.split_at_checked(self.coordinate_len())?;
        (y.len() == self.coordinate_len()).then_some((x, y))
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_split_into_what_was_joined() {
        for curve in Curve::ALL {
            let (x, y) = (vec![1; curve.coordinate_len()], vec![2; curve.coordinate_len()]);
            let point = curve.join(&x, &y).unwrap();
            assert_eq!(curve.split(&point), Some((x.as_slice(), y.as_slice())));
            assert_eq!(curve.split(&point[1..]), None);
            assert_eq!(curve.split(&point[..point.len() - 1]), None);
            assert_eq!(curve.join(&x[1..], &y), None);
            assert_eq!(curve.join(&x, &[&y[..], &[0]].concat()), None);
        }
    }
}
