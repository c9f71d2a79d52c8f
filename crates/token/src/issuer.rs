//! The issuer of attestation results.

use serde::Serialize;

use crate::certificate::SigningCertificate;
use crate::{Jwk, SigningKey, TokenError, base64url};

/// A signing key with its certificates and the token header, which is the same for every token and
/// therefore written once.
///
/// The header is `{"typ":"JWT","alg":…,"jwk":{"kty","crv","x","y","alg","x5c"?},"kid":…}`: Trustee's
/// verifiers take `jwk` with `x5c`, those with a JWKS take `kid`.
#[derive(Debug)]
pub struct Issuer {
    key: SigningKey,
    encoded_header: String,
}

impl Issuer {
    /// An issuer that signs with `key`. `certificates` are in DER, the key's own first; without
    /// them, tokens are accepted only by verifiers that know the key.
    ///
    /// # Errors
    /// [`TokenError::CertificateMalformed`] when the first certificate cannot be read or the list is
    /// empty, [`TokenError::CertificateKeyDiffers`] when it is another key's.
    pub fn new(key: SigningKey, certificates: Option<Vec<Vec<u8>>>) -> Result<Self, TokenError> {
        #[derive(Serialize)]
        struct Header<'a> {
            typ: &'static str,
            alg: &'static str,
            jwk: Jwk,
            kid: &'a str,
        }
        let material = key.public_jwk().material.clone();
        if let Some(certificates) = &certificates {
            let own = certificates
                .first()
                .ok_or_else(|| TokenError::CertificateMalformed { why: "the list is empty".to_owned() })?;
            if *SigningCertificate::from_der(own)?.key().material() != material {
                return Err(TokenError::CertificateKeyDiffers);
            }
        }
        let alg = key.algorithm().as_str();
        let jwk =
            Jwk { alg: Some(alg.to_owned()), x5c: certificates.unwrap_or_default(), ..Jwk::new(material) };
        let header = serde_json::to_vec(&Header { typ: "JWT", alg, jwk, kid: key.kid() })
            .map_err(|e| TokenError::Unserialisable { why: e.to_string() })?;
        let encoded_header = base64url::encode(header);
        Ok(Issuer { key, encoded_header })
    }

    /// The signing key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Signs claims: a JWT in compact form.
    ///
    /// # Errors
    /// [`TokenError::Unserialisable`] when the claims cannot be written as a JSON object,
    /// [`TokenError::TooLarge`] when the token would exceed [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    pub fn sign<C: Serialize + ?Sized>(&self, claims: &C) -> Result<String, TokenError> {
        self.key.sign_under(&self.encoded_header, claims)
    }
}
