//! The own store.

use std::sync::Arc;

use assay_store::Store;
use assay_types::{Clock, ResourcePath, SecretBytes};
use async_trait::async_trait;

use crate::{BackendError, Secret, SecretBackend, SecretInfo};

/// The own store: every version, sealed with the key-encryption key.
pub struct StoreBackend {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl StoreBackend {
    /// A back end on an open store.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        StoreBackend { store, clock }
    }
}

#[async_trait]
impl SecretBackend for StoreBackend {
    fn name(&self) -> &'static str {
        "store"
    }

    async fn get(&self, path: &ResourcePath) -> Result<Option<Secret>, BackendError> {
        let stored = self.store.get_resource(path).await?;
        Ok(stored.map(|stored| Secret { value: stored.value, version: Some(stored.version) }))
    }

    async fn put(&self, path: &ResourcePath, value: &SecretBytes) -> Result<Option<u64>, BackendError> {
        Ok(Some(self.store.put_resource(path, value, self.clock.now()).await?))
    }

    async fn delete(&self, path: &ResourcePath) -> Result<bool, BackendError> {
        Ok(self.store.delete_resource(path).await?)
    }

    async fn list(&self, prefix: Option<&str>) -> Result<Vec<SecretInfo>, BackendError> {
        let listed = self.store.list_resources(prefix).await?;
        let info = |info: assay_store::ResourceInfo| SecretInfo {
            path: info.path,
            version: Some(info.version),
            versions: Some(info.versions),
            created: Some(info.created),
            size: Some(info.size),
        };
        Ok(listed.into_iter().map(info).collect())
    }

    async fn check(&self) -> Result<(), BackendError> {
        Ok(self.store.ping().await?)
    }
}
