//! Secrets for a guest: flattened JWE (RFC 7516, section 7.2.2) with `A256GCM`, the key wrapped by
//! `ECDH-ES+A256KW` (RFC 7518, 4.6) or `RSA-OAEP-256` (RFC 7518, 4.3).
//!
//! [`encrypt`] is the server's half. Existing clients write the protected header anew before they
//! decrypt, so it has exactly one form, without white space and in this order:
//! `{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{"crv":…,"kty":"EC","x":…,"y":…}}` or
//! `{"alg":"RSA-OAEP-256","enc":"A256GCM"}`. [`DecryptionKey`] is the client's half; it takes the
//! header as received, checks all of it, and accepts nothing else.
//!
//! `RSA1_5` is refused on both sides: its padding lets a server be used to decrypt.

mod concat_kdf;
mod decryption_key;
mod encrypt;
mod error;

pub mod content;
pub mod wrap;

pub use decryption_key::{DecryptionKey, KeyAlgorithm};
pub use encrypt::{encrypt, read_tee_public_key};
pub use error::JweError;

/// The longest plaintext that is encrypted or decrypted, in bytes.
pub const MAX_PLAINTEXT_BYTES: usize = 16 * 1024 * 1024;

/// The key management algorithm of elliptic curve keys.
pub(crate) const ECDH_ES_A256KW: &str = "ECDH-ES+A256KW";

/// The key management algorithm of RSA keys.
pub(crate) const RSA_OAEP_256: &str = "RSA-OAEP-256";

/// The key management algorithm that is refused.
const RSA1_5: &str = "RSA1_5";

/// The content encryption algorithm.
const A256GCM: &str = "A256GCM";
