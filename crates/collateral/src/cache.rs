//! The cache between the offline folder and the vendor's service.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use assay_types::{UnixTime, Vendor};
use async_trait::async_trait;
use bytes::Bytes;

/// An answer of a vendor's service, as cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The answer's body.
    pub bytes: Bytes,
    /// When it was fetched.
    pub fetched: UnixTime,
}

/// A cache of collateral. The key is unique within the vendor: printable ASCII, 1 to 512 characters.
///
/// Errors are text for logs: a cache that fails is as good as none, and the fetch goes on.
#[async_trait]
pub trait CollateralCache: Send + Sync {
    /// What is stored under `key`.
    async fn get(&self, vendor: Vendor, key: &str) -> Result<Option<Cached>, String>;

    /// Stores under `key`, in place of what was there.
    async fn put(&self, vendor: Vendor, key: &str, cached: Cached) -> Result<(), String>;

    /// Removes what is stored under `key`. Nothing there is no error.
    async fn remove(&self, vendor: Vendor, key: &str) -> Result<(), String>;
}

/// A cache in memory, bounded by number and by bytes. The entry that was not used for the longest
/// time goes first.
#[derive(Debug)]
pub struct MemoryCache {
    max_entries: usize,
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<(Vendor, String), Entry>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    cached: Cached,
    used: u64,
}

impl MemoryCache {
    /// A cache of at most `max_entries` entries with at most `max_bytes` bytes together. An answer
    /// larger than `max_bytes` is not kept.
    pub fn new(max_entries: usize, max_bytes: usize) -> Self {
        MemoryCache { max_entries, max_bytes, state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryCache {
    /// 1024 entries, 16 MiB.
    fn default() -> Self {
        MemoryCache::new(1024, 16 << 20)
    }
}

impl State {
    fn remove(&mut self, key: &(Vendor, String)) {
        if let Some(old) = self.entries.remove(key) {
            self.bytes = self.bytes.saturating_sub(old.cached.bytes.len());
        }
    }
}

#[async_trait]
impl CollateralCache for MemoryCache {
    async fn get(&self, vendor: Vendor, key: &str) -> Result<Option<Cached>, String> {
        let mut state = self.state();
        state.uses = state.uses.wrapping_add(1);
        let uses = state.uses;
        Ok(state.entries.get_mut(&(vendor, key.to_owned())).map(|entry| {
            entry.used = uses;
            entry.cached.clone()
        }))
    }

    async fn put(&self, vendor: Vendor, key: &str, cached: Cached) -> Result<(), String> {
        let key = (vendor, key.to_owned());
        let mut state = self.state();
        state.remove(&key);
        if cached.bytes.len() > self.max_bytes || self.max_entries == 0 {
            return Ok(());
        }
        // A linear search is fine for a thousand entries, and only fetches from a vendor come here.
        while state.entries.len() >= self.max_entries
            || state.bytes.saturating_add(cached.bytes.len()) > self.max_bytes
        {
            let Some(oldest) = state.entries.iter().min_by_key(|(_, e)| e.used).map(|(k, _)| k.clone())
            else {
                break;
            };
            state.remove(&oldest);
        }
        state.uses = state.uses.wrapping_add(1);
        state.bytes = state.bytes.saturating_add(cached.bytes.len());
        let used = state.uses;
        state.entries.insert(key, Entry { cached, used });
        Ok(())
    }

    async fn remove(&self, vendor: Vendor, key: &str) -> Result<(), String> {
        self.state().remove(&(vendor, key.to_owned()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cached(len: usize) -> Cached {
        Cached { bytes: Bytes::from(vec![1; len]), fetched: UnixTime(0) }
    }

    #[tokio::test]
    async fn the_entry_unused_for_the_longest_time_goes_first() {
        let cache = MemoryCache::new(2, 100);
        cache.put(Vendor::Amd, "a", cached(10)).await.unwrap();
        cache.put(Vendor::Amd, "b", cached(10)).await.unwrap();
        assert!(cache.get(Vendor::Amd, "a").await.unwrap().is_some());
        cache.put(Vendor::Amd, "c", cached(10)).await.unwrap();
        assert!(cache.get(Vendor::Amd, "a").await.unwrap().is_some());
        assert!(cache.get(Vendor::Amd, "b").await.unwrap().is_none());
        assert!(cache.get(Vendor::Intel, "a").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn bytes_are_bounded_and_counted_when_entries_are_replaced() {
        let cache = MemoryCache::new(100, 100);
        for _ in 0..50 {
            cache.put(Vendor::Amd, "a", cached(60)).await.unwrap();
        }
        assert_eq!(cache.state().bytes, 60);
        cache.put(Vendor::Amd, "b", cached(60)).await.unwrap();
        assert_eq!(cache.state().bytes, 60);
        assert_eq!(cache.state().entries.len(), 1);
        cache.put(Vendor::Amd, "c", cached(101)).await.unwrap();
        assert!(cache.get(Vendor::Amd, "c").await.unwrap().is_none());
        cache.remove(Vendor::Amd, "b").await.unwrap();
        assert_eq!(cache.state().bytes, 0);
    }
}
