//! Putting the cache's collateral into a bundle.

use assay_types::Vendor;

use crate::bundle::{Bundle, BundleItem};
use crate::service::CollateralService;

/// The content of a cache, ready to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// What is in it.
    pub bundle: Bundle,
    /// The cache keys of what was left out, and why.
    pub left_out: Vec<(String, &'static str)>,
}

impl CollateralService {
    /// All that the cache holds of `vendor`, or of every vendor, in the order of vendors and keys. Left out
    /// is what has expired, and entries of old with which no request was noted.
    ///
    /// # Errors
    /// What the cache said, when it cannot be read.
    pub async fn export(&self, vendor: Option<Vendor>) -> Result<Exported, String> {
        let cache = self.inner.cache.as_ref().ok_or("there is no cache")?;
        let now = self.inner.clock.now();
        let mut listed = cache.list().await?;
        listed.retain(|entry| vendor.is_none_or(|vendor| vendor == entry.vendor));
        listed.sort_by(|a, b| (a.vendor, &a.key).cmp(&(b.vendor, &b.key)));
        let (mut items, mut left_out) = (Vec::new(), Vec::new());
        for entry in listed {
            let Some(cached) = cache.get(entry.vendor, &entry.key).await? else { continue };
            let Some(request) = cached.request else {
                left_out.push((entry.key, "no request is noted with it"));
                continue;
            };
            if cached.validity.is_some_and(|validity| validity.not_after < now) {
                left_out.push((entry.key, "it has expired"));
                continue;
            }
            items.push(BundleItem {
                request: request.as_ref().clone(),
                bytes: cached.bytes,
                fetched: cached.fetched,
            });
        }
        Ok(Exported { bundle: Bundle { created: now, items }, left_out })
    }
}
