//! The text, taken apart; nothing of it is verified yet.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use assay_types::ResourceUri;

use crate::error::shown;
use crate::{Payload, SealedSecretError, VerificationKey, unambiguous};

/// The longest text that is looked at, in bytes.
pub const MAX_TEXT_BYTES: usize = 4 << 20;

/// The longest name of a key, in bytes: that of a resource URI.
pub const MAX_KID_BYTES: usize = ResourceUri::MAX_LEN;

/// The longest header, in characters of base64url.
const MAX_HEADER_CHARS: usize = 16 << 10;

/// The length of a signature, `r || s`.
const SIGNATURE_LEN: usize = 64;

/// The four parts of a text, the first being `sealed`.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// `<header>.<payload>`
    signing_input: &'a str,
}

fn form(why: impl Into<String>) -> SealedSecretError {
    SealedSecretError::Form { why: why.into() }
}

impl<'a> Parts<'a> {
    /// White space at the end is passed over: Kubernetes secrets are often made from files that end with a
    /// newline.
    fn of(text: &'a str) -> Result<Self, SealedSecretError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(too_large("text", text.len(), MAX_TEXT_BYTES));
        }
        let text = text.trim_ascii_end();
        let jws = text.strip_prefix("sealed.").ok_or_else(|| form("it does not begin with \"sealed.\""))?;
        let dots = jws.bytes().filter(|byte| *byte == b'.').count();
        let (Some((signing_input, signature)), 2) = (jws.rsplit_once('.'), dots) else {
            let found = dots.saturating_add(2);
            return Err(form(format!("it has {found} parts separated by dots; it must have four")));
        };
        let (header, payload) = signing_input.split_once('.').ok_or_else(|| form("a part is missing"))?;
        Ok(Parts { header, payload, signature, signing_input })
    }
}

fn too_large(part: &'static str, found: usize, max: usize) -> SealedSecretError {
    SealedSecretError::TooLarge { part, found, max }
}

/// Base64url without padding, strictly: each byte string has one encoding only.
fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, SealedSecretError> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| {
        let why = if text.contains('=') {
            "it has padding; leave the characters = away"
        } else if text.contains(['+', '/']) {
            "it has + or /, which base64url writes - and _"
        } else if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            "it has white space within; write it on one line"
        } else {
            "it has other characters, or is cut off"
        };
        SealedSecretError::Encoding { part, expected: "base64url without padding", why }
    })
}

/// Whether a JSON member is there, whatever its value, `null` included.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Present(true))
    }
}

/// The members of the header that matter; others are passed over (RFC 7515, section 4).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    crit: Present,
}

/// Gives the header's `kid`.
fn read_header(text: &str) -> Result<String, SealedSecretError> {
    if text.len() > MAX_HEADER_CHARS {
        return Err(too_large("header", text.len(), MAX_HEADER_CHARS));
    }
    let json = decode("header", text)?;
    unambiguous::check(&json).map_err(|why| SealedSecretError::Header { why })?;
    let header: Header = serde_json::from_slice(&json)
        .map_err(|error| SealedSecretError::Header { why: shown(&error.to_string()) })?;
    if header.alg != "ES256" {
        return Err(SealedSecretError::Algorithm { found: shown(&header.alg) });
    }
    if header.crit.0 {
        return Err(SealedSecretError::Critical);
    }
    let kid = header.kid.unwrap_or_default();
    check_kid(&kid)?;
    Ok(kid)
}

/// Whether `kid` can name a key.
pub(crate) fn check_kid(kid: &str) -> Result<(), SealedSecretError> {
    if kid.len() > MAX_KID_BYTES {
        return Err(too_large("kid", kid.len(), MAX_KID_BYTES));
    }
    let why = if kid.is_empty() {
        "it is missing or empty; the agent finds the verification key by it"
    } else if kid.chars().any(char::is_control) {
        "it has control characters"
    } else {
        return key_of_resource(kid);
    };
    Err(SealedSecretError::KeyName { why: why.to_owned() })
}

/// A key that the key broker keeps is a secret of it. Other plugins answer what their query says, so that
/// whoever chooses the `kid` would choose the key.
fn key_of_resource(kid: &str) -> Result<(), SealedSecretError> {
    let Ok(uri) = kid.parse::<ResourceUri>() else { return Ok(()) };
    uri.resource_path().map_err(|why| SealedSecretError::NotASecret {
        member: "kid",
        found: shown(kid),
        why,
    })?;
    Ok(())
}

/// A sealed secret in its parts, nothing verified.
pub struct Unverified<'a> {
    kid: String,
    signing_input: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unverified(kid {:?}, {} bytes of payload)", self.kid, self.payload.len())
    }
}

impl<'a> Unverified<'a> {
    /// Takes a text apart. White space at its end is passed over, anywhere else it is refused.
    ///
    /// # Errors
    /// [`SealedSecretError::Form`], [`SealedSecretError::TooLarge`], [`SealedSecretError::Encoding`];
    /// [`SealedSecretError::Header`], [`SealedSecretError::Algorithm`], [`SealedSecretError::Critical`] and
    /// [`SealedSecretError::KeyName`] for the header, [`SealedSecretError::NotASecret`] for a `kid` that is
    /// the URI of something else than a secret; [`SealedSecretError::Length`] for the signature.
    pub fn parse(text: &'a str) -> Result<Self, SealedSecretError> {
        let parts = Parts::of(text)?;
        let kid = read_header(parts.header)?;
        let payload = decode("payload", parts.payload)?;
        let signature = decode("signature", parts.signature)?;
        if signature.len() != SIGNATURE_LEN {
            return Err(SealedSecretError::Length {
                what: "the signature (r, then s)",
                expected: SIGNATURE_LEN,
                found: signature.len(),
            });
        }
        Ok(Unverified { kid, signing_input: parts.signing_input, payload, signature })
    }

    /// The name of the key that is said to have signed: the URI of a secret (plugin `resource`), or the name
    /// of a file. 1 to [`MAX_KID_BYTES`] bytes without control characters. Whoever made the text chose it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Verifies the signature, then reads the payload.
    ///
    /// # Errors
    /// [`SealedSecretError::Signature`]; those of a payload.
    pub fn verify(&self, key: &VerificationKey) -> Result<Payload, SealedSecretError> {
        if !key.holds(self.signing_input.as_bytes(), &self.signature) {
            return Err(SealedSecretError::Signature { kid: shown(&self.kid) });
        }
        Payload::read(&self.payload)
    }
}

/// The payload of a text **whoever made it**: header and signature are not looked at, so that the idiom
/// `sealed.fakejwsheader.<payload>.fakesignature` is taken too. For showing a text to a person, and for an
/// agent whose configuration says so.
///
/// # Errors
/// [`SealedSecretError::Form`], [`SealedSecretError::TooLarge`], [`SealedSecretError::Encoding`]; those of a
/// payload.
pub fn parse_without_verification_danger(text: &str) -> Result<Payload, SealedSecretError> {
    Payload::read(&decode("payload", Parts::of(text)?.payload)?)
}
