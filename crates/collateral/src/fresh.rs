//! Fresh answers of vendors' services: asked for, inspected, compared with what is at hand, kept.

use std::sync::Arc;

use assay_types::{CollateralRequest, UnixTime, Validity};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::cache::Cached;
use crate::chain::{Inner, key, seconds};
use crate::error::AttemptOutcome;

/// A fresh answer.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub(crate) bytes: Bytes,
    /// Where it came from.
    pub(crate) url: String,
    pub(crate) validity: Option<Validity>,
}

/// The answer, or the URL that was asked (where it came to that) and why there is none.
pub(crate) type FreshAnswer = Result<Fresh, (Option<String>, AttemptOutcome)>;

impl Inner {
    /// A fresh answer by `end`. Whoever wants the same at the same time shares one fetch, which ends by
    /// its own deadline.
    pub(crate) async fn at_service(
        self: &Arc<Self>,
        request: &CollateralRequest,
        end: Instant,
    ) -> FreshAnswer {
        let flight = self.fetches.join(key(request), || {
            let (inner, request) = (Arc::clone(self), request.clone());
            async move { inner.fetch_fresh(&request).await }
        });
        let flight = flight.map_err(|full| (None, AttemptOutcome::Busy { running: full.running }))?;
        match timeout_at(end, flight).await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                Err((None, AttemptOutcome::Unreachable { cause: "the fetch was cut off".to_owned() }))
            }
            Err(_) => {
                let target = self.services.get(&request.vendor).and_then(|s| s.target(request).ok());
                Err((target.map(|target| target.url.to_string()), AttemptOutcome::TimedOut))
            }
        }
    }

    async fn fetch_fresh(&self, request: &CollateralRequest) -> FreshAnswer {
        let end = Instant::now() + self.times.deadline;
        let service = self.services.get(&request.vendor).ok_or((None, AttemptOutcome::NotConfigured))?;
        let target = service.target(request).map_err(|outcome| (None, outcome))?;
        let url = target.url.to_string();
        let failed = |outcome| (Some(url.clone()), outcome);
        let key = key(request);
        if let Some((status, wait)) = self.refusals.find(&key, self.clock.now()) {
            return Err(failed(AttemptOutcome::RefusedLately { status, wait }));
        }
        let bytes = match target.get(request, end).await {
            Ok(bytes) => bytes,
            Err(outcome) => {
                if let AttemptOutcome::Refused { status } = outcome {
                    let now = self.clock.now();
                    let until = now.plus(seconds(self.times.refusal_memory));
                    self.refusals.note(key, status, now, until);
                }
                return Err(failed(outcome));
            }
        };
        let validity = self.judge(request, &bytes, end).await.map_err(failed)?;
        let cached = Cached {
            bytes: bytes.clone(),
            fetched: self.clock.now(),
            validity,
            request: Some(Arc::new(request.clone())),
            origin: url.clone(),
        };
        self.keep(&key, cached, end).await;
        Ok(Fresh { bytes, url, validity })
    }

    /// Whether the vendor's answer is genuine, valid still, and no step back.
    async fn judge(
        &self,
        request: &CollateralRequest,
        bytes: &Bytes,
        end: Instant,
    ) -> Result<Option<Validity>, AttemptOutcome> {
        let Some(found) = self.inspect(request, bytes)? else { return Ok(None) };
        let now = self.clock.now();
        if found.not_after < now {
            return Err(AttemptOutcome::Stale { since: found.not_after });
        }
        if let Some(cached) = self.valid_in_cache(request, now, end).await
            && is_older(found, cached)
        {
            return Err(AttemptOutcome::Older { found, cached });
        }
        Ok(Some(found))
    }

    async fn valid_in_cache(
        &self,
        request: &CollateralRequest,
        now: UnixTime,
        end: Instant,
    ) -> Option<Validity> {
        let cache = self.cache.as_ref()?;
        let cached = timeout_at(end, cache.get(request.vendor, &request.cache_key)).await.ok()?.ok()??;
        self.validity_of(request, &cached).ok()?.filter(|validity| now <= validity.not_after)
    }
}

/// Whether `found` was issued, or ends, before `at_hand`.
pub(crate) fn is_older(found: Validity, at_hand: Validity) -> bool {
    found.not_before < at_hand.not_before || found.not_after < at_hand.not_after
}
