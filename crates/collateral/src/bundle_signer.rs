//! The operator's key that signs bundles.

use std::fmt;

use assay_cose::{Algorithm, Curve, PublicKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use zeroize::Zeroizing;

use crate::bundle::BundleError;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// The longest text of a key, in bytes.
const MAX_PEM: usize = 16 << 10;

/// A private key on P-256 or P-384.
pub struct BundleSigner {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl BundleSigner {
    /// From a private key in PKCS#8 (RFC 5208), PEM, not encrypted. The caller's text is the caller's to
    /// overwrite.
    ///
    /// # Errors
    /// [`BundleError::Key`], without the key.
    pub fn from_pem(text: &str) -> Result<Self, BundleError> {
        let wrong = |why: &str| BundleError::Key { why: why.to_owned() };
        if text.len() > MAX_PEM {
            return Err(wrong("the file is larger than any key"));
        }
        if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            return Err(wrong("it is encrypted; decrypt it first (openssl pkcs8 -in FILE -out FILE)"));
        }
        if text.contains("-----BEGIN EC PRIVATE KEY-----") {
            return Err(wrong("it is not PKCS#8; convert it (openssl pkcs8 -topk8 -nocrypt -in FILE)"));
        }
        if text.matches("-----BEGIN").count() != 1 {
            return Err(wrong("expected one private key in PEM (-----BEGIN PRIVATE KEY-----)"));
        }
        let body = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(body, _)| body);
        let body =
            body.ok_or_else(|| wrong("expected a private key in PEM (-----BEGIN PRIVATE KEY-----)"))?;
        let base64: Zeroizing<Vec<u8>> =
            Zeroizing::new(body.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
        let der = BASE64_STANDARD.decode(&*base64).map_err(|_| wrong("the PEM is not base64"))?;
        BundleSigner::from_pkcs8(&Zeroizing::new(der))
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, BundleError> {
        let wrong = |why: String| BundleError::Key { why };
        let kinds = [
            (Curve::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
            (Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        ];
        let pair = kinds
            .into_iter()
            .find_map(|(curve, algorithm)| Some((curve, EcdsaKeyPair::from_pkcs8(algorithm, der).ok()?)));
        let (curve, pair) =
            pair.ok_or_else(|| wrong("it is not a private key on P-256 or P-384".to_owned()))?;
        let public = PublicKey::from_point(curve, pair.public_key().as_ref());
        Ok(BundleSigner { pair, public: public.map_err(|error| wrong(error.to_string()))? })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        Algorithm::of(self.public.curve())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BundleError> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        let signature = signature.map_err(|_| BundleError::Key { why: "it does not sign".to_owned() })?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for BundleSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleSigner").field("curve", &self.public.curve()).finish_non_exhaustive()
    }
}
