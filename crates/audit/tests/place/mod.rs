//! Where a store of a test is.

use assay_store::{KeyEncryptionKey, Store, StoreOptions};

/// A throw-away place that can be opened several times.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) async fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(StoreOptions {
            database: self.0.path().join("assay.db"),
            key_encryption_key: KeyEncryptionKey::load_or_create(&self.0.path().join("kek")).unwrap(),
        })
        .await
        .unwrap()
    }
}
