//! Sealed secrets: a signed text that stands for a secret, vault or envelope.

mod error;

pub use error::SealedSecretError;
