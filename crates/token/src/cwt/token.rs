//! CWTs signed and verified.

use assay_cbor::{CborError, Limits, Problem, Value as Cbor, read};
use assay_cose::{Algorithm as CoseAlgorithm, CoseError, LIMITS, Sign1, header, sign1};
use assay_types::UnixTime;
use serde_json::Value;

use super::json::cut;
use crate::error::shown;
use crate::{
    Algorithm, EarClaims, EarDialect, Issuer, MAX_TOKEN_BYTES, SigningAlgorithm, TokenError, TokenVerifier,
    VerifiedToken,
};

/// The type in the header of the tokens that we sign (RFC 9782).
const TYPE: &str = "application/eat+cwt";

/// The types that are accepted where the header has one: their names, and their numbers as content formats
/// of CoAP (RFC 8392, 9.2; RFC 9782, 6.3).
const TYPES: [(&str, u64); 2] = [(TYPE, 263), ("application/cwt", 61)];

/// The tag of a CWT (RFC 8392, section 6), which may stand before that of its COSE message.
const TAG_CWT: u64 = 61;

/// What the claims may be at the most. They nest deeper than the message around them.
const CLAIM_LIMITS: Limits = Limits { bytes: MAX_TOKEN_BYTES, depth: 32, items: 1 << 16 };

impl EarClaims {
    /// The claims as an encoded map in CBOR, under the profile of [`EarDialect::Ietf`]: the payload of a CWT.
    /// The encoding is deterministic (RFC 8949, 4.2.1).
    ///
    /// # Errors
    /// As [`EarClaims::to_value`]; also [`TokenError::Unserialisable`] when the raw evidence or a key
    /// attestation is not base64url, or when the claims have more than 32 levels or 65 536 items, and
    /// [`TokenError::TooLarge`].
    pub fn to_cwt_claims(&self) -> Result<Vec<u8>, TokenError> {
        let unserialisable = |why: String| TokenError::Unserialisable { why };
        let claims = self.to_value(EarDialect::Ietf)?;
        let encoded = super::write::claims(&claims).map_err(unserialisable)?.encode();
        // What nobody would read is not signed.
        match read(&encoded, CLAIM_LIMITS) {
            Ok(_) => Ok(encoded),
            Err(CborError { problem: Problem::TooLong { limit, found }, .. }) => {
                Err(TokenError::TooLarge { part: "token", found, limit })
            }
            Err(error) => Err(unserialisable(error.to_string())),
        }
    }

    /// Reads the payload of a verified CWT.
    ///
    /// # Errors
    /// [`TokenError::Claims`] when it is no such map in CBOR, and as [`EarClaims::from_value`].
    pub fn from_cwt_claims(payload: &[u8]) -> Result<Self, TokenError> {
        EarClaims::from_value(&json_claims(payload)?)
    }
}

/// The claims of a CWT as JSON with dotted names.
fn json_claims(payload: &[u8]) -> Result<Value, TokenError> {
    let wrong = |why: String| TokenError::Claims { why };
    let map = read(payload, CLAIM_LIMITS).map_err(|error| wrong(error.to_string()))?;
    EarClaims::normalised(super::read::claims(&map).map_err(wrong)?)
}

impl Issuer {
    /// Signs claims as a CWT, under the profile of [`EarDialect::Ietf`]. Certificates do not go along: the
    /// verifier must know the key.
    ///
    /// # Errors
    /// As [`EarClaims::to_cwt_claims`]; [`TokenError::Cryptography`].
    pub fn sign_cwt(&self, claims: &EarClaims) -> Result<Vec<u8>, TokenError> {
        let key = self.key();
        let alg = match key.algorithm() {
            SigningAlgorithm::Es256 => CoseAlgorithm::Es256,
            SigningAlgorithm::Es384 => CoseAlgorithm::Es384,
        };
        let protected = vec![
            (header::ALG.into(), alg.id().into()),
            (header::KID.into(), key.kid().as_bytes().into()),
            (header::TYP.into(), TYPE.into()),
        ];
        let token = sign1(protected, Vec::new(), &claims.to_cwt_claims()?, |message| {
            key.sign(message).map(|signature| signature.as_ref().to_vec())
        })?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge { part: "token", found: token.len(), limit: MAX_TOKEN_BYTES });
        }
        Ok(token)
    }
}

impl TokenVerifier {
    /// Verifies a CWT at the time `now`: form, key, signature, then claims, by the rules for JWTs. The key
    /// is found by `kid` among the trusted keys, and in no other way: nothing that comes with the token is
    /// looked at. The claims are given as JSON with dotted names, as those of a JWT of Trustee; read
    /// them with [`EarClaims::from_value`].
    ///
    /// # Errors
    /// The first [`TokenError`] that applies.
    pub fn verify_cwt(&self, token: &[u8], now: UnixTime) -> Result<VerifiedToken, TokenError> {
        let message = parse(token)?;
        let algorithm = match message.algorithm().map_err(cose)? {
            CoseAlgorithm::Es256 => Algorithm::Es256,
            CoseAlgorithm::Es384 => Algorithm::Es384,
            CoseAlgorithm::Es512 => Algorithm::Es512,
        };
        check_type(&message)?;
        let kid = [message.protected(), message.unprotected()].into_iter().find_map(|h| h.get(header::KID));
        let kid = kid.ok_or(TokenError::NoKeyNamed)?;
        let kid = kid.as_bytes().ok_or_else(|| not_cwt(format!("kid is {}", kid.describe())))?;
        let name = std::str::from_utf8(kid).ok();
        let key = name.and_then(|name| self.key_named(name, algorithm)).ok_or_else(|| {
            TokenError::UnknownKey { kid: name.map_or_else(|| cut(&Cbor::from(kid)), shown) }
        })?;
        key.verify(algorithm, &message.signed_bytes(), message.signature())?;
        let claims = json_claims(message.payload())?;
        self.verified(claims, key, algorithm, now)
    }
}

/// Reads the message, with the tag of a CWT around it or without.
fn parse(token: &[u8]) -> Result<Sign1, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLarge { part: "token", found: token.len(), limit: MAX_TOKEN_BYTES });
    }
    let value = read(token, LIMITS).map_err(|error| not_cwt(error.to_string()))?;
    match value.as_tag() {
        Some((TAG_CWT, inner)) => Sign1::from_value(inner),
        _ => Sign1::from_value(&value),
    }
    .map_err(cose)
}

/// A type in the header must be that of a CWT (RFC 9596, section 2; RFC 8725, 3.11). The profile and other
/// parameters do not matter.
fn check_type(message: &Sign1) -> Result<(), TokenError> {
    let Some(found) = message.protected().get(header::TYP) else { return Ok(()) };
    let essence = found.as_text().map(|text| text.split(';').next().unwrap_or(text).trim());
    let known = TYPES.iter().any(|(name, number)| {
        found.as_u64() == Some(*number) || essence.is_some_and(|essence| essence.eq_ignore_ascii_case(name))
    });
    if known { Ok(()) } else { Err(TokenError::WrongType { found: cut(found) }) }
}

fn not_cwt(why: String) -> TokenError {
    TokenError::Cwt { why }
}

fn cose(error: CoseError) -> TokenError {
    match error {
        CoseError::Critical => TokenError::CriticalHeader,
        CoseError::UnsupportedAlgorithm { found } => TokenError::UnsupportedAlgorithm { alg: found },
        other => not_cwt(other.to_string()),
    }
}
