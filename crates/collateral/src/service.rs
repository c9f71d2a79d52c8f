//! The service as its callers see it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{Clock, CollateralItem, CollateralOrigin, CollateralRequest, CollateralSet};
use futures_util::future::join_all;

use crate::builder::CollateralServiceBuilder;
use crate::chain::{Inner, Times, key, plausible};
use crate::error::{Attempt, AttemptOutcome, CollateralError, Miss, Source};
use crate::issuer_chain::largest_piece;
use crate::refresh::RefreshSettings;

/// The longest cache key (see [`CollateralRequest::cache_key`]).
const MAX_KEY: usize = 512;

/// Gets collateral. Clones share everything.
#[derive(Clone)]
pub struct CollateralService {
    pub(crate) inner: Arc<Inner>,
}

/// What [`CollateralService::gather`] found and what it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// What was found.
    pub set: CollateralSet,
    /// What was not, required or not, in the order of the requests.
    pub misses: Vec<Miss>,
}

impl CollateralService {
    /// A builder of a service that has no source yet.
    pub fn builder(clock: Arc<dyn Clock>) -> CollateralServiceBuilder {
        CollateralServiceBuilder {
            clock,
            folder: None,
            cache: None,
            services: BTreeMap::new(),
            routes: BTreeMap::new(),
            inspectors: BTreeMap::new(),
            refresh: RefreshSettings::default(),
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
        if !is_key(&request.cache_key) {
            return Err(failed(AttemptOutcome::NotLookedUp {
                why: "the cache key is not 1 to 512 printable ASCII characters",
            }));
        }
        if let Some(bytes) = self.inner.at_once(request) {
            return Ok(CollateralItem { kind: request.kind, bytes, origin: CollateralOrigin::Cache });
        }
        let flight = self
            .inner
            .searches
            .join(key(request), || {
                let (inner, request) = (Arc::clone(&self.inner), request.clone());
                async move { inner.look(&request).await }
            })
            .map_err(|full| failed(AttemptOutcome::Busy { running: full.running }))?;
        let aborted = || failed(AttemptOutcome::Unreachable { cause: "the fetch was cut off".to_owned() });
        let (bytes, origin) = flight.await.ok_or_else(aborted)??;
        // The flight may have been begun by a request of the same name with another limit.
        plausible(&bytes, largest_piece(request)).map_err(failed)?;
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

    /// Says that a verifier found the cached answer to `request` unfit. The next fetch gets it anew
    /// from the vendor's service; only when that fails, the cached one serves once more, so that bad
    /// evidence cannot take good collateral away from others.
    ///
    /// For an answer fetched less than a minute ago (see [`CollateralServiceBuilder::discard_hold`])
    /// this does nothing: the service would give the same again, and whoever sends bad evidence could
    /// make us ask it without end. Nor for an answer that passes its inspector (again): then the evidence
    /// is at fault. One that does not pass is removed.
    pub async fn discard(&self, request: &CollateralRequest) {
        let Some(cache) = &self.inner.cache else { return };
        let (vendor, key) = (request.vendor, request.cache_key.as_str());
        match cache.get(vendor, key).await {
            Ok(Some(cached)) if self.inner.inspectors.has(vendor) => {
                if let Err(outcome) = self.inner.inspect(request, &cached.bytes) {
                    tracing::warn!(key, "collateral in the cache is removed: {outcome}");
                    if let Err(error) = cache.remove(vendor, key).await {
                        tracing::warn!(key, "the cache does not remove collateral: {error}");
                    }
                }
            }
            Ok(Some(cached)) if !self.inner.is_younger(&cached, self.inner.times.discard_hold) => {
                self.inner.suspects.add((vendor, key.to_owned()));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(key, "the cache cannot be read: {error}"),
        }
    }
}

/// Whether a text can be a cache key.
pub(crate) fn is_key(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_KEY && text.bytes().all(|b| matches!(b, b' '..=b'~'))
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
