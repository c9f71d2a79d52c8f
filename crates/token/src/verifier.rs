//! Verification of tokens under trusted keys.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use assay_types::UnixTime;

use crate::certificate::SigningCertificate;
use crate::error::shown;
use crate::{Algorithm, ClaimRules, CompactJws, Jwk, JwkSet, TokenError, VerifyingKey};

/// What a verifier trusts and demands.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys {
    /// Trusted public keys. Keys for encryption are left aside.
    pub jwks: JwkSet,
    /// Trusted certificates in DER: of signing keys themselves, or of authorities that issue the
    /// certificates of signing keys directly.
    pub certificates: Vec<Vec<u8>>,
    /// The one issuer (`iss`) that is accepted; any, when `None`.
    pub issuer: Option<String>,
    /// The name (`aud`) under which tokens are meant for this verifier. When `None`, a token that
    /// has an audience is refused.
    pub audience: Option<String>,
    /// How far the clocks of issuer and verifier may differ, in seconds.
    pub leeway_seconds: u32,
}

/// A token that was verified.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VerifiedToken {
    /// The claims, a JSON object.
    pub claims: Value,
    /// The trusted key: its `kid`, else its thumbprint.
    pub kid: String,
    /// The algorithm of the signature.
    pub algorithm: Algorithm,
    /// `exp`, without leeway.
    pub expires: UnixTime,
    /// `nbf`.
    pub not_before: Option<UnixTime>,
    /// `iat`.
    pub issued_at: Option<UnixTime>,
}

/// Verifies tokens. All keys and certificates are read when it is made.
///
/// The key is found, in this order: by the header's `kid` among the trusted keys; by the thumbprint
/// of the header's `jwk` among them; by the header's certificate, when that is trusted or issued
/// by a trusted authority. What the header brings along is thus never more than a hint.
#[derive(Debug)]
pub struct TokenVerifier {
    keys: Vec<(String, VerifyingKey)>,
    certificates: Vec<SigningCertificate>,
    rules: ClaimRules,
}

impl TokenVerifier {
    /// Reads what is trusted.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`], [`TokenError::CertificateMalformed`]: nothing is left out
    /// silently.
    pub fn new(trusted: TrustedKeys) -> Result<Self, TokenError> {
        let keys = trusted
            .jwks
            .keys
            .iter()
            .filter(|jwk| jwk.usage.as_deref() != Some("enc"))
            .map(|jwk| Ok((jwk.thumbprint(), VerifyingKey::new(jwk)?)))
            .collect::<Result<_, TokenError>>()?;
        let certificates = trusted
            .certificates
            .iter()
            .map(|der| SigningCertificate::from_der(der))
            .collect::<Result<_, TokenError>>()?;
        let rules = ClaimRules {
            issuer: trusted.issuer,
            audience: trusted.audience,
            leeway_seconds: trusted.leeway_seconds,
        };
        Ok(TokenVerifier { keys, certificates, rules })
    }

    /// Verifies a token at the time `now`: form, key, signature, then claims.
    ///
    /// # Errors
    /// The first [`TokenError`] that applies.
    pub fn verify(&self, token: &str, now: UnixTime) -> Result<VerifiedToken, TokenError> {
        let jws = CompactJws::parse(token)?;
        let certificate;
        let key = match self.trusted_key(&jws)? {
            Some(key) => key,
            None => {
                certificate = self.trusted_certificate(&jws, now)?;
                certificate.key()
            }
        };
        let payload = jws.verify(key)?;
        let claims: Value =
            serde_json::from_slice(payload).map_err(|e| TokenError::Claims { why: e.to_string() })?;
        self.verified(claims, key, jws.algorithm(), now)
    }

    /// The token whose signature holds, if its claims do too.
    pub(crate) fn verified(
        &self,
        claims: Value,
        key: &VerifyingKey,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<VerifiedToken, TokenError> {
        let Value::Object(members) = &claims else {
            return Err(TokenError::Claims { why: "not a JSON object".to_owned() });
        };
        let times = self.rules.check(members, now)?;
        Ok(VerifiedToken {
            kid: key.name().to_owned(),
            algorithm,
            expires: times.expires,
            not_before: times.not_before,
            issued_at: times.issued_at,
            claims,
        })
    }

    /// The trusted key of that name. Keys of different types may share a name (RFC 7517, 4.5); the
    /// algorithm tells them apart.
    pub(crate) fn key_named(&self, name: &str, algorithm: Algorithm) -> Option<&VerifyingKey> {
        let named = || self.keys.iter().map(|(_, key)| key).filter(|key| key.name() == name);
        named().find(|key| key.accepts(algorithm)).or_else(|| named().next())
    }

    /// The trusted key that the header names.
    fn trusted_key(&self, jws: &CompactJws<'_>) -> Result<Option<&VerifyingKey>, TokenError> {
        if let Some(key) = jws.kid().and_then(|kid| self.key_named(kid, jws.algorithm())) {
            return Ok(Some(key));
        }
        if self.keys.is_empty() {
            return Ok(None);
        }
        let Some(jwk) = jws.jwk() else { return Ok(None) };
        let thumbprint = Jwk::from_json(jwk)?.thumbprint();
        Ok(self.keys.iter().find(|(own, _)| *own == thumbprint).map(|(_, key)| key))
    }

    /// The header's certificate, when something trusted vouches for it.
    fn trusted_certificate(
        &self,
        jws: &CompactJws<'_>,
        now: UnixTime,
    ) -> Result<SigningCertificate, TokenError> {
        let jwk = jws.jwk().map(Jwk::from_json).transpose()?;
        let der = match (jwk.as_ref().and_then(|jwk| jwk.x5c.first()), jws.x5c().map(<[String]>::first)) {
            (Some(der), _) => der.clone(),
            (None, Some(first)) => {
                first.and_then(|text| BASE64_STANDARD.decode(text).ok()).ok_or_else(|| {
                    TokenError::CertificateMalformed { why: "x5c is not standard base64".to_owned() }
                })?
            }
            (None, None) if jwk.is_some() => return Err(TokenError::HeaderKeyUntrusted),
            (None, None) => {
                return Err(jws
                    .kid()
                    .map_or(TokenError::NoKeyNamed, |kid| TokenError::UnknownKey { kid: shown(kid) }));
            }
        };
        if self.certificates.is_empty() {
            // No certificate is trusted at all: it is the header's word alone.
            return Err(TokenError::HeaderKeyUntrusted);
        }
        let certificate = SigningCertificate::from_der(&der)?;
        if jwk.is_some_and(|jwk| jwk.material != *certificate.key().material()) {
            return Err(TokenError::CertificateKeyDiffers);
        }
        certificate.check_trust(&self.certificates, now)?;
        Ok(certificate)
    }
}
