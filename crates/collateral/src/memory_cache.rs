//! A cache in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use assay_types::{UnixTime, Vendor};
use async_trait::async_trait;

use crate::cache::{Cached, CollateralCache, Entry, Listed, Use};

type Key = (Vendor, String);

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
    entries: HashMap<Key, Kept>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Kept {
    cached: Cached,
    /// The number of the last use here: which goes first.
    turn: u64,
    /// The time of the last use, as noted.
    used: UnixTime,
}

impl MemoryCache {
    /// A cache of at most `max_entries` entries with at most `max_bytes` bytes together. An answer
    /// larger than `max_bytes` is not kept.
    pub fn new(max_entries: usize, max_bytes: usize) -> Self {
        MemoryCache { max_entries, max_bytes, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
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
    fn remove(&mut self, key: &Key) -> Option<Kept> {
        let old = self.entries.remove(key)?;
        self.bytes = self.bytes.saturating_sub(old.cached.bytes.len());
        Some(old)
    }

    fn put(&mut self, key: Key, cached: Cached, max_entries: usize, max_bytes: usize) {
        let before = self.remove(&key).map(|old| old.used);
        if cached.bytes.len() > max_bytes || max_entries == 0 {
            return;
        }
        // A linear search is fine for a thousand entries, and only fetches from a vendor come here.
        while self.entries.len() >= max_entries || self.bytes.saturating_add(cached.bytes.len()) > max_bytes {
            let Some(oldest) = self.entries.iter().min_by_key(|(_, e)| e.turn).map(|(k, _)| k.clone()) else {
                break;
            };
            self.remove(&oldest);
        }
        self.uses = self.uses.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(cached.bytes.len());
        let used = before.unwrap_or(cached.fetched);
        self.entries.insert(key, Kept { cached, turn: self.uses, used });
    }
}

#[async_trait]
impl CollateralCache for MemoryCache {
    async fn get(&self, vendor: Vendor, key: &str) -> Result<Option<Cached>, String> {
        let mut state = self.state();
        state.uses = state.uses.wrapping_add(1);
        let uses = state.uses;
        Ok(state.entries.get_mut(&(vendor, key.to_owned())).map(|entry| {
            entry.turn = uses;
            entry.cached.clone()
        }))
    }

    async fn put_all(&self, entries: Vec<Entry>) -> Result<(), String> {
        let mut state = self.state();
        for Entry { vendor, key, cached } in entries {
            state.put((vendor, key), cached, self.max_entries, self.max_bytes);
        }
        Ok(())
    }

    async fn remove(&self, vendor: Vendor, key: &str) -> Result<(), String> {
        self.state().remove(&(vendor, key.to_owned()));
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        let state = self.state();
        let listed = state.entries.iter().map(|((vendor, key), kept)| Listed {
            vendor: *vendor,
            key: key.clone(),
            fetched: kept.cached.fetched,
            used: kept.used,
            validity: kept.cached.validity,
            request: kept.cached.request.clone(),
            origin: kept.cached.origin.clone(),
        });
        Ok(listed.collect())
    }

    async fn note_uses(&self, uses: &[Use]) -> Result<(), String> {
        let mut state = self.state();
        for noted in uses {
            if let Some(kept) = state.entries.get_mut(&(noted.vendor, noted.key.clone())) {
                kept.used = kept.used.max(noted.at);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn cached(len: usize) -> Cached {
        Cached::new(Bytes::from(vec![1; len]), UnixTime(0))
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

    #[tokio::test]
    async fn noted_uses_outlive_a_replacement_and_never_go_back() {
        let cache = MemoryCache::default();
        let used = async || cache.list().await.unwrap()[0].used;
        let note = |at| [Use { vendor: Vendor::Amd, key: "a".into(), at: UnixTime(at) }];
        cache.put(Vendor::Amd, "a", cached(1)).await.unwrap();
        assert_eq!(used().await, UnixTime(0));
        for (at, noted) in [(50, 50), (40, 50)] {
            cache.note_uses(&note(at)).await.unwrap();
            assert_eq!(used().await, UnixTime(noted));
        }
        cache.put(Vendor::Amd, "a", cached(2)).await.unwrap();
        assert_eq!(used().await, UnixTime(50));
        let other = [Use { vendor: Vendor::Intel, key: "a".into(), at: UnixTime(1) }];
        cache.note_uses(&other).await.unwrap();
        assert_eq!(cache.list().await.unwrap().len(), 1);
    }
}
