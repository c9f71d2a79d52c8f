//! The chain of sources.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{
    Clock, CollateralItem, CollateralKind, CollateralOrigin, CollateralRequest, CollateralSet, Vendor,
};
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use crate::cache::{Cached, CollateralCache};
use crate::error::{Attempt, AttemptOutcome, CollateralError, ConfigurationError, Miss, Source};
use crate::flight::Flights;
use crate::folder;
use crate::http::{HttpSettings, VendorService};
use crate::refusals::Refusals;

/// The most fetches under way at the same time.
const MAX_FETCHES: usize = 1024;
/// The longest deadline; a longer one would be none.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3600);
/// The longest cache key (see [`CollateralRequest::cache_key`]).
const MAX_KEY: usize = 512;

/// Gets collateral. Clones share everything.
#[derive(Clone)]
pub struct CollateralService {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    folder: Option<Arc<PathBuf>>,
    cache: Option<Arc<dyn CollateralCache>>,
    services: BTreeMap<Vendor, VendorService>,
    flights: Flights<(Vendor, String), Answer>,
    refusals: Refusals,
    times: Times,
}

struct Times {
    deadline: Duration,
    crl_refresh: Duration,
    refusal_memory: Duration,
    discard_hold: Duration,
}

type Answer = Result<(Bytes, CollateralOrigin), CollateralError>;

/// What [`CollateralService::gather`] found and what it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// What was found.
    pub set: CollateralSet,
    /// What was not, required or not, in the order of the requests.
    pub misses: Vec<Miss>,
}

/// Makes a [`CollateralService`].
pub struct CollateralServiceBuilder {
    clock: Arc<dyn Clock>,
    folder: Option<PathBuf>,
    cache: Option<Arc<dyn CollateralCache>>,
    services: BTreeMap<Vendor, (String, HttpSettings)>,
    times: Times,
}

impl CollateralServiceBuilder {
    /// Looks below this folder first, in the layout of Trustee's `kds-store`.
    #[must_use]
    pub fn offline_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = Some(path.into());
        self
    }

    /// Keeps the answers of vendors' services here, and looks here before they are asked.
    #[must_use]
    pub fn cache(mut self, cache: Arc<dyn CollateralCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Asks this service for the vendor's collateral, `https://kdsintf.amd.com` for AMD. Without a
    /// call no vendor is ever asked. A path in the URL is kept as a prefix.
    #[must_use]
    pub fn vendor_service(
        mut self,
        vendor: Vendor,
        base_url: impl Into<String>,
        settings: HttpSettings,
    ) -> Self {
        self.services.insert(vendor, (base_url.into(), settings));
        self
    }

    /// How long a fetch may take, all sources together: 15 s unless set, at most an hour.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.times.deadline = deadline.min(LONGEST_DEADLINE);
        self
    }

    /// The age from which a cached revocation list is fetched anew; when that fails, the cached one
    /// still serves, and its own validity decides. 24 hours unless set.
    #[must_use]
    pub fn crl_refresh_age(mut self, age: Duration) -> Self {
        self.times.crl_refresh = age;
        self
    }

    /// How long a refusal of a vendor's service (`404`, mostly) is remembered. 60 s unless set.
    #[must_use]
    pub fn refusal_memory(mut self, span: Duration) -> Self {
        self.times.refusal_memory = span;
        self
    }

    /// The age below which [`CollateralService::discard`] keeps an answer. 60 s unless set.
    #[must_use]
    pub fn discard_hold(mut self, age: Duration) -> Self {
        self.times.discard_hold = age;
        self
    }

    /// Builds the service.
    ///
    /// # Errors
    /// [`ConfigurationError`] when the offline folder is not there, a URL is not acceptable, or TLS
    /// cannot be set up.
    pub fn build(self) -> Result<CollateralService, ConfigurationError> {
        let folder = self.folder.map(folder::check).transpose()?.map(Arc::new);
        let services = self
            .services
            .into_iter()
            .map(|(vendor, (url, settings))| {
                Ok((vendor, VendorService::new(&url, &settings, Arc::clone(&self.clock))?))
            })
            .collect::<Result<_, ConfigurationError>>()?;
        Ok(CollateralService {
            inner: Arc::new(Inner {
                clock: self.clock,
                folder,
                cache: self.cache,
                services,
                flights: Flights::new(MAX_FETCHES),
                refusals: Refusals::default(),
                times: self.times,
            }),
        })
    }
}

impl CollateralService {
    /// A builder of a service that has no source yet.
    pub fn builder(clock: Arc<dyn Clock>) -> CollateralServiceBuilder {
        CollateralServiceBuilder {
            clock,
            folder: None,
            cache: None,
            services: BTreeMap::new(),
            times: Times {
                deadline: Duration::from_secs(15),
                crl_refresh: Duration::from_secs(24 * 3600),
                refusal_memory: Duration::from_secs(60),
                discard_hold: Duration::from_secs(60),
            },
        }
    }

    /// Gets one piece from the first source that has it. Must run within a tokio runtime.
    ///
    /// # Errors
    /// [`CollateralError`], with every source tried and what each said.
    pub async fn fetch(&self, request: &CollateralRequest) -> Result<CollateralItem, CollateralError> {
        let failed = |outcome| {
            let source = Source::Service(request.vendor, None);
            let wanted = request.description.clone();
            CollateralError::of(vec![Attempt { wanted, source, outcome }])
        };
        let key = &request.cache_key;
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(failed(AttemptOutcome::NotLookedUp {
                why: "the cache key is not 1 to 512 printable ASCII characters",
            }));
        }
        let flight = self
            .inner
            .flights
            .join((request.vendor, key.clone()), || {
                let (inner, request) = (Arc::clone(&self.inner), request.clone());
                async move { inner.look(&request).await }
            })
            .map_err(|full| failed(AttemptOutcome::Busy { running: full.running }))?;
        let aborted = || failed(AttemptOutcome::Unreachable { cause: "the fetch was cut off".to_owned() });
        let (bytes, origin) = flight.await.ok_or_else(aborted)??;
        // The flight may have been begun by a request of the same name with another limit.
        plausible(&bytes, request.max_len).map_err(failed)?;
        Ok(CollateralItem { kind: request.kind, bytes, origin })
    }

    /// Gets several pieces at the same time, and notes what could not be had.
    pub async fn gather(&self, requests: &[CollateralRequest]) -> Gathered {
        let mut gathered = Gathered::default();
        let answers = join_all(requests.iter().map(|request| self.fetch(request))).await;
        for (request, answer) in requests.iter().zip(answers) {
            match answer {
                Ok(item) => gathered.set.items.push(item),
                Err(error) => {
                    tracing::debug!(required = request.required, "{error}");
                    let wanted = request.description.clone();
                    gathered.misses.push(Miss { wanted, required: request.required, error });
                }
            }
        }
        gathered
    }

    /// Gets several pieces at the same time. Those that are not required may be missing from the set;
    /// [`gather`](Self::gather) tells which and why.
    ///
    /// # Errors
    /// [`CollateralError`] when one that is required cannot be had; it names all of those.
    pub async fn fetch_all(&self, requests: &[CollateralRequest]) -> Result<CollateralSet, CollateralError> {
        let gathered = self.gather(requests).await;
        let errors = gathered.misses.into_iter().filter(|miss| miss.required).map(|miss| miss.error);
        CollateralError::all(errors).map_or(Ok(gathered.set), Err)
    }

    /// Drops the cached answer to `request`, which a verifier found unfit, so that it is fetched anew.
    ///
    /// An answer fetched less than a minute ago (see [`CollateralServiceBuilder::discard_hold`])
    /// stays: the service would give the same again, and whoever sends bad evidence could make us
    /// ask it without end.
    pub async fn discard(&self, request: &CollateralRequest) {
        let Some(cache) = &self.inner.cache else { return };
        let (vendor, key) = (request.vendor, request.cache_key.as_str());
        let done = match cache.get(vendor, key).await {
            Ok(Some(cached)) if self.inner.is_younger(&cached, self.inner.times.discard_hold) => Ok(()),
            Ok(Some(_)) => cache.remove(vendor, key).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::warn!(key, "a cached answer that was found unfit could not be dropped: {error}");
        }
    }
}

impl fmt::Debug for CollateralService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollateralService")
            .field("folder", &self.inner.folder)
            .field("cache", &self.inner.cache.is_some())
            .field("services", &self.inner.services.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What the cache has.
enum InCache {
    Good(Bytes),
    /// A revocation list that is to be fetched anew, if that is possible.
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
    async fn look(&self, request: &CollateralRequest) -> Answer {
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
                tracing::warn!("an old answer from the cache serves on: {error}");
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
        plausible(&cached.bytes, request.max_len)?;
        Ok(if request.kind == CollateralKind::Crl && !self.is_younger(&cached, self.times.crl_refresh) {
            InCache::Old(cached.bytes)
        } else {
            InCache::Good(cached.bytes)
        })
    }

    async fn at_service(
        &self,
        request: &CollateralRequest,
        end: Instant,
    ) -> Result<(Bytes, CollateralOrigin), (Option<String>, AttemptOutcome)> {
        let service = self.services.get(&request.vendor).ok_or((None, AttemptOutcome::NotConfigured))?;
        let url = service.url(request).map_err(|outcome| (None, outcome))?;
        let address = url.to_string();
        let key = (request.vendor, request.cache_key.clone());
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
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(key = request.cache_key, "the cache does not keep collateral: {error}");
    }

    /// Whether the answer's age is known and below `age`. One from the future has no known age.
    fn is_younger(&self, cached: &Cached, age: Duration) -> bool {
        let elapsed = self.clock.now().0.saturating_sub(cached.fetched.0);
        (0..seconds(age)).contains(&elapsed)
    }
}

type Looked = Result<(Bytes, CollateralOrigin), AttemptOutcome>;

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
