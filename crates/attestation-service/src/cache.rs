//! The store as the persistent cache of collateral.

use assay_collateral::{Cached, CollateralCache};
use assay_store::{CachedCollateral, Store};
use assay_types::Vendor;
use async_trait::async_trait;

/// Keeps collateral in the store, where it survives a restart.
#[derive(Clone)]
pub struct StoreCache(pub Store);

/// The vendor's name in the store.
fn name(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Amd => "amd",
        Vendor::Arm => "arm",
        Vendor::Intel => "intel",
        _ => "other",
    }
}

#[async_trait]
impl CollateralCache for StoreCache {
    async fn get(&self, vendor: Vendor, key: &str) -> Result<Option<Cached>, String> {
        let found = self.0.get_collateral(name(vendor), key).await.map_err(|error| error.to_string())?;
        Ok(found.map(|item| Cached { bytes: item.bytes.into(), fetched: item.fetched }))
    }

    async fn put(&self, vendor: Vendor, key: &str, cached: Cached) -> Result<(), String> {
        let item =
            CachedCollateral { bytes: cached.bytes.to_vec(), fetched: cached.fetched, origin: String::new() };
        self.0.put_collateral(name(vendor), key, &item).await.map_err(|error| error.to_string())
    }

    async fn remove(&self, vendor: Vendor, key: &str) -> Result<(), String> {
        self.0.delete_collateral(name(vendor), key).await.map_err(|error| error.to_string())
    }
}
