//! A store on a throw-away file, and the time.

#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use assay_access::{ADMIN_KEY_FILE, ADMIN_KEY_PURPOSE, AdminKey, AdminKeys, Authority, ClientRule};
use assay_store::{KeyEncryptionKey, KeyRecord, Store, StoreOptions};
use assay_types::{Clock as _, Coded as _, FixedClock, UnixTime};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;

pub const NOW: UnixTime = UnixTime(1_800_000_000);
pub const HERE: &str = "here";

pub struct Place {
    folder: tempfile::TempDir,
    pub clock: Arc<FixedClock>,
}

impl Place {
    pub fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), clock: Arc::new(FixedClock::new(NOW)) }
    }

    /// A store of its own on the one file: another process, as far as one process can play it.
    pub async fn open(&self) -> Store {
        let database = self.folder.path().join("assay.db");
        let key_encryption_key = KeyEncryptionKey::from_bytes([1; 32]);
        Store::open(StoreOptions { database, key_encryption_key }).await.unwrap()
    }

    pub async fn load(&self, store: &Store) -> Arc<AdminKeys> {
        Arc::new(AdminKeys::load(store.clone(), self.clock.clone()).await.unwrap())
    }

    /// Keys, and who is trusted because of them.
    pub async fn authority(&self, store: &Store, clients: Vec<ClientRule>) -> Authority {
        Authority::new(self.load(store).await, HERE, clients).unwrap()
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join(ADMIN_KEY_FILE)
    }

    /// Writes the file of an earlier release.
    pub fn write_file(&self, key: &AdminKey, mode: u32) {
        let pkcs8 = BASE64_STANDARD.encode(key.to_pkcs8().unwrap().expose());
        fs::write(self.file(), json!({"algorithm": "ES256", "pkcs8": pkcs8}).to_string()).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub async fn import(&self, store: &Store) -> Result<bool, assay_access::AdminKeyError> {
        AdminKeys::import_file(store, self.clock.as_ref(), &self.file()).await
    }

    /// What becomes of a token: nothing, or the code of its refusal.
    pub fn refusal(&self, authority: &Authority, token: &str) -> &'static str {
        authority.identify(Some(token), None, self.clock.now()).err().map_or("", |error| error.code())
    }
}

/// The ids of the admin keys in the store, the newest first.
pub async fn kids(store: &Store) -> Vec<String> {
    records(store).await.into_iter().map(|record| record.kid).collect()
}

pub async fn records(store: &Store) -> Vec<KeyRecord> {
    store.keys(ADMIN_KEY_PURPOSE).await.unwrap()
}
