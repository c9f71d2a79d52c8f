//! The server's half: a secret for a guest's key.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::RsaPublicKeyComponents;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use assay_types::{Response, TeePubKey};

use super::content::{self, ContentKey};
use super::wrap::{self, WrappingKey};
use super::{A256GCM, ECDH_ES_A256KW, JweError, MAX_PLAINTEXT_BYTES, RSA_OAEP_256, RSA1_5, concat_kdf};
use crate::error::shown;
use crate::{Curve, base64url};

/// The protected header. Members are written in this order.
#[derive(Serialize)]
struct Header {
    alg: &'static str,
    enc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    epk: Option<EphemeralKey>,
}

/// The ephemeral key. Members are written in this order.
#[derive(Serialize)]
struct EphemeralKey {
    crv: &'static str,
    kty: &'static str,
    x: String,
    y: String,
}

/// Reads the guest's public key from the JSON in a token's claims.
///
/// # Errors
/// [`JweError::UnsupportedKey`] for an unknown `kty`, [`JweError::InvalidKey`] when members are
/// missing or no texts. Whether the key can be used shows in [`encrypt`].
pub fn read_tee_public_key(value: &Value) -> Result<TeePubKey, JweError> {
    match value.get("kty").and_then(Value::as_str) {
        Some("EC" | "RSA") => TeePubKey::deserialize(value)
            .map_err(|_| JweError::InvalidKey { why: "a member is missing or no text" }),
        Some(other) => Err(JweError::UnsupportedKey { kind: shown(other) }),
        None => Err(JweError::InvalidKey { why: "it has no kty" }),
    }
}

/// Encrypts `plaintext` for the guest that holds the private half of `key`, with a new content key,
/// nonce and ephemeral key. The randomness is the cryptographic library's own.
///
/// # Errors
/// [`JweError::UnsupportedKey`], [`JweError::UnsupportedAlgorithm`], [`JweError::Rsa15Refused`],
/// [`JweError::InvalidKey`], [`JweError::RsaKeySize`]; [`JweError::TooLarge`] for more than
/// [`MAX_PLAINTEXT_BYTES`]; [`JweError::Cryptography`].
pub fn encrypt(key: &TeePubKey, plaintext: &[u8]) -> Result<Response, JweError> {
    if plaintext.len() > MAX_PLAINTEXT_BYTES {
        return Err(JweError::TooLarge {
            part: "plaintext",
            found: plaintext.len(),
            limit: MAX_PLAINTEXT_BYTES,
        });
    }
    let content_key = content::random_key()
        .map_err(|_| JweError::Cryptography { operation: "generating a content key" })?;
    let (header, encrypted_key) = match key {
        TeePubKey::EC { crv, alg, x, y } => {
            expect_algorithm(ECDH_ES_A256KW, alg)?;
            let curve = Curve::from_name(crv).ok_or_else(|| JweError::UnsupportedKey { kind: shown(crv) })?;
            for_curve(curve, x, y, &content_key)?
        }
        TeePubKey::RSA { alg, n, e } => {
            expect_algorithm(RSA_OAEP_256, alg)?;
            let header = Header { alg: RSA_OAEP_256, enc: A256GCM, epk: None };
            (header, for_rsa(n, e, &content_key)?)
        }
    };
    let header = serde_json::to_vec(&header).map_err(|e| JweError::Header { why: e.to_string() })?;
    let protected = base64url::encode(header);
    let sealed = content::seal(&content_key, &protected, plaintext)
        .map_err(|_| JweError::Cryptography { operation: "encrypting" })?;
    Ok(Response {
        protected,
        encrypted_key: base64url::encode(encrypted_key),
        iv: base64url::encode(sealed.iv),
        ciphertext: base64url::encode(sealed.ciphertext),
        tag: base64url::encode(sealed.tag),
    })
}

fn expect_algorithm(expected: &'static str, found: &str) -> Result<(), JweError> {
    match found {
        RSA1_5 => Err(JweError::Rsa15Refused),
        _ if found == expected => Ok(()),
        _ => Err(JweError::UnsupportedAlgorithm { expected, found: shown(found) }),
    }
}

fn for_curve(
    curve: Curve,
    x: &str,
    y: &str,
    content_key: &ContentKey,
) -> Result<(Header, Vec<u8>), JweError> {
    let failed = |_| JweError::Cryptography { operation: "agreeing on a key" };
    let coordinate =
        |text| base64url::decode(text).ok_or(JweError::InvalidKey { why: "x or y is not base64url" });
    let point = curve
        .join(&coordinate(x)?, &coordinate(y)?)
        .ok_or(JweError::InvalidKey { why: "x or y is not as long as the field" })?;
    let ephemeral = PrivateKey::generate(curve.agreement()).map_err(failed)?;
    let ephemeral_public = ephemeral.compute_public_key().map_err(failed)?;
    let mut wrapping = WrappingKey::new([0; 32]);
    agree(
        &ephemeral,
        UnparsedPublicKey::new(curve.agreement(), point),
        JweError::InvalidKey { why: "the point is not on its curve" },
        |z| concat_kdf::derive(z, ECDH_ES_A256KW, b"", b"", wrapping.as_mut_slice()).map_err(failed),
    )?;
    let wrapped = wrap::wrap(&wrapping, content_key)
        .map_err(|_| JweError::Cryptography { operation: "wrapping a key" })?;
    let (x, y) = curve
        .split(ephemeral_public.as_ref())
        .ok_or(JweError::Cryptography { operation: "writing an ephemeral key" })?;
    let epk =
        EphemeralKey { crv: curve.as_str(), kty: "EC", x: base64url::encode(x), y: base64url::encode(y) };
    Ok((Header { alg: ECDH_ES_A256KW, enc: A256GCM, epk: Some(epk) }, wrapped.to_vec()))
}

fn for_rsa(n: &str, e: &str, content_key: &ContentKey) -> Result<Vec<u8>, JweError> {
    let component =
        |text| base64url::decode(text).ok_or(JweError::InvalidKey { why: "n or e is not base64url" });
    let (n, e) = (component(n)?, component(e)?);
    let bits = bit_length(&n);
    if !(2048..=8192).contains(&bits) {
        return Err(JweError::RsaKeySize { bits });
    }
    let unusable = |_| JweError::InvalidKey { why: "n and e are no RSA key" };
    let key: PublicEncryptingKey = RsaPublicKeyComponents { n, e }.try_into().map_err(unusable)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(unusable)?;
    let mut encrypted = vec![0; key.ciphertext_size()];
    let length = key
        .encrypt(&OAEP_SHA256_MGF1SHA256, content_key.as_slice(), &mut encrypted, None)
        .map_err(unusable)?
        .len();
    encrypted.truncate(length);
    Ok(encrypted)
}

/// The number of bits of a big-endian number.
fn bit_length(number: &[u8]) -> usize {
    let significant = number.iter().skip_while(|byte| **byte == 0);
    let leading_zeros = significant.clone().next().map_or(0, |byte| byte.leading_zeros());
    let bits = significant.count().saturating_mul(8);
    bits.saturating_sub(usize::try_from(leading_zeros).unwrap_or(0))
}
