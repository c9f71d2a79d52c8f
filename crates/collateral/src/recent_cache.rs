//! A short memory above a persistent cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_types::{Clock, UnixTime, Vendor};
use async_trait::async_trait;

use crate::cache::{Cached, CollateralCache, Entry, Listed, Use};

/// The most entries remembered.
const MAX_ENTRIES: usize = 256;
/// The largest entry remembered, in bytes; together they are 32 MiB at the very most.
const MAX_ENTRY: usize = 128 << 10;

type Key = (Vendor, String);

/// A cache above another: what was read or written a moment ago is not read again. Replicas that
/// share the other see each other's changes when that moment has passed. An entry that has expired is
/// always read again: a replica may have a newer one already.
///
/// That something is *not* there is not remembered.
pub struct RecentCache {
    beneath: Arc<dyn CollateralCache>,
    clock: Arc<dyn Clock>,
    span: i64,
    recent: Mutex<HashMap<Key, (Cached, UnixTime)>>,
}

impl RecentCache {
    /// Remembers for a minute what `beneath` has.
    pub fn new(beneath: Arc<dyn CollateralCache>, clock: Arc<dyn Clock>) -> Self {
        RecentCache::with_span(beneath, clock, Duration::from_secs(60))
    }

    /// Remembers for `span`, whole seconds.
    pub fn with_span(beneath: Arc<dyn CollateralCache>, clock: Arc<dyn Clock>, span: Duration) -> Self {
        let span = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        RecentCache { beneath, clock, span, recent: Mutex::default() }
    }

    fn recent(&self) -> MutexGuard<'_, HashMap<Key, (Cached, UnixTime)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_recent(&self, cached: &Cached, read: UnixTime, now: UnixTime) -> bool {
        // A clock that was put back makes nothing recent.
        let age = now.0.saturating_sub(read.0);
        (0..self.span).contains(&age) && cached.validity.is_none_or(|validity| now <= validity.not_after)
    }

    fn remember(&self, key: Key, cached: Cached) {
        let mut recent = self.recent();
        if cached.bytes.len() > MAX_ENTRY {
            recent.remove(&key);
            return;
        }
        let now = self.clock.now();
        if recent.len() >= MAX_ENTRIES {
            recent.retain(|_, (cached, read)| self.is_recent(cached, *read, now));
        }
        if recent.len() >= MAX_ENTRIES
            && let Some(any) = recent.keys().next().cloned()
        {
            recent.remove(&any);
        }
        recent.insert(key, (cached, now));
    }
}

#[async_trait]
impl CollateralCache for RecentCache {
    async fn get(&self, vendor: Vendor, key: &str) -> Result<Option<Cached>, String> {
        if let Some(cached) = self.at_once(vendor, key) {
            return Ok(Some(cached));
        }
        let name = (vendor, key.to_owned());
        let found = self.beneath.get(vendor, key).await?;
        match &found {
            Some(cached) => self.remember(name, cached.clone()),
            None => drop(self.recent().remove(&name)),
        }
        Ok(found)
    }

    fn at_once(&self, vendor: Vendor, key: &str) -> Option<Cached> {
        let now = self.clock.now();
        let recent = self.recent();
        let (cached, read) = recent.get(&(vendor, key.to_owned()))?;
        self.is_recent(cached, *read, now).then(|| cached.clone())
    }

    async fn put_all(&self, entries: Vec<Entry>) -> Result<(), String> {
        self.beneath.put_all(entries.clone()).await?;
        for Entry { vendor, key, cached } in entries {
            self.remember((vendor, key), cached);
        }
        Ok(())
    }

    async fn remove(&self, vendor: Vendor, key: &str) -> Result<(), String> {
        let removed = self.beneath.remove(vendor, key).await;
        self.recent().remove(&(vendor, key.to_owned()));
        removed
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        self.beneath.list().await
    }

    async fn note_uses(&self, uses: &[Use]) -> Result<(), String> {
        self.beneath.note_uses(uses).await
    }
}

#[cfg(test)]
mod tests {
    use assay_types::{FixedClock, Validity};
    use bytes::Bytes;

    use super::*;
    use crate::MemoryCache;

    fn cached(text: &'static str, not_after: i64) -> Cached {
        let validity = Validity { not_before: UnixTime(0), not_after: UnixTime(not_after) };
        Cached { validity: Some(validity), ..Cached::new(Bytes::from_static(text.as_bytes()), UnixTime(0)) }
    }

    fn layers() -> (Arc<FixedClock>, Arc<MemoryCache>, RecentCache) {
        let clock = Arc::new(FixedClock::new(UnixTime(1000)));
        let beneath = Arc::new(MemoryCache::default());
        let recent = RecentCache::new(beneath.clone(), clock.clone());
        (clock, beneath, recent)
    }

    #[tokio::test]
    async fn another_replicas_change_is_seen_after_a_minute() {
        let (clock, beneath, recent) = layers();
        beneath.put(Vendor::Intel, "a", cached("old", 9999)).await.unwrap();
        let bytes = async || recent.get(Vendor::Intel, "a").await.unwrap().map(|c| c.bytes);
        assert_eq!(bytes().await.unwrap(), "old");
        beneath.put(Vendor::Intel, "a", cached("new", 9999)).await.unwrap();
        clock.advance(59);
        assert_eq!(bytes().await.unwrap(), "old");
        clock.advance(1);
        assert_eq!(bytes().await.unwrap(), "new");
        beneath.remove(Vendor::Intel, "a").await.unwrap();
        clock.advance(60);
        assert_eq!(bytes().await, None);
    }

    #[tokio::test]
    async fn an_expired_entry_is_read_again_at_once() {
        let (clock, beneath, recent) = layers();
        recent.put(Vendor::Intel, "a", cached("old", 1010)).await.unwrap();
        beneath.put(Vendor::Intel, "a", cached("new", 9999)).await.unwrap();
        clock.advance(10);
        assert_eq!(recent.get(Vendor::Intel, "a").await.unwrap().unwrap().bytes, "old");
        clock.advance(1);
        assert_eq!(recent.get(Vendor::Intel, "a").await.unwrap().unwrap().bytes, "new");
    }

    #[tokio::test]
    async fn own_changes_are_seen_at_once_and_the_number_is_bounded() {
        let (_, beneath, recent) = layers();
        recent.put(Vendor::Intel, "a", cached("one", 9999)).await.unwrap();
        recent.put(Vendor::Intel, "a", cached("two", 9999)).await.unwrap();
        assert_eq!(recent.get(Vendor::Intel, "a").await.unwrap().unwrap().bytes, "two");
        assert_eq!(beneath.get(Vendor::Intel, "a").await.unwrap().unwrap().bytes, "two");
        recent.remove(Vendor::Intel, "a").await.unwrap();
        assert_eq!(recent.get(Vendor::Intel, "a").await.unwrap(), None);
        for n in 0..MAX_ENTRIES + 10 {
            recent.put(Vendor::Intel, &n.to_string(), cached("x", 9999)).await.unwrap();
        }
        assert_eq!(recent.recent().len(), MAX_ENTRIES);
    }
}
