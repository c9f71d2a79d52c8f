//! Sealing, the owner's side.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Map;

use assay_token::jwe::{content, wrap};
use assay_types::{ResourceUri, SecretBytes};

use crate::envelope::key32;
use crate::unverified::{MAX_TEXT_BYTES, check_kid};
use crate::{Envelope, Payload, Provider, SealedSecretError, SealingKey, Vault, WrapType};

/// The longest secret that is put into an envelope, in bytes. Base64 twice makes 16 bytes out of 9, and the
/// text must stay within [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES).
pub const MAX_SEALED_BYTES: usize = 2 << 20;

/// The length of the key-encryption key of an envelope with the provider `kbs`, in bytes.
pub const KEY_ENCRYPTION_KEY_LEN: usize = 32;

/// Seals the name of a secret. `kid` is what the agent finds the public key by: the URI of a resource, or the
/// name of a file in the guest.
///
/// # Errors
/// [`SealedSecretError::KeyName`]; [`SealedSecretError::Provider`], [`SealedSecretError::ResourceUri`],
/// [`SealedSecretError::ResourcePath`] or [`SealedSecretError::NotASecret`] when no agent could open it;
/// [`SealedSecretError::TooLarge`].
pub fn seal_vault(key: &SealingKey, kid: &str, vault: Vault) -> Result<String, SealedSecretError> {
    vault.resource()?;
    sign(key, kid, &Payload::Vault(vault))
}

/// Seals a secret under a fresh data key and iv (A256GCM). `key_id` is where the key broker has `kek`, the
/// key-encryption key of [`KEY_ENCRYPTION_KEY_LEN`] bytes.
///
/// # Errors
/// [`SealedSecretError::KeyName`], [`SealedSecretError::Length`] for the key,
/// [`SealedSecretError::NotASecret`] when no agent could open it, [`SealedSecretError::TooLarge`],
/// [`SealedSecretError::Cryptography`].
pub fn seal_envelope(
    key: &SealingKey,
    kid: &str,
    key_id: &ResourceUri,
    kek: &SecretBytes,
    secret: &SecretBytes,
) -> Result<String, SealedSecretError> {
    let found = secret.expose().len();
    if found > MAX_SEALED_BYTES {
        return Err(SealedSecretError::TooLarge { part: "secret", found, max: MAX_SEALED_BYTES });
    }
    let kek = key32("the key-encryption key", kek)?;
    let failed = |_| SealedSecretError::Cryptography { operation: "encrypting the secret" };
    let data_key = content::random_key().map_err(failed)?;
    let sealed = content::seal(&data_key, "", secret.expose()).map_err(failed)?;
    let encrypted_key = wrap::wrap(&kek, &data_key).map_err(failed)?.to_vec();
    let mut encrypted_data = sealed.ciphertext;
    encrypted_data.extend_from_slice(&sealed.tag);
    let envelope = Envelope {
        key_id: key_id.to_string(),
        encrypted_key,
        encrypted_data,
        wrap_type: WrapType::A256Gcm,
        iv: sealed.iv.to_vec(),
        provider: Provider::kbs(),
        provider_settings: Map::new(),
        annotations: Map::new(),
    };
    envelope.key_resource()?;
    sign(key, kid, &Payload::Envelope(envelope))
}

/// Signs a payload. What is written can be read again by the same bounds.
fn sign(key: &SealingKey, kid: &str, payload: &Payload) -> Result<String, SealedSecretError> {
    #[derive(Serialize)]
    struct Header<'a> {
        alg: &'static str,
        kid: &'a str,
    }
    check_kid(kid)?;
    let header = serde_json::to_vec(&Header { alg: "ES256", kid })
        .map_err(|error| SealedSecretError::KeyName { why: error.to_string() })?;
    let json = payload.write()?;
    Payload::read(&json)?;
    let mut signing_input = BASE64_URL_SAFE_NO_PAD.encode(header);
    signing_input.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(json, &mut signing_input);
    let signature = key.sign(signing_input.as_bytes())?;
    let text = format!("sealed.{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()));
    if text.len() > MAX_TEXT_BYTES {
        return Err(SealedSecretError::TooLarge { part: "text", found: text.len(), max: MAX_TEXT_BYTES });
    }
    Ok(text)
}
