//! The compact form of JWS (RFC 7515, section 7.1), read strictly.

use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::shown;
use crate::{Algorithm, TokenError, VerifyingKey, base64url};

/// The longest token that is read or issued, in characters.
pub const MAX_TOKEN_BYTES: usize = 1024 * 1024;

/// The longest header that is read, in characters; three certificates of RSA 4096 fit.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Whether a JSON member is there, whatever its value, `null` included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Present(pub(crate) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Present(true))
    }
}

/// The header's members that matter.
#[derive(Deserialize)]
struct WireHeader {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    jwk: Option<Box<RawValue>>,
    x5c: Option<Vec<String>>,
    #[serde(default)]
    crit: Present,
}

/// A token in its parts. Nothing of it is verified yet.
pub struct CompactJws<'a> {
    signing_input: &'a str,
    algorithm: Algorithm,
    header: WireHeader,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl fmt::Debug for CompactJws<'_> {
    /// No signature and no payload: a token is a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactJws({}, kid {:?}, {} bytes)", self.algorithm, self.kid(), self.payload.len())
    }
}

fn malformed(why: &'static str) -> TokenError {
    TokenError::Malformed { why }
}

/// The three parts, within the limits.
fn split(token: &str) -> Result<(&str, &str, &str), TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLarge { part: "token", found: token.len(), limit: MAX_TOKEN_BYTES });
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("it must have three parts separated by dots"));
    };
    if header.len() > MAX_HEADER_BYTES {
        return Err(TokenError::TooLarge { part: "header", found: header.len(), limit: MAX_HEADER_BYTES });
    }
    Ok((header, payload, signature))
}

impl<'a> CompactJws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`TokenError::Malformed`], [`TokenError::TooLarge`], [`TokenError::Header`],
    /// [`TokenError::UnsupportedAlgorithm`], [`TokenError::CriticalHeader`].
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (header, payload, signature) = split(token)?;
        // Up to the second dot.
        let end = header.len().saturating_add(payload.len()).saturating_add(1);
        let signing_input = token.get(..end).ok_or_else(|| malformed("it must be ASCII"))?;
        let header = base64url::decode(header).ok_or_else(|| malformed("the header is not base64url"))?;
        let payload = base64url::decode(payload).ok_or_else(|| malformed("the payload is not base64url"))?;
        let signature =
            base64url::decode(signature).ok_or_else(|| malformed("the signature is not base64url"))?;
        let header: WireHeader =
            serde_json::from_slice(&header).map_err(|e| TokenError::Header { why: e.to_string() })?;
        let algorithm = Algorithm::from_name(&header.alg)
            .ok_or_else(|| TokenError::UnsupportedAlgorithm { alg: shown(&header.alg) })?;
        if header.crit.0 {
            return Err(TokenError::CriticalHeader);
        }
        Ok(CompactJws { signing_input, algorithm, header, payload, signature })
    }

    /// The header's `alg`.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The header's `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The header's `typ`.
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// The header's `jwk`, as JSON text.
    pub(crate) fn jwk(&self) -> Option<&str> {
        self.header.jwk.as_deref().map(RawValue::get)
    }

    /// The header's own `x5c`: standard base64 of DER.
    pub(crate) fn x5c(&self) -> Option<&[String]> {
        self.header.x5c.as_deref()
    }

    /// Verifies the signature and gives the payload.
    ///
    /// # Errors
    /// [`TokenError::AlgorithmMismatch`], [`TokenError::BadSignature`].
    pub fn verify(&self, key: &VerifyingKey) -> Result<&[u8], TokenError> {
        key.verify(self.algorithm, self.signing_input.as_bytes(), &self.signature)?;
        Ok(&self.payload)
    }
}

/// The header and the claims of a token, **nothing verified**: for showing a token to a human, or
/// for a client that asks when its own token ends.
///
/// # Errors
/// [`TokenError::Malformed`], [`TokenError::TooLarge`]; [`TokenError::Header`] and
/// [`TokenError::Claims`] when a part is no JSON object.
pub fn decode_unverified(token: &str) -> Result<(Value, Value), TokenError> {
    let (header, payload, _) = split(token)?;
    let header = base64url::decode(header).ok_or_else(|| malformed("the header is not base64url"))?;
    let payload = base64url::decode(payload).ok_or_else(|| malformed("the payload is not base64url"))?;
    let object = |bytes: &[u8]| match serde_json::from_slice::<Value>(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("not a JSON object".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    Ok((
        object(&header).map_err(|why| TokenError::Header { why })?,
        object(&payload).map_err(|why| TokenError::Claims { why })?,
    ))
}
