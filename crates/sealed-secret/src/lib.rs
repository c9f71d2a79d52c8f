//! Sealed secrets (Confidential Containers): a signed text that stands for a secret.
//!
//! ```text
//! sealed.<header>.<payload>.<signature>        each part in base64url without padding
//! ```
//! Without `sealed.` it is a compact JWS (RFC 7515, 7.1) under ES256. The payload is a [`Vault`], which names
//! a secret that is kept elsewhere, or an [`Envelope`], which holds the secret encrypted. One step gives the
//! type that the next one needs:
//!
//! ```text
//! text ──Unverified::parse──▶ Unverified{kid} ──verify(VerificationKey)──▶ Payload
//!     Payload::Vault    ──resource──▶ the URI to ask for
//!     Payload::Envelope ──key_resource, unwrap_data_key(kek), open(data key)──▶ SecretBytes
//! ```
//! The owner seals with a [`SealingKey`]: [`seal_vault`], [`seal_envelope`].
//!
//! The field's agent knows the provider `kbs` for vaults only. Here `kbs` is a provider of envelopes as well:
//! `key_id` is the URI of a key-encryption key of 32 bytes, and `encrypted_key` is the data key of 32 bytes
//! under AES-256 key wrap (RFC 3394), 40 bytes.

mod envelope;
mod error;
mod payload;
mod seal;
mod sealing_key;
mod unambiguous;
mod unverified;
mod verification_key;

pub use envelope::Ctr;
pub use error::SealedSecretError;
pub use payload::{Envelope, Payload, Provider, Vault, WrapType};
pub use seal::{KEY_ENCRYPTION_KEY_LEN, MAX_SEALED_BYTES, seal_envelope, seal_vault};
pub use sealing_key::SealingKey;
pub use unverified::{MAX_KID_BYTES, MAX_TEXT_BYTES, Unverified, parse_without_verification_danger};
pub use verification_key::VerificationKey;

/// The one version of the payload that is known.
pub const VERSION: &str = "0.1.0";
