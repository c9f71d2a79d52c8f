//! The chain of sources: one after the other, until one has it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{Clock, CollateralKind, CollateralOrigin, CollateralRequest, UnixTime, Validity, Vendor};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::cache::{Cached, CollateralCache};
use crate::error::{Attempt, AttemptOutcome, CollateralError, Source};
use crate::flight::Flights;
use crate::folder;
use crate::fresh::FreshAnswer;
use crate::http::VendorService;
use crate::inspectors::Inspectors;
use crate::issuer_chain::largest_piece;
use crate::refresh::{RefreshSettings, Retries};
use crate::refusals::Refusals;
use crate::suspects::Suspects;
use crate::uses::Uses;

/// The sources and what is known of them.
pub(crate) struct Inner {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) folder: Option<Arc<PathBuf>>,
    pub(crate) cache: Option<Arc<dyn CollateralCache>>,
    pub(crate) services: BTreeMap<Vendor, VendorService>,
    pub(crate) inspectors: Inspectors,
    /// Searches through the sources.
    pub(crate) searches: Flights<Key, Answer>,
    /// Fetches from vendors' services, which searches and refreshes share. They are flights of their own,
    /// so that a search that finds a good copy does not wait for a refresh under way.
    pub(crate) fetches: Flights<Key, FreshAnswer>,
    pub(crate) refusals: Refusals,
    pub(crate) suspects: Suspects,
    pub(crate) uses: Uses,
    pub(crate) retries: Retries,
    pub(crate) refresh: RefreshSettings,
    pub(crate) times: Times,
}

/// Spans of time that can be set.
pub(crate) struct Times {
    pub(crate) deadline: Duration,
    pub(crate) crl_refresh: Duration,
    pub(crate) refusal_memory: Duration,
    pub(crate) discard_hold: Duration,
}

/// The name of what is asked for, in every memory.
pub(crate) type Key = (Vendor, String);

/// The bytes and where they came from.
pub(crate) type Answer = Result<(Bytes, CollateralOrigin), CollateralError>;

/// What the cache has.
enum InCache {
    Good(Bytes),
    /// An old revocation list or a suspect, of a vendor whose collateral is not inspected: to be fetched
    /// anew, if that is possible.
    Old(Bytes),
    Nothing,
}

/// The attempts of one fetch.
struct Attempts<'a>(&'a CollateralRequest, Vec<Attempt>);

impl Attempts<'_> {
    fn add(&mut self, source: Source, outcome: AttemptOutcome) {
        self.1.push(Attempt { wanted: self.0.description.clone(), source, outcome });
    }
}

impl Inner {
    /// Tries one source after the other. Something that has expired is used only from the folder, and
    /// only when no other source has anything.
    pub(crate) async fn look(self: &Arc<Self>, request: &CollateralRequest) -> Answer {
        let end = Instant::now() + self.times.deadline;
        let mut attempts = Attempts(request, Vec::new());
        let mut spare = None;
        match self.in_folder(request, end).await.and_then(|found| self.judge_folder(request, found)) {
            Ok((found, None)) => return Ok(found),
            Ok((found, Some(since))) => {
                attempts.add(Source::Folder, AttemptOutcome::Expired { since });
                spare = Some(found);
            }
            Err(outcome) => attempts.add(Source::Folder, outcome),
        }
        match self.in_cache(request, end).await {
            Ok(InCache::Good(bytes)) => return Ok((bytes, CollateralOrigin::Cache)),
            Ok(InCache::Old(bytes)) => spare = Some((bytes, CollateralOrigin::Cache)),
            Ok(InCache::Nothing) => attempts.add(Source::Cache, AttemptOutcome::Absent),
            Err(outcome) => attempts.add(Source::Cache, outcome),
        }
        match self.at_service(request, end).await {
            Ok(fresh) => return Ok((fresh.bytes, CollateralOrigin::Service(fresh.url))),
            Err((url, outcome)) => attempts.add(Source::Service(request.vendor, url), outcome),
        }
        let error = CollateralError::of(attempts.1);
        match spare {
            Some(found) => {
                tracing::warn!("what is at hand serves on: {error}");
                Ok(found)
            }
            None => Err(error),
        }
    }

    /// A copy in memory that is known to be valid now: it needs no search.
    pub(crate) fn at_once(&self, request: &CollateralRequest) -> Option<Bytes> {
        if self.folder.is_some() {
            return None;
        }
        let cached = self.cache.as_ref()?.at_once(request.vendor, &request.cache_key)?;
        let now = self.clock.now();
        let valid =
            cached.validity.is_some_and(|validity| validity.contains(now)) && cached.request.is_some();
        let fits = plausible(&cached.bytes, largest_piece(request)).is_ok();
        if !valid || !fits || !self.inspectors.has(request.vendor) {
            return None;
        }
        self.uses.add(&key(request), now);
        Some(cached.bytes)
    }

    async fn in_folder(&self, request: &CollateralRequest, end: Instant) -> Looked {
        let folder = Arc::clone(self.folder.as_ref().ok_or(AttemptOutcome::NotConfigured)?);
        let request = request.clone();
        let task = tokio::task::spawn_blocking(move || folder::read(&folder, &request));
        match timeout_at(end, task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(AttemptOutcome::Unreadable { cause: error.to_string() }),
            Err(_) => Err(AttemptOutcome::TimedOut),
        }
    }

    /// What was found in the folder, and since when it has been expired.
    fn judge_folder(
        &self,
        request: &CollateralRequest,
        found: (Bytes, CollateralOrigin),
    ) -> Result<((Bytes, CollateralOrigin), Option<UnixTime>), AttemptOutcome> {
        let validity = self.inspect(request, &found.0)?;
        let end = validity.map(|validity| validity.not_after);
        Ok((found, end.filter(|end| *end < self.clock.now())))
    }

    async fn in_cache(&self, request: &CollateralRequest, end: Instant) -> Result<InCache, AttemptOutcome> {
        let cache = self.cache.as_ref().ok_or(AttemptOutcome::NotConfigured)?;
        let cached = match timeout_at(end, cache.get(request.vendor, &request.cache_key)).await {
            Ok(Ok(Some(cached))) => cached,
            Ok(Ok(None)) => return Ok(InCache::Nothing),
            Ok(Err(cause)) => return Err(AttemptOutcome::Unreadable { cause }),
            Err(_) => return Err(AttemptOutcome::TimedOut),
        };
        let judged = plausible(&cached.bytes, largest_piece(request));
        let validity = match judged.and_then(|()| self.validity_of(request, &cached)) {
            Ok(validity) => validity,
            Err(outcome) => {
                self.remove(cache.as_ref(), request, end).await;
                return Err(outcome);
            }
        };
        let now = self.clock.now();
        self.uses.add(&key(request), now);
        if let Some(validity) = validity {
            if validity.not_after < now {
                return Err(AttemptOutcome::Expired { since: validity.not_after });
            }
            if cached.validity.is_none() || cached.request.is_none() {
                let asked = Some(Arc::new(request.clone()));
                let complete = Cached { validity: Some(validity), request: asked, ..cached.clone() };
                self.keep(&key(request), complete, end).await;
            }
            return Ok(InCache::Good(cached.bytes));
        }
        let old = request.kind == CollateralKind::Crl && !self.is_younger(&cached, self.times.crl_refresh);
        let suspect = self.suspects.contains(&key(request));
        Ok(if old || suspect { InCache::Old(cached.bytes) } else { InCache::Good(cached.bytes) })
    }

    /// The validity noted with the entry; of entries that were made without an inspector, what it says now.
    pub(crate) fn validity_of(
        &self,
        request: &CollateralRequest,
        cached: &Cached,
    ) -> Result<Option<Validity>, AttemptOutcome> {
        match cached.validity {
            Some(validity) => Ok(Some(validity)),
            None => self.inspect(request, &cached.bytes),
        }
    }

    pub(crate) fn inspect(
        &self,
        request: &CollateralRequest,
        bytes: &[u8],
    ) -> Result<Option<Validity>, AttemptOutcome> {
        self.inspectors.inspect(request, bytes).map_err(|cause| AttemptOutcome::NotGenuine { cause })
    }

    /// Puts an entry into the cache. That it cannot be kept is no reason not to use it.
    pub(crate) async fn keep(&self, key: &Key, cached: Cached, end: Instant) {
        let Some(cache) = &self.cache else { return };
        let error = match timeout_at(end, cache.put(key.0, &key.1, cached)).await {
            Ok(Ok(())) => return self.suspects.clear(key),
            Ok(Err(error)) => error,
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(key = key.1, "the cache does not keep collateral: {error}");
    }

    /// Removes what is not, or cannot be, the collateral asked for.
    async fn remove(&self, cache: &dyn CollateralCache, request: &CollateralRequest, end: Instant) {
        let removal = cache.remove(request.vendor, &request.cache_key);
        if let Ok(Err(error)) = timeout_at(end, removal).await {
            tracing::warn!(key = request.cache_key, "the cache does not remove collateral: {error}");
        }
    }

    /// Whether the answer's age is known and below `age`. One from the future has no known age.
    pub(crate) fn is_younger(&self, cached: &Cached, age: Duration) -> bool {
        is_younger(cached.fetched, age, self.clock.now())
    }
}

type Looked = Result<(Bytes, CollateralOrigin), AttemptOutcome>;

pub(crate) fn key(request: &CollateralRequest) -> Key {
    (request.vendor, request.cache_key.clone())
}

/// Whether what was fetched then is younger than `age` now. What was fetched in the future is not.
pub(crate) fn is_younger(fetched: UnixTime, age: Duration, now: UnixTime) -> bool {
    (0..seconds(age)).contains(&now.0.saturating_sub(fetched.0))
}

pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Whether these bytes can be collateral at all.
pub(crate) fn plausible(bytes: &[u8], max_len: usize) -> Result<(), AttemptOutcome> {
    if bytes.is_empty() {
        return Err(AttemptOutcome::Empty);
    }
    if bytes.len() > max_len {
        return Err(AttemptOutcome::TooLarge { limit: max_len });
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |with: &[u8]| text.get(..with.len()).is_some_and(|t| t.eq_ignore_ascii_case(with));
    if begins(b"<!doctype html") || begins(b"<html") { Err(AttemptOutcome::Html) } else { Ok(()) }
}
