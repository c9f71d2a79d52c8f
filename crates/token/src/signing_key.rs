//! The key that signs tokens.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _};
use serde::Serialize;
use serde_json::{Map, Value};

use assay_types::{SecretBytes, Validity};

use crate::{Jwk, KeyMaterial, SigningAlgorithm, TokenError, base64url, jws, self_signed};

/// A private key that signs tokens. Its name (`kid`) is its thumbprint (RFC 7638).
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    pair: EcdsaKeyPair,
    jwk: Jwk,
    kid: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.algorithm, self.kid)
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// [`TokenError::Cryptography`] when the library has no randomness.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, TokenError> {
        let pair = EcdsaKeyPair::generate(pair_algorithm(algorithm))
            .map_err(|_| TokenError::Cryptography { operation: "generating a signing key" })?;
        SigningKey::new(algorithm, pair)
    }

    /// Reads a key from PKCS#8 (RFC 5208) in DER.
    ///
    /// # Errors
    /// [`TokenError::InvalidPrivateKey`] when it is no key on the algorithm's curve.
    pub fn from_pkcs8(algorithm: SigningAlgorithm, pkcs8: &SecretBytes) -> Result<Self, TokenError> {
        let pair = EcdsaKeyPair::from_pkcs8(pair_algorithm(algorithm), pkcs8.expose())
            .map_err(|_| TokenError::InvalidPrivateKey { algorithm: algorithm.as_str() })?;
        SigningKey::new(algorithm, pair)
    }

    fn new(algorithm: SigningAlgorithm, pair: EcdsaKeyPair) -> Result<Self, TokenError> {
        let curve = algorithm.curve();
        let (x, y) = curve
            .split(pair.public_key().as_ref())
            .ok_or(TokenError::Cryptography { operation: "writing a public key" })?;
        let material = KeyMaterial::Ec { curve, x: x.to_vec(), y: y.to_vec() };
        let kid = material.thumbprint();
        let jwk = Jwk {
            kid: Some(kid.clone()),
            alg: Some(algorithm.as_str().to_owned()),
            usage: Some("sig".to_owned()),
            ..Jwk::new(material)
        };
        Ok(SigningKey { algorithm, pair, jwk, kid })
    }

    /// The key in PKCS#8 (RFC 5208, version 1) in DER.
    ///
    /// # Errors
    /// [`TokenError::Cryptography`] when the library cannot write it.
    pub fn to_pkcs8(&self) -> Result<SecretBytes, TokenError> {
        let document = self
            .pair
            .to_pkcs8v1()
            .map_err(|_| TokenError::Cryptography { operation: "writing a signing key" })?;
        Ok(SecretBytes::new(document.as_ref().to_vec()))
    }

    /// The key's name: the thumbprint of its public half, 43 characters.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Its public half, with `alg`, `use` and `kid`: as it stands in a JWKS.
    pub fn public_jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs `message`: `r || s`, as JWS has it (RFC 7518, 3.4).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<signature::Signature, TokenError> {
        // The library draws its own randomness and does not use what it is given.
        self.pair
            .sign(&SystemRandom::new(), message)
            .map_err(|_| TokenError::Cryptography { operation: "signing a token" })
    }

    /// Signs claims as a JWT with the header `{"typ":"JWT","alg":…,"kid":…}` followed by the
    /// members of `header_extras`. For attestation results use an [`Issuer`](crate::Issuer).
    ///
    /// # Errors
    /// [`TokenError::Unserialisable`] when `header_extras` has `typ`, `alg`, `kid` or `crit`, or
    /// when the claims cannot be written; [`TokenError::TooLarge`].
    pub fn sign_jwt<C: Serialize + ?Sized>(
        &self,
        header_extras: &Map<String, Value>,
        claims: &C,
    ) -> Result<String, TokenError> {
        #[derive(Serialize)]
        struct Header<'a> {
            typ: &'static str,
            alg: &'static str,
            kid: &'a str,
            #[serde(flatten)]
            extras: &'a Map<String, Value>,
        }
        if let Some(name) =
            ["typ", "alg", "kid", "crit"].iter().find(|name| header_extras.contains_key(**name))
        {
            return Err(TokenError::Unserialisable {
                why: format!("the header member {name:?} is not free"),
            });
        }
        let header =
            Header { typ: "JWT", alg: self.algorithm.as_str(), kid: &self.kid, extras: header_extras };
        let header = serde_json::to_vec(&header).map_err(unserialisable)?;
        self.sign_under(&base64url::encode(header), claims)
    }

    /// Signs claims under a header that is already encoded. The claims are written once, and the
    /// token's buffer is allocated once.
    pub(crate) fn sign_under<C: Serialize + ?Sized>(
        &self,
        encoded_header: &str,
        claims: &C,
    ) -> Result<String, TokenError> {
        let claims = serde_json::to_vec(claims).map_err(unserialisable)?;
        if claims.first() != Some(&b'{') {
            return Err(TokenError::Unserialisable { why: "claims must be a JSON object".to_owned() });
        }
        let signature_len = self.algorithm.curve().coordinate_len().saturating_mul(2);
        let length = [base64url::encoded_len(claims.len()), base64url::encoded_len(signature_len), 2]
            .into_iter()
            .fold(encoded_header.len(), usize::saturating_add);
        if length > jws::MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge { part: "token", found: length, limit: jws::MAX_TOKEN_BYTES });
        }
        let mut token = String::with_capacity(length);
        token.push_str(encoded_header);
        token.push('.');
        base64url::append(&claims, &mut token);
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        base64url::append(signature.as_ref(), &mut token);
        Ok(token)
    }

    /// A certificate for this key, signed by itself, in DER: what goes into `x5c`, and what a
    /// Trustee verifier is given as its trusted certificate.
    ///
    /// # Errors
    /// [`TokenError::Unserialisable`] when the common name has not 1 to 64 characters, or the span
    /// is empty or out of X.509's range (1970 to 9999).
    pub fn self_signed_certificate(
        &self,
        common_name: &str,
        validity: Validity,
    ) -> Result<Vec<u8>, TokenError> {
        let public_key_info = self
            .pair
            .public_key()
            .as_der()
            .map_err(|_| TokenError::Cryptography { operation: "writing a public key" })?;
        self_signed::self_signed(
            self.algorithm,
            self.to_pkcs8()?.expose(),
            public_key_info.as_ref(),
            common_name,
            validity,
        )
    }
}

fn unserialisable(error: serde_json::Error) -> TokenError {
    TokenError::Unserialisable { why: error.to_string() }
}

fn pair_algorithm(algorithm: SigningAlgorithm) -> &'static signature::EcdsaSigningAlgorithm {
    match algorithm {
        SigningAlgorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        SigningAlgorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
    }
}
