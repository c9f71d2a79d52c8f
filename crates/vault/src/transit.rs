//! A key of the transit engine, to wrap keys with.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_types::SecretBytes;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::path::is_segment;
use crate::transport::{Answer, Ask, Body};
use crate::{SecretText, VaultClient, VaultError, VaultPath};

/// The longest ciphertext that is sent, in bytes.
const MAX_CIPHERTEXT: usize = 128 << 10;

/// A key of Vault's transit engine. It never leaves Vault: what is wrapped is sent there.
pub struct TransitKey {
    client: Arc<VaultClient>,
    mount: VaultPath,
    key: String,
    /// Whether Vault said that the key is there and can do both.
    confirmed: AtomicBool,
}

impl fmt::Debug for TransitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransitKey({})", self.name())
    }
}

impl TransitKey {
    /// The key `key` of the engine that is mounted at `mount`.
    ///
    /// # Errors
    /// [`VaultError::Setting`] where the name cannot be a key's.
    pub fn new(client: Arc<VaultClient>, mount: VaultPath, key: &str) -> Result<Self, VaultError> {
        if !is_segment(key) {
            let why = "it is not of A-Z a-z 0-9 _ - .".to_owned();
            return Err(VaultError::Setting { setting: "transit_key", why });
        }
        Ok(TransitKey { client, mount, key: key.to_owned(), confirmed: AtomicBool::new(false) })
    }

    /// Its name: `<mount>/keys/<key>`.
    pub fn name(&self) -> String {
        self.path("keys")
    }

    fn path(&self, what: &str) -> String {
        format!("{}/{what}/{}", self.mount, self.key)
    }

    /// Asks whether the key is there and can encrypt and decrypt without further input.
    ///
    /// # Errors
    /// [`VaultError::KeyNotFound`], [`VaultError::KeyUnfit`], [`VaultError::MountNotFound`] and what
    /// concerns Vault as a whole.
    pub async fn check(&self) -> Result<(), VaultError> {
        #[derive(Deserialize)]
        struct Key {
            #[serde(default)]
            derived: bool,
            supports_encryption: bool,
            supports_decryption: bool,
        }
        let name = self.name();
        let answer = self.client.ask(&Ask::get(&name)).await?;
        match answer.status {
            200 => {}
            404 => return Err(self.nothing(&answer)),
            _ => return Err(answer.refusal("read")),
        }
        let key: Key = answer.data()?;
        let unfit = |why| Err(VaultError::KeyUnfit { key: name.clone(), why });
        if !key.supports_encryption || !key.supports_decryption {
            return unfit("it does not encrypt and decrypt");
        }
        if key.derived {
            return unfit("it is derived: each use needs a context");
        }
        self.confirmed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Vault makes a key that is not there when it is asked to encrypt with it and the policy allows that;
    /// a slip in a name would then be a new key.
    async fn confirm(&self) -> Result<(), VaultError> {
        if self.confirmed.load(Ordering::Relaxed) { Ok(()) } else { self.check().await }
    }

    /// Encrypts; what comes back is the text `vault:v<version>:<base64>`.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn wrap(&self, secret: &SecretBytes) -> Result<Vec<u8>, VaultError> {
        #[derive(Deserialize)]
        struct Encrypted {
            ciphertext: String,
        }
        self.confirm().await?;
        let path = self.path("encrypt");
        let plaintext = Zeroizing::new(BASE64_STANDARD.encode(secret.expose()));
        let body = Body::of(&["{\"plaintext\":\"", &plaintext, "\"}"]);
        let answer = self.client.ask(&Ask::post(&path, body)).await?;
        match answer.status {
            200 => {}
            404 => return Err(self.nothing(&answer)),
            _ => return Err(answer.refusal("update")),
        }
        let Encrypted { ciphertext } = answer.data()?;
        if !is_ciphertext(&ciphertext) {
            let why = "the ciphertext is not vault:v<version>:<base64>".to_owned();
            return Err(VaultError::NotTheApi { path, why });
        }
        Ok(ciphertext.into_bytes())
    }

    /// Decrypts what [`TransitKey::wrap`] gave, under whichever version of the key.
    ///
    /// # Errors
    /// [`VaultError::NotDecrypted`] when it is of another key or was altered; [`VaultError`] else.
    pub async fn unwrap(&self, wrapped: &[u8]) -> Result<SecretBytes, VaultError> {
        #[derive(Deserialize)]
        struct Decrypted {
            plaintext: SecretText,
        }
        let not = |detail: String| VaultError::NotDecrypted { key: self.name(), detail };
        let text = std::str::from_utf8(wrapped).ok().filter(|text| is_ciphertext(text));
        let text = text.ok_or_else(|| not("it is not vault:v<version>:<base64>".to_owned()))?;
        self.confirm().await?;
        let path = self.path("decrypt");
        let body = Body::of(&["{\"ciphertext\":\"", text, "\"}"]);
        let answer = self.client.ask(&Ask::post(&path, body)).await?;
        match answer.status {
            200 => {}
            400 => return Err(not(answer.said())),
            404 => return Err(self.nothing(&answer)),
            _ => return Err(answer.refusal("update")),
        }
        let Decrypted { plaintext } = answer.data()?;
        match BASE64_STANDARD.decode(plaintext.expose()) {
            Ok(bytes) => Ok(SecretBytes::new(bytes)),
            Err(_) => Err(VaultError::NotTheApi { path, why: "the plaintext is not base64".to_owned() }),
        }
    }

    fn nothing(&self, answer: &Answer) -> VaultError {
        self.confirmed.store(false, Ordering::Relaxed);
        if let Err(error) = answer.check_not_found() {
            return error;
        }
        if answer.said().contains("no handler for route") {
            return VaultError::MountNotFound { mount: self.mount.to_string() };
        }
        VaultError::KeyNotFound { key: self.name() }
    }
}

/// `vault:v<version>:<base64>`, so that it needs no escapes in JSON.
fn is_ciphertext(text: &str) -> bool {
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let parts = text.strip_prefix("vault:v").and_then(|rest| rest.split_once(':'));
    text.len() <= MAX_CIPHERTEXT
        && parts.is_some_and(|(version, rest)| {
            !version.is_empty()
                && version.bytes().all(|b| b.is_ascii_digit())
                && !rest.is_empty()
                && rest.bytes().all(base64)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ciphertext_is_told_from_anything_else() {
        assert!(is_ciphertext("vault:v1:abcd+/=="));
        assert!(is_ciphertext("vault:v12:abcd"));
        for text in ["", "vault:v1:", "vault:v:abcd", "vault:v1", "vault:1:abcd", "vault:v1:ab\"cd", "x"] {
            assert!(!is_ciphertext(text), "{text}");
        }
        assert!(!is_ciphertext(&format!("vault:v1:{}", "a".repeat(MAX_CIPHERTEXT))));
    }
}
