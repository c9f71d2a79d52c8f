//! HashiCorp Vault's KV engine.
//!
//! A resource is the secret `<prefix>/<repository>/<type>/<tag>` of the engine, and its value stands in
//! base64 (RFC 4648, section 4) in the member [`VAULT_MEMBER`]. That is where Trustee's Vault plugin puts
//! it and looks for it (KV version 1, without a prefix), so that one and the same Vault serves both.
//! Other members are left alone by reading; writing makes a new secret, with this member only.

use std::sync::Arc;
use std::time::Duration;

use assay_types::{ResourcePath, SecretBytes};
use assay_vault::{Entry, Kv, KvSecret, SecretText, VaultClient, VaultError, VaultPath};
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::backend::MAX_LISTED;
use crate::{BackendError, Secret, SecretBackend, SecretInfo};

/// The member of a secret in Vault that holds the value.
pub const VAULT_MEMBER: &str = "data";

/// The largest value, in bytes. Vault and its storage may take less and then say so.
const MAX_VALUE: usize = 16 << 20;

/// The most folders that one listing looks into.
const MAX_FOLDERS: usize = 1_000;

/// For how long a good answer to the readiness check counts, so that whoever asks often does not make
/// Vault busy.
const CHECK_COUNTS: Duration = Duration::from_secs(1);

/// A KV engine of Vault.
pub struct VaultBackend {
    client: Arc<VaultClient>,
    kv: Kv,
    prefix: Option<VaultPath>,
    /// When it was last found ready. Held while it is asked, so that it is asked once at a time.
    good: Mutex<Option<Instant>>,
}

impl VaultBackend {
    /// A back end on an engine; `prefix` is the folder within it, if any.
    pub fn new(client: Arc<VaultClient>, kv: Kv, prefix: Option<VaultPath>) -> Self {
        VaultBackend { client, kv, prefix, good: Mutex::new(None) }
    }

    /// The path below the prefix.
    fn below(&self, rest: &str) -> Result<VaultPath, VaultError> {
        match &self.prefix {
            Some(prefix) => prefix.below(rest),
            None => VaultPath::new(rest, "path"),
        }
    }

    /// The names in the folder `<prefix>/<base>` that lead to paths with this beginning. `base` is empty or
    /// ends with a slash.
    async fn names(
        &self,
        base: &str,
        beginning: &str,
        folders: bool,
        looked_into: &mut usize,
    ) -> Result<Vec<String>, BackendError> {
        let rest = beginning.strip_prefix(base).unwrap_or_default();
        if folders && let Some((name, _)) = rest.split_once('/') {
            // The beginning names the segment whole.
            return Ok(vec![name.to_owned()]);
        }
        *looked_into += 1;
        if *looked_into > MAX_FOLDERS {
            return Err(BackendError::TooMany { backend: self.name(), limit: MAX_FOLDERS });
        }
        let folder = match (base, &self.prefix) {
            ("", None) => None,
            ("", Some(prefix)) => Some(prefix.clone()),
            (base, _) => match self.below(base) {
                Ok(folder) => Some(folder),
                // What cannot be a path has nothing below it.
                Err(_) => return Ok(Vec::new()),
            },
        };
        let entries = self.kv.list(folder.as_ref()).await?;
        let wanted = |entry: Entry| match entry {
            Entry::Folder(name) if folders => Some(name),
            Entry::Secret(name) if !folders => Some(name),
            _ => None,
        };
        Ok(entries.into_iter().filter_map(wanted).filter(|name| name.starts_with(rest)).collect())
    }
}

fn value(path: &ResourcePath, secret: &KvSecret) -> Result<SecretBytes, BackendError> {
    let text = secret.text(VAULT_MEMBER).ok_or_else(|| BackendError::NoMember {
        path: path.to_string(),
        member: VAULT_MEMBER,
        found: secret.names().take(16).map(|name| name.chars().take(64).collect()).collect(),
    })?;
    let not_base64 = || BackendError::NotBase64 { path: path.to_string(), member: VAULT_MEMBER };
    // `base64` of the shell, which people write values with, ends with a line break.
    let bytes = BASE64_STANDARD.decode(text.expose().trim_ascii_end()).map_err(|_| not_base64())?;
    Ok(SecretBytes::new(bytes))
}

#[async_trait]
impl SecretBackend for VaultBackend {
    fn name(&self) -> &'static str {
        "vault"
    }

    async fn get(&self, path: &ResourcePath) -> Result<Option<Secret>, BackendError> {
        let Some(secret) = self.kv.read(&self.below(path.as_str())?).await? else { return Ok(None) };
        Ok(Some(Secret { value: value(path, &secret)?, version: secret.version }))
    }

    async fn put(&self, path: &ResourcePath, value: &SecretBytes) -> Result<Option<u64>, BackendError> {
        let found = value.expose().len();
        if found > MAX_VALUE {
            return Err(BackendError::TooLarge { backend: self.name(), limit: MAX_VALUE, found });
        }
        let text = SecretText::new(BASE64_STANDARD.encode(value.expose()));
        Ok(self.kv.write(&self.below(path.as_str())?, VAULT_MEMBER, &text).await?)
    }

    async fn delete(&self, path: &ResourcePath) -> Result<bool, BackendError> {
        Ok(self.kv.delete(&self.below(path.as_str())?).await?)
    }

    async fn list(&self, prefix: Option<&str>) -> Result<Vec<SecretInfo>, BackendError> {
        let beginning = prefix.unwrap_or_default();
        let mut listed = Vec::new();
        let mut looked_into = 0;
        for repository in self.names("", beginning, true, &mut looked_into).await? {
            let repository = format!("{repository}/");
            for kind in self.names(&repository, beginning, true, &mut looked_into).await? {
                let kind = format!("{repository}{kind}/");
                for tag in self.names(&kind, beginning, false, &mut looked_into).await? {
                    // Other programs may keep what is no resource beside ours.
                    let Ok(path) = format!("{kind}{tag}").parse() else { continue };
                    if listed.len() == MAX_LISTED {
                        return Err(BackendError::TooMany { backend: self.name(), limit: MAX_LISTED });
                    }
                    listed.push(SecretInfo {
                        path,
                        version: None,
                        versions: None,
                        created: None,
                        size: None,
                    });
                }
            }
        }
        listed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listed)
    }

    async fn check(&self) -> Result<(), BackendError> {
        let mut good = self.good.lock().await;
        if good.is_some_and(|good| good.elapsed() < CHECK_COUNTS) {
            return Ok(());
        }
        self.client.health().await?.ready()?;
        self.kv.check().await?;
        *good = Some(Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use assay_types::{FixedClock, UnixTime};
    use assay_vault::{KvVersion, VaultAuth, VaultSettings};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn backend(prefix: Option<&str>) -> VaultBackend {
        let auth = VaultAuth::Token { file: "token".into() };
        let settings = VaultSettings::new("https://vault.example", auth);
        let client = Arc::new(VaultClient::new(settings, Arc::new(FixedClock::new(UnixTime(0)))).unwrap());
        let kv = Kv::new(Arc::clone(&client), VaultPath::new("secret", "mount").unwrap(), KvVersion::V2);
        VaultBackend::new(client, kv, prefix.map(|prefix| VaultPath::new(prefix, "prefix").unwrap()))
    }

    proptest! {
        #[test]
        fn no_two_resources_have_one_place(texts in proptest::collection::vec("[a-b._-]{1,3}/[a-b._-]{1,3}/[a-b._-]{1,3}", 2..40)) {
            let resources: Vec<ResourcePath> = texts.iter().filter_map(|text| text.parse().ok()).collect();
            for prefix in [None, Some("assay"), Some("a/b")] {
                let backend = backend(prefix);
                let mut places = BTreeMap::new();
                for resource in &resources {
                    let place = backend.below(resource.as_str()).unwrap();
                    prop_assert!(!place.as_str().split('/').any(|s| s.is_empty() || s == "." || s == ".."));
                    let below = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
                    prop_assert!(place.as_str().starts_with(&below));
                    let before = places.insert(place, resource);
                    prop_assert_eq!(before.unwrap_or(resource), resource);
                }
            }
        }
    }
}
