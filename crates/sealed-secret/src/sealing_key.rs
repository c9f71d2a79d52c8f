//! The owner's private key.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use assay_token::{Curve, Jwk, KeyMaterial};
use assay_types::SecretBytes;

use crate::{SealedSecretError, unambiguous};

/// The longest JWK that is read, in bytes.
const MAX_JWK_BYTES: usize = 64 << 10;

/// A private key on P-256 that signs sealed secrets.
pub struct SealingKey {
    pair: EcdsaKeyPair,
    public: Jwk,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.public.thumbprint())
    }
}

fn unusable(why: &'static str) -> SealedSecretError {
    SealedSecretError::SigningKey { why }
}

/// The members of a private JWK on an elliptic curve (RFC 7518, 6.2).
#[derive(Deserialize)]
struct PrivateJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<String>,
    kid: Option<String>,
}

impl SealingKey {
    /// A new key. `kid` goes into its JWKs, where it is for people: agents find a key by the `kid` of the
    /// sealed secret.
    ///
    /// # Errors
    /// [`SealedSecretError::Cryptography`] when the library has no randomness; those of a `kid`.
    pub fn generate(kid: &str) -> Result<Self, SealedSecretError> {
        crate::unverified::check_kid(kid)?;
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| SealedSecretError::Cryptography { operation: "making a signing key" })?;
        SealingKey::of(pair, Some(kid.to_owned()))
    }

    /// Reads a private JWK from JSON in UTF-8.
    ///
    /// # Errors
    /// [`SealedSecretError::SigningKey`] when it is no private key on P-256, or its public half belongs to
    /// another one; [`SealedSecretError::TooLarge`].
    pub fn from_jwk(json: &SecretBytes) -> Result<Self, SealedSecretError> {
        let json = json.expose();
        if json.len() > MAX_JWK_BYTES {
            let part = "signing key";
            return Err(SealedSecretError::TooLarge { part, found: json.len(), max: MAX_JWK_BYTES });
        }
        // The parser's words may quote the text, which here is a secret.
        unambiguous::check(json).map_err(|_| unusable("it is not a JWK, or has a member twice"))?;
        let jwk: PrivateJwk = serde_json::from_slice(json).map_err(|_| unusable("it is not a JWK"))?;
        let d = Zeroizing::new(jwk.d.unwrap_or_default());
        if (jwk.kty.as_str(), jwk.crv.as_deref()) != ("EC", Some("P-256")) {
            return Err(unusable("it is not of type EC on the curve P-256"));
        }
        if d.is_empty() {
            return Err(unusable("it has no private part (member \"d\"): it is a public key"));
        }
        let d = coordinate("\"d\" is not 32 bytes in base64url without padding", &d)?;
        let x = coordinate("\"x\" is not 32 bytes in base64url without padding", &jwk.x.unwrap_or_default())?;
        let y = coordinate("\"y\" is not 32 bytes in base64url without padding", &jwk.y.unwrap_or_default())?;
        let point = Curve::P256.join(&*x, &*y).ok_or_else(|| unusable("its point is none of P-256"))?;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            d.as_slice(),
            point.as_ref(),
        )
        .map_err(|_| unusable("\"x\" and \"y\" are not the public half of \"d\""))?;
        SealingKey::of(pair, jwk.kid)
    }

    fn of(pair: EcdsaKeyPair, kid: Option<String>) -> Result<Self, SealedSecretError> {
        let (x, y) = Curve::P256
            .split(pair.public_key().as_ref())
            .ok_or(SealedSecretError::Cryptography { operation: "writing a public key" })?;
        let material = KeyMaterial::Ec { curve: Curve::P256, x: x.to_vec(), y: y.to_vec() };
        let public =
            Jwk { kid, alg: Some("ES256".to_owned()), usage: Some("sig".to_owned()), ..Jwk::new(material) };
        Ok(SealingKey { pair, public })
    }

    /// The public half: what agents verify with.
    pub fn public_jwk(&self) -> &Jwk {
        &self.public
    }

    /// The private JWK, JSON: the members of [`SealingKey::public_jwk`], then `d`.
    ///
    /// # Errors
    /// [`SealedSecretError::Cryptography`].
    pub fn private_jwk(&self) -> Result<SecretBytes, SealedSecretError> {
        let failed = || SealedSecretError::Cryptography { operation: "writing a signing key" };
        let d: EcPrivateKeyBin<'_> = self.pair.private_key().as_be_bytes().map_err(|_| failed())?;
        let d = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(d.as_ref()));
        let mut public = serde_json::to_string(&self.public).map_err(|_| failed())?;
        if public.pop() != Some('}') {
            return Err(failed());
        }
        // Room for all of it from the start, so that no copy of the secret is left behind.
        let mut text = Vec::with_capacity(public.len().saturating_add(d.len()).saturating_add(16));
        for part in [&public, ",\"d\":\"", &d, "\"}"] {
            text.extend_from_slice(part.as_bytes());
        }
        Ok(SecretBytes::new(text))
    }

    /// Signs `message`: `r || s`, 64 bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<impl AsRef<[u8]> + use<>, SealedSecretError> {
        // The library draws its own randomness and does not use what it is given.
        self.pair
            .sign(&SystemRandom::new(), message)
            .map_err(|_| SealedSecretError::Cryptography { operation: "signing a sealed secret" })
    }
}

fn coordinate(why: &'static str, text: &str) -> Result<Zeroizing<[u8; 32]>, SealedSecretError> {
    let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| unusable(why))?);
    bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| unusable(why))
}
