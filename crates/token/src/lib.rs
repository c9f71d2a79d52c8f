//! Attestation result tokens (EAR), JOSE signing and encryption, key sets.
//!
//! - [`Issuer`] signs claims as a compact JWS (RFC 7515) with a header that Trustee's clients and
//!   this project's verifier both understand, or as a CWT; [`EarClaims`] is the content of an attestation
//!   result, [`EarDialect`] its spelling, [`EarForm`] what a client asks for.
//! - [`TokenVerifier`] accepts a token only under a key it was told to trust. A key that merely
//!   comes with the token is never one of those.
//! - [`KeySet`] holds the signing key in use and the public halves of those before it.
//! - [`jwe`] encrypts a secret for a guest's key and decrypts it there.
//!
//! The rules of RFC 8725 hold throughout: the algorithm must fit the key, `none` and symmetric
//! algorithms do not exist, `crit` is refused, all input is bounded. Time is a parameter.

mod algorithm;
mod base64url;
mod certificate;
mod cwt;
mod ear;
mod error;
mod issuer;
mod jwk;
mod jws;
mod jwt;
mod key_set;
mod self_signed;
mod signing_key;
mod tee_key;
mod verifier;
mod verifying_key;

pub mod jwe;

pub use algorithm::{Algorithm, SigningAlgorithm};
pub use assay_cose::Curve;
pub use certificate::CertificateTrust;
pub use ear::{
    Appraised, EarClaims, EarDialect, EarEncoding, EarForm, EarMedia, InDialect, NotAcceptable, Submodule,
    TRUSTEE_PROFILE, VerifierId,
};
pub use error::TokenError;
pub use issuer::Issuer;
pub use jwk::{Jwk, JwkSet, KeyMaterial};
pub use jws::{CompactJws, MAX_HEADER_BYTES, MAX_TOKEN_BYTES, decode_unverified};
pub use jwt::{ClaimRules, Times};
pub use key_set::{KeySet, RetiredKey};
pub use signing_key::SigningKey;
pub use tee_key::{TEE_KEY_POINTERS, tee_public_key};
pub use verifier::{TokenVerifier, TrustedKeys, VerifiedToken};
pub use verifying_key::VerifyingKey;
