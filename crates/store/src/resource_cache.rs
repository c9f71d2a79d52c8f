//! Resources in memory, sealed as they are in the database: a guest who asks for one that was asked
//! for before costs no statement.

use std::sync::Arc;
use std::time::Duration;

use assay_types::{ResourcePath, UnixTime};
use moka::sync::Cache;

use crate::seal::Envelope;

/// How many bytes of sealed resources are kept.
const CACHE_BYTES: u64 = 32 << 20;

/// How long a resource is kept at most.
const LIFE: Duration = Duration::from_secs(300);

/// The newest version of a resource, or that there is none.
pub(crate) struct CachedResource {
    /// The number of changes of resources before it was read. With another number it does not count.
    pub(crate) changes: u64,
    pub(crate) newest: Option<SealedResource>,
}

#[derive(Clone)]
pub(crate) struct SealedResource {
    pub(crate) version: u64,
    pub(crate) created: UnixTime,
    pub(crate) envelope: Envelope,
}

pub(crate) struct ResourceCache {
    entries: Cache<ResourcePath, Arc<CachedResource>>,
}

impl ResourceCache {
    pub(crate) fn new() -> Self {
        let weight = |path: &ResourcePath, entry: &Arc<CachedResource>| {
            let sealed = entry.newest.as_ref().map_or(0, |newest| newest.envelope.sealed.len());
            u32::try_from(sealed + path.as_str().len() + 512).unwrap_or(u32::MAX)
        };
        let entries = Cache::builder().max_capacity(CACHE_BYTES).weigher(weight).time_to_live(LIFE).build();
        ResourceCache { entries }
    }

    /// What is known of the resource after that many changes.
    pub(crate) fn get(&self, path: &ResourcePath, changes: u64) -> Option<Arc<CachedResource>> {
        self.entries.get(path).filter(|entry| entry.changes == changes)
    }

    pub(crate) fn put(&self, path: &ResourcePath, entry: Arc<CachedResource>) {
        self.entries.insert(path.clone(), entry);
    }
}
