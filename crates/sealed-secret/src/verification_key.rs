//! The owner's public key.

use serde::Deserialize;
use serde::de::IgnoredAny;

use assay_token::{Algorithm, Curve, Jwk, KeyMaterial, TokenError, VerifyingKey};

use crate::{SealedSecretError, unambiguous};

/// The longest JWK that is read, in bytes.
const MAX_JWK_BYTES: usize = 64 << 10;

/// A public key on P-256 that verifies sealed secrets.
#[derive(Debug)]
pub struct VerificationKey(VerifyingKey);

fn unusable(why: impl Into<String>) -> SealedSecretError {
    SealedSecretError::VerificationKey { why: why.into() }
}

impl VerificationKey {
    /// Reads a JWK (RFC 7517) from JSON in UTF-8.
    ///
    /// # Errors
    /// [`SealedSecretError::PrivateKey`] when it has a private part, [`SealedSecretError::VerificationKey`]
    /// when it is no public key on P-256 or its `use`, `key_ops` or `alg` says that it is for something else,
    /// [`SealedSecretError::TooLarge`].
    pub fn from_jwk(json: &[u8]) -> Result<Self, SealedSecretError> {
        #[derive(Deserialize)]
        struct Private {
            #[serde(default)]
            d: Option<IgnoredAny>,
        }
        if json.len() > MAX_JWK_BYTES {
            let part = "verification key";
            return Err(SealedSecretError::TooLarge { part, found: json.len(), max: MAX_JWK_BYTES });
        }
        // The parser's words may quote the text; of a private key nothing may be shown.
        let not_a_jwk = || unusable("it is not a JWK, or has a member twice");
        unambiguous::check(json).map_err(|_| not_a_jwk())?;
        if serde_json::from_slice::<Private>(json).map_err(|_| not_a_jwk())?.d.is_some() {
            return Err(SealedSecretError::PrivateKey);
        }
        let text = str::from_utf8(json).map_err(|_| not_a_jwk())?;
        Jwk::from_json(text).map_err(words).and_then(|jwk| VerificationKey::from_public(&jwk))
    }

    /// Takes a JWK that is read already.
    ///
    /// # Errors
    /// [`SealedSecretError::VerificationKey`].
    pub fn from_public(jwk: &Jwk) -> Result<Self, SealedSecretError> {
        match &jwk.material {
            KeyMaterial::Ec { curve: Curve::P256, .. } => {}
            KeyMaterial::Ec { curve, .. } => return Err(unusable(format!("it is on {curve}"))),
            KeyMaterial::Rsa { .. } => return Err(unusable("it is an RSA key")),
            KeyMaterial::Ed25519 { .. } => return Err(unusable("it is an Ed25519 key")),
        }
        VerifyingKey::new(jwk).map(VerificationKey).map_err(words)
    }

    /// Whether `signature` (`r || s`) over `message` is this key's.
    pub(crate) fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(Algorithm::Es256, message, signature).is_ok()
    }
}

fn words(error: TokenError) -> SealedSecretError {
    match error {
        TokenError::InvalidKey { why } => unusable(why),
        other => unusable(other.to_string()),
    }
}
