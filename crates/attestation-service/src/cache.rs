//! The store as the persistent cache of collateral.

use std::sync::Arc;

use assay_collateral::{Cached, CollateralCache, Entry, Listed, Use};
use assay_store::{CachedCollateral, Store};
use assay_types::{CollateralRequest, Vendor};
use async_trait::async_trait;

/// Keeps collateral in the store, where it survives a restart and replicas share it.
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

/// The vendor of that name; `None` for one that a newer program knows.
fn vendor(name: &str) -> Option<Vendor> {
    match name {
        "amd" => Some(Vendor::Amd),
        "arm" => Some(Vendor::Arm),
        "intel" => Some(Vendor::Intel),
        _ => None,
    }
}

/// The request as it was stored. One that cannot be read is as good as none: the piece is then not
/// refreshed, and asked for again once it has expired.
fn request(stored: Option<String>) -> Option<Arc<CollateralRequest>> {
    serde_json::from_str(&stored?).ok().map(Arc::new)
}

#[async_trait]
impl CollateralCache for StoreCache {
    async fn get(&self, vendor: Vendor, key: &str) -> Result<Option<Cached>, String> {
        let found = self.0.get_collateral(name(vendor), key).await.map_err(|error| error.to_string())?;
        Ok(found.map(|item| Cached {
            bytes: item.bytes.into(),
            fetched: item.fetched,
            validity: item.validity,
            request: request(item.request),
            origin: item.origin,
        }))
    }

    async fn put_all(&self, entries: Vec<Entry>) -> Result<(), String> {
        let mut items = Vec::with_capacity(entries.len());
        for Entry { vendor, key, cached } in entries {
            let request = match &cached.request {
                Some(request) => {
                    Some(serde_json::to_string(request.as_ref()).map_err(|error| error.to_string())?)
                }
                None => None,
            };
            let item = CachedCollateral {
                bytes: cached.bytes.to_vec(),
                fetched: cached.fetched,
                origin: cached.origin,
                validity: cached.validity,
                request,
            };
            items.push((name(vendor), key, item));
        }
        let items: Vec<_> = items.iter().map(|(vendor, key, item)| (*vendor, key.as_str(), item)).collect();
        self.0.put_collateral(&items).await.map_err(|error| error.to_string())
    }

    async fn remove(&self, vendor: Vendor, key: &str) -> Result<(), String> {
        self.0.delete_collateral(name(vendor), key).await.map_err(|error| error.to_string())
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        let all = self.0.list_collateral().await.map_err(|error| error.to_string())?;
        let listed = all.into_iter().filter_map(|info| {
            Some(Listed {
                vendor: vendor(&info.vendor)?,
                key: info.key,
                fetched: info.fetched,
                used: info.used,
                validity: info.validity,
                request: request(info.request),
                origin: info.origin,
            })
        });
        Ok(listed.collect())
    }

    async fn note_uses(&self, uses: &[Use]) -> Result<(), String> {
        let uses: Vec<_> = uses.iter().map(|u| (name(u.vendor), u.key.as_str(), u.at)).collect();
        self.0.note_collateral_uses(&uses).await.map_err(|error| error.to_string())
    }
}
