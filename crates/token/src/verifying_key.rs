//! Public keys ready to verify signatures.

use std::fmt;

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use crate::{Algorithm, Curve, Jwk, KeyMaterial, TokenError};

/// A public key, checked and ready to verify.
pub struct VerifyingKey {
    name: String,
    material: KeyMaterial,
    /// The one algorithm it serves, where its JWK says so.
    only: Option<Algorithm>,
    /// Parsed once; RSA keys are assembled at each use, which costs little beside the operation.
    parsed: Option<ParsedPublicKey>,
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?}, {})", self.name, self.material.describe())
    }
}

fn invalid(why: impl Into<String>) -> TokenError {
    TokenError::InvalidKey { why: why.into() }
}

impl VerifyingKey {
    /// Checks the key.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] when the point is not on its curve, or when the key's `use`,
    /// `key_ops` or `alg` says that it is for something else than these signatures.
    pub fn new(jwk: &Jwk) -> Result<Self, TokenError> {
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig")
            || !jwk.key_ops.as_ref().is_none_or(verifies)
        {
            return Err(invalid("it is not for signatures (use, key_ops)"));
        }
        let only = match jwk.alg.as_deref() {
            None => None,
            Some(name) => Some(
                Algorithm::from_name(name)
                    .ok_or_else(|| invalid("its alg is not an accepted signature algorithm"))?,
            ),
        };
        let key = VerifyingKey { only, ..VerifyingKey::from_material(jwk.material.clone(), jwk.name())? };
        match only {
            Some(algorithm) if !key.fits(algorithm) => Err(invalid("its alg does not fit its type")),
            _ => Ok(key),
        }
    }

    /// A key bound to no algorithm, under that name.
    pub(crate) fn from_material(material: KeyMaterial, name: String) -> Result<Self, TokenError> {
        let parsed = match &material {
            KeyMaterial::Ec { curve, x, y } => {
                let point = curve.join(x, y).ok_or_else(|| invalid("wrong length of a coordinate"))?;
                Some(
                    ParsedPublicKey::new(curve.verification(), point)
                        .map_err(|_| invalid(format!("the point is not on {curve}")))?,
                )
            }
            KeyMaterial::Ed25519 { x } => Some(
                ParsedPublicKey::new(&signature::ED25519, x)
                    .map_err(|_| invalid("not a point of Ed25519"))?,
            ),
            KeyMaterial::Rsa { .. } => None,
        };
        Ok(VerifyingKey { name, material, only: None, parsed })
    }

    /// The name under which tokens refer to this key: its `kid`, else its thumbprint.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key itself.
    pub fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// Whether the key verifies signatures of `algorithm`.
    pub(crate) fn accepts(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && self.fits(algorithm)
    }

    /// Whether `algorithm` belongs to this type of key.
    fn fits(&self, algorithm: Algorithm) -> bool {
        match (&self.material, algorithm) {
            (KeyMaterial::Ec { curve, .. }, algorithm) => matches!(
                (curve, algorithm),
                (Curve::P256, Algorithm::Es256)
                    | (Curve::P384, Algorithm::Es384)
                    | (Curve::P521, Algorithm::Es512)
            ),
            (KeyMaterial::Ed25519 { .. }, algorithm) => algorithm == Algorithm::EdDsa,
            (KeyMaterial::Rsa { .. }, algorithm) => rsa_parameters(algorithm).is_some(),
        }
    }

    /// Verifies a signature over `message` as JWS forms it: `r || s` for ECDSA.
    ///
    /// # Errors
    /// [`TokenError::AlgorithmMismatch`] when the algorithm does not belong to this key,
    /// [`TokenError::BadSignature`] when the signature does not hold.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        if !self.accepts(algorithm) {
            let bound = self.only.map_or_else(String::new, |only| format!(", bound to {only}"));
            return Err(TokenError::AlgorithmMismatch {
                alg: algorithm.as_str(),
                key: format!("{}{bound}", self.material.describe()),
            });
        }
        let holds = match (&self.parsed, &self.material, rsa_parameters(algorithm)) {
            (Some(parsed), _, _) => parsed.verify_sig(message, signature).is_ok(),
            (None, KeyMaterial::Rsa { n, e }, Some(parameters)) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (None, _, _) => false,
        };
        if holds { Ok(()) } else { Err(TokenError::BadSignature { kid: crate::error::shown(&self.name) }) }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => None,
    }
}
