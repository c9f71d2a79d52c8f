//! The chain of sources: one after the other, until one has it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{Clock, CollateralKind, CollateralOrigin, CollateralRequest, Vendor};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::cache::{Cached, CollateralCache};
use crate::error::{Attempt, AttemptOutcome, CollateralError, Source};
use crate::flight::Flights;
use crate::folder;
use crate::http::VendorService;
use crate::refusals::Refusals;
use crate::suspects::Suspects;

/// The sources and what is known of them.
pub(crate) struct Inner {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) folder: Option<Arc<PathBuf>>,
    pub(crate) cache: Option<Arc<dyn CollateralCache>>,
    pub(crate) services: BTreeMap<Vendor, VendorService>,
    pub(crate) flights: Flights<(Vendor, String), Answer>,
    pub(crate) refusals: Refusals,
    pub(crate) suspects: Suspects,
    pub(crate) times: Times,
}

/// Spans of time that can be set.
pub(crate) struct Times {
    pub(crate) deadline: Duration,
    pub(crate) crl_refresh: Duration,
    pub(crate) refusal_memory: Duration,
    pub(crate) discard_hold: Duration,
}

/// The bytes and where they came from.
pub(crate) type Answer = Result<(Bytes, CollateralOrigin), CollateralError>;
/// What the cache has.
enum InCache {
    Good(Bytes),
    /// An old revocation list or a suspect: to be fetched anew, if that is possible.
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
    /// Tries one source after the other.
    pub(crate) async fn look(&self, request: &CollateralRequest) -> Answer {
        let end = Instant::now() + self.times.deadline;
        let mut attempts = Attempts(request, Vec::new());
        match self.in_folder(request, end).await {
            Ok(found) => return Ok(found),
            Err(outcome) => attempts.add(Source::Folder, outcome),
        }
        let old = match self.in_cache(request, end).await {
            Ok(InCache::Good(bytes)) => return Ok((bytes, CollateralOrigin::Cache)),
            Ok(InCache::Old(bytes)) => Some(bytes),
            Ok(InCache::Nothing) => {
                attempts.add(Source::Cache, AttemptOutcome::Absent);
                None
            }
            Err(outcome) => {
                attempts.add(Source::Cache, outcome);
                None
            }
        };
        match self.at_service(request, end).await {
            Ok(found) => return Ok(found),
            Err((url, outcome)) => attempts.add(Source::Service(request.vendor, url), outcome),
        }
        let error = CollateralError::of(attempts.1);
        match old {
            Some(bytes) => {
                tracing::warn!("the answer in the cache serves on: {error}");
                Ok((bytes, CollateralOrigin::Cache))
            }
            None => Err(error),
        }
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

    async fn in_cache(&self, request: &CollateralRequest, end: Instant) -> Result<InCache, AttemptOutcome> {
        let cache = self.cache.as_ref().ok_or(AttemptOutcome::NotConfigured)?;
        let cached = match timeout_at(end, cache.get(request.vendor, &request.cache_key)).await {
            Ok(Ok(Some(cached))) => cached,
            Ok(Ok(None)) => return Ok(InCache::Nothing),
            Ok(Err(cause)) => return Err(AttemptOutcome::Unreadable { cause }),
            Err(_) => return Err(AttemptOutcome::TimedOut),
        };
        if let Err(outcome) = plausible(&cached.bytes, request.max_len) {
            self.remove(cache.as_ref(), request, end).await;
            return Err(outcome);
        }
        let old = request.kind == CollateralKind::Crl && !self.is_younger(&cached, self.times.crl_refresh);
        let suspect = self.suspects.contains(&key(request));
        Ok(if old || suspect { InCache::Old(cached.bytes) } else { InCache::Good(cached.bytes) })
    }

    async fn at_service(
        &self,
        request: &CollateralRequest,
        end: Instant,
    ) -> Result<(Bytes, CollateralOrigin), (Option<String>, AttemptOutcome)> {
        let service = self.services.get(&request.vendor).ok_or((None, AttemptOutcome::NotConfigured))?;
        let url = service.url(request).map_err(|outcome| (None, outcome))?;
        let address = url.to_string();
        let key = key(request);
        if let Some((status, wait)) = self.refusals.find(&key, self.clock.now()) {
            return Err((Some(address), AttemptOutcome::RefusedLately { status, wait }));
        }
        match service.get(url, request.max_len, end).await {
            Ok(bytes) => {
                self.keep(request, bytes.clone(), end).await;
                Ok((bytes, CollateralOrigin::Service(address)))
            }
            Err(outcome) => {
                if let AttemptOutcome::Refused { status } = outcome {
                    let now = self.clock.now();
                    let until = now.plus(seconds(self.times.refusal_memory));
                    self.refusals.note(key, status, now, until);
                }
                Err((Some(address), outcome))
            }
        }
    }

    /// Puts an answer into the cache. That it cannot be kept is no reason not to use it.
    async fn keep(&self, request: &CollateralRequest, bytes: Bytes, end: Instant) {
        let Some(cache) = &self.cache else { return };
        let cached = Cached { bytes, fetched: self.clock.now() };
        let error = match timeout_at(end, cache.put(request.vendor, &request.cache_key, cached)).await {
            Ok(Ok(())) => return self.suspects.clear(&key(request)),
            Ok(Err(error)) => error,
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(key = request.cache_key, "the cache does not keep collateral: {error}");
    }

    /// Removes what cannot be collateral at all.
    async fn remove(&self, cache: &dyn CollateralCache, request: &CollateralRequest, end: Instant) {
        let removal = cache.remove(request.vendor, &request.cache_key);
        if let Ok(Err(error)) = timeout_at(end, removal).await {
            tracing::warn!(key = request.cache_key, "the cache does not remove collateral: {error}");
        }
    }

    /// Whether the answer's age is known and below `age`. One from the future has no known age.
    pub(crate) fn is_younger(&self, cached: &Cached, age: Duration) -> bool {
        let elapsed = self.clock.now().0.saturating_sub(cached.fetched.0);
        (0..seconds(age)).contains(&elapsed)
    }
}

type Looked = Result<(Bytes, CollateralOrigin), AttemptOutcome>;

/// The name of what is asked for, in every memory.
pub(crate) fn key(request: &CollateralRequest) -> (Vendor, String) {
    (request.vendor, request.cache_key.clone())
}

fn seconds(duration: Duration) -> i64 {
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
