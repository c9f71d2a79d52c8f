//! COSE_Sign1 and COSE_Key (RFC 9052, RFC 9053) with ECDSA, over aws-lc-rs.
//!
//! - [`Sign1`] is a signed message, read strictly; [`Sign1::verify`] checks it, [`sign1`] makes one.
//! - [`PublicKey`] is a public key on a NIST curve, from a COSE_Key, a JWK, a point or a
//!   SubjectPublicKeyInfo. It was checked to lie on its curve.
//!
//! The rules: the algorithm is read from the protected header only, must belong to the key's curve
//! (RFC 9053, 2.1 recommends it; here it is required), `crit` is refused because no extension is
//! understood, payloads are never detached, coordinates have their full length.

mod algorithm;
mod curve;
mod error;
mod key;
mod sign1;

pub use algorithm::Algorithm;
pub use curve::Curve;
pub use error::{CoseError, KeyError};
pub use key::PublicKey;
pub use sign1::{LIMITS, Sign1, TAG_SIGN1, header, sign1, to_be_signed};
