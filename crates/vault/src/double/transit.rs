//! The transit engine: AES-256-GCM keys with versions.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use axum::http::Method;
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::Request;
use super::answer::{data, failed, missing, no_route};

const NONCE: usize = 12;

/// The keys; version 1 is the first of each.
pub(super) struct TransitKeys(BTreeMap<String, Vec<LessSafeKey>>);

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "no random bytes".to_owned())?;
    Ok(bytes)
}

fn new_key() -> Result<LessSafeKey, String> {
    let key = UnboundKey::new(&AES_256_GCM, &random::<32>()?).map_err(|_| "no key".to_owned())?;
    Ok(LessSafeKey::new(key))
}

impl TransitKeys {
    pub(super) fn new(names: &[String]) -> Result<Self, String> {
        let keys = names.iter().map(|name| Ok((name.clone(), vec![new_key()?])));
        keys.collect::<Result<_, String>>().map(TransitKeys)
    }

    pub(super) fn rotate(&mut self, name: &str) -> Result<(), String> {
        let key = new_key()?;
        self.0.get_mut(name).ok_or_else(|| format!("no key {name:?}"))?.push(key);
        Ok(())
    }

    pub(super) fn answer(&mut self, request: &Request<'_>, rest: &str) -> Response {
        let Some((what, name)) = rest.split_once('/') else { return no_route(request.path) };
        let text = |member: &str| request.body.get(member).and_then(Value::as_str).unwrap_or_default();
        match what {
            "keys" if *request.method == Method::GET => self.shown(name),
            "encrypt" if request.writes() => {
                // As Vault does for whoever may create keys.
                if !self.0.contains_key(name)
                    && let Ok(key) = new_key()
                {
                    self.0.insert(name.to_owned(), vec![key]);
                }
                match self.encrypt(name, text("plaintext")) {
                    Ok((ciphertext, version)) => {
                        data(json!({ "ciphertext": ciphertext, "key_version": version }))
                    }
                    Err(error) => failed(400, &error),
                }
            }
            "decrypt" if request.writes() => match self.decrypt(name, text("ciphertext")) {
                Ok(plaintext) => data(json!({ "plaintext": plaintext })),
                Err(error) => failed(400, &error),
            },
            _ => no_route(request.path),
        }
    }

    fn shown(&self, name: &str) -> Response {
        let Some(versions) = self.0.get(name) else { return missing() };
        let keys: BTreeMap<String, u64> =
            (1..=versions.len()).map(|version| (version.to_string(), 1_767_225_600)).collect();
        data(json!({
            "allow_plaintext_backup": false, "auto_rotate_period": 0, "deletion_allowed": false, "derived": false,
            "exportable": false, "imported_key": false, "keys": keys, "latest_version": versions.len(),
            "min_available_version": 0, "min_decryption_version": 1, "min_encryption_version": 0, "name": name,
            "supports_decryption": true, "supports_derivation": true, "supports_encryption": true,
            "supports_signing": false, "type": "aes256-gcm96",
        }))
    }

    fn encrypt(&self, name: &str, plaintext: &str) -> Result<(String, usize), String> {
        let versions = self.0.get(name).ok_or("encryption key not found")?;
        let key = versions.last().ok_or("encryption key not found")?;
        let mut bytes =
            BASE64_STANDARD.decode(plaintext).map_err(|_| "failed to base64-decode plaintext".to_owned())?;
        let nonce = random::<NONCE>()?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes)
            .map_err(|_| "cipher: encryption failed".to_owned())?;
        let text = BASE64_STANDARD.encode([nonce.as_slice(), &bytes].concat());
        Ok((format!("vault:v{}:{text}", versions.len()), versions.len()))
    }

    fn decrypt(&self, name: &str, ciphertext: &str) -> Result<String, String> {
        let versions = self.0.get(name).ok_or("encryption key not found")?;
        let rest = ciphertext.strip_prefix("vault:v").ok_or("invalid ciphertext: no prefix")?;
        let (version, text) = rest.split_once(':').ok_or("invalid ciphertext: wrong number of fields")?;
        let key = version.parse::<usize>().ok().and_then(|version| versions.get(version.checked_sub(1)?));
        let key = key.ok_or("invalid ciphertext: version is too new")?;
        let bytes =
            BASE64_STANDARD.decode(text).map_err(|_| "invalid ciphertext: could not decode base64")?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or("invalid ciphertext length")?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| "invalid ciphertext length")?;
        let mut sealed = sealed.to_vec();
        let opened = key
            .open_in_place(nonce, Aad::empty(), &mut sealed)
            .map_err(|_| "cipher: message authentication failed".to_owned())?;
        Ok(BASE64_STANDARD.encode(opened))
    }
}
