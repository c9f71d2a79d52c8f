//! Refresh ahead of expiry, in the background.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use assay_types::{CollateralKind, CollateralRequest, UnixTime, Validity};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cache::Listed;
use crate::chain::{Inner, Key, is_younger, key, seconds};
use crate::error::{Attempt, CollateralError, Source};
use crate::fresh::Fresh;
use crate::service::CollateralService;

/// The first wait after a refresh that failed, in seconds. It doubles.
const FIRST_RETRY: i64 = 60;
/// The longest wait after refreshes that failed, in seconds.
const LONGEST_RETRY: i64 = 3600;
/// The most failures remembered.
const MAX_RETRIES: usize = 4096;

/// When cached collateral is fetched anew ahead of its end. This concerns what has a request noted, is a
/// revocation list or TCB information, or has a known end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshSettings {
    /// The age from which revocation lists and TCB information are fetched anew: 24 h.
    pub age: Duration,
    /// How long before its end a piece is fetched anew: 2 days, but never earlier than at two thirds
    /// of its life.
    pub ahead: Duration,
    /// The age below which nothing is fetched anew, however near its end: 1 h. It keeps us from asking over
    /// and over while the vendor has nothing newer.
    pub least_age: Duration,
    /// What was not used for this long is no longer refreshed: 30 days.
    pub unused: Duration,
    /// How many are refreshed at the same time: 2.
    pub concurrency: usize,
    /// By how many per cent an age may be reached early, by chance, so that not everything of every
    /// replica is due at once: 10.
    pub jitter_percent: u8,
}

impl Default for RefreshSettings {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        RefreshSettings {
            age: 24 * hour,
            ahead: 48 * hour,
            least_age: hour,
            unused: 30 * 24 * hour,
            concurrency: 2,
            jitter_percent: 10,
        }
    }
}

/// A piece of collateral that was fetched anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// What it is.
    pub request: CollateralRequest,
    /// The piece, as it is kept.
    pub bytes: Bytes,
    /// Where it came from.
    pub url: String,
    /// When it is valid, where an inspector said so.
    pub validity: Option<Validity>,
}

/// What a refresh of all that was due came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefreshReport {
    /// What was fetched anew.
    pub refreshed: Vec<Refreshed>,
    /// What could not be; the copy in the cache stays.
    pub failed: Vec<CollateralError>,
}

/// The background task. It ends when this is dropped, or with the last clone of its service.
#[derive(Debug)]
pub struct Refresher(JoinHandle<()>);

impl Drop for Refresher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl CollateralService {
    /// Fetches one piece from the vendor's service, whatever is at hand, and keeps it.
    ///
    /// # Errors
    /// [`CollateralError`], with what the service said. The cache is as it was.
    pub async fn refresh(&self, request: &CollateralRequest) -> Result<Refreshed, CollateralError> {
        let end = Instant::now() + self.inner.times.deadline;
        match self.inner.at_service(request, end).await {
            Ok(fresh) => {
                self.inner.retries.clear(&key(request));
                let Fresh { bytes, url, validity } = fresh;
                Ok(Refreshed { request: request.clone(), bytes, url, validity })
            }
            Err((url, outcome)) => {
                self.inner.retries.failed(key(request), self.inner.clock.now());
                let source = Source::Service(request.vendor, url);
                let wanted = request.description.clone();
                Err(CollateralError::of(vec![Attempt { wanted, source, outcome }]))
            }
        }
    }

    /// What is due, what was used last first. Those whose refresh failed a moment ago are not among them.
    ///
    /// # Errors
    /// What the cache said, when it cannot be read.
    pub async fn due(&self) -> Result<Vec<Listed>, String> {
        let inner = &self.inner;
        let Some(cache) = &inner.cache else { return Ok(Vec::new()) };
        cache.note_uses(&inner.uses.take()).await?;
        let now = inner.clock.now();
        let mut due: Vec<Listed> = cache.list().await?;
        due.retain(|listed| {
            inner.services.contains_key(&listed.vendor)
                && inner.is_due(listed, now)
                && !inner.retries.waits(&(listed.vendor, listed.key.clone()), now)
        });
        due.sort_by(|a, b| Reverse(a.used).cmp(&Reverse(b.used)).then_with(|| a.key.cmp(&b.key)));
        Ok(due)
    }

    /// Fetches anew what is due. What fails stays in the cache as it is, and is tried again later.
    ///
    /// # Errors
    /// What the cache said, when it cannot be read.
    pub async fn refresh_due(&self) -> Result<RefreshReport, String> {
        let due = self.due().await?;
        let mut report = RefreshReport::default();
        let requests: Vec<Arc<CollateralRequest>> = due.into_iter().filter_map(|d| d.request).collect();
        let concurrency = self.inner.refresh.concurrency.max(1);
        let mut answers = futures_util::stream::iter(requests)
            .map(|request| async move { self.refresh(&request).await })
            .buffered(concurrency);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(refreshed) => {
                    tracing::debug!(
                        url = refreshed.url,
                        "collateral refreshed: {}",
                        refreshed.request.description
                    );
                    report.refreshed.push(refreshed);
                }
                Err(error) => report.failed.push(error),
            }
        }
        Ok(report)
    }

    /// Refreshes what is due every `interval`, with a tenth of it more or less, by chance. Must be called
    /// within a tokio runtime.
    pub fn spawn_refresher(&self, interval: Duration) -> Refresher {
        Refresher(tokio::spawn(run(Arc::downgrade(&self.inner), interval)))
    }
}

async fn run(service: Weak<Inner>, interval: Duration) {
    loop {
        // 90 to 110 per cent.
        let percent = 90 + u32::try_from(by_chance(&()) % 21).unwrap_or(10);
        tokio::time::sleep(interval / 100 * percent).await;
        let Some(inner) = service.upgrade() else { return };
        match (CollateralService { inner }).refresh_due().await {
            Ok(report) => log(&report),
            Err(error) => tracing::warn!("collateral is not refreshed, the cache cannot be read: {error}"),
        }
    }
}

fn log(report: &RefreshReport) {
    if !report.refreshed.is_empty() {
        tracing::info!(count = report.refreshed.len(), "collateral refreshed ahead of its end");
    }
    if let Some(first) = report.failed.first() {
        tracing::warn!(
            count = report.failed.len(),
            "collateral cannot be refreshed; what is cached serves on until it ends: {first}"
        );
    }
}

impl Inner {
    fn is_due(&self, listed: &Listed, now: UnixTime) -> bool {
        let settings = &self.refresh;
        let Some(request) = &listed.request else { return false };
        if !is_younger(listed.used, settings.unused, now)
            || is_younger(listed.fetched, settings.least_age, now)
        {
            return false;
        }
        let ages = matches!(request.kind, CollateralKind::Crl | CollateralKind::TcbInformation);
        let early =
            u32::try_from(by_chance(&listed.key) % (u64::from(settings.jitter_percent) + 1)).unwrap_or(0);
        let age = settings.age.saturating_sub(settings.age / 100 * early);
        (ages && !is_younger(listed.fetched, age, now))
            || listed.validity.is_some_and(|validity| {
                let third = validity.not_after.0.saturating_sub(validity.not_before.0).max(0) / 3;
                now >= validity.not_after.plus(-third.min(seconds(settings.ahead)))
            })
    }
}

/// A number by chance, the same for the same name in this process.
fn by_chance(name: &impl Hash) -> u64 {
    static CHANCE: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    CHANCE.hash_one(name)
}

/// Refreshes that failed, each with their number in a row and the time until which it waits.
#[derive(Default)]
pub(crate) struct Retries(Mutex<HashMap<Key, (u32, UnixTime)>>);

impl Retries {
    fn waits(&self, key: &Key, now: UnixTime) -> bool {
        self.map().get(key).is_some_and(|(_, until)| now < *until)
    }

    fn failed(&self, key: Key, now: UnixTime) {
        let mut map = self.map();
        if map.len() >= MAX_RETRIES
            && let Some(any) = map.keys().next().cloned()
        {
            map.remove(&any);
        }
        let before = map.get(&key).map_or(0, |(times, _)| *times);
        let wait = 2_i64
            .checked_pow(before)
            .and_then(|factor| FIRST_RETRY.checked_mul(factor))
            .unwrap_or(LONGEST_RETRY)
            .min(LONGEST_RETRY);
        map.insert(key, (before.saturating_add(1), now.plus(wait)));
    }

    fn clear(&self, key: &Key) {
        self.map().remove(key);
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Key, (u32, UnixTime)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
