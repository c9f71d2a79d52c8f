//! A service with a cache, an inspector and a vendor's double, at a time of its own.

use std::sync::Arc;

use assay_collateral::{
    AttemptOutcome, Cached, CollateralCache as _, CollateralError, CollateralService,
    CollateralServiceBuilder, HttpSettings, MemoryCache, RefreshSettings,
};
use assay_types::{CollateralItem, FixedClock, UnixTime, Validity, Vendor};

use super::double::{Double, Inspector, Say, request};

pub(crate) const DAY: i64 = 86_400;
/// When the tests begin.
pub(crate) const START: i64 = 1000 * DAY;

/// A genuine document, valid for 30 days from the start.
pub(crate) const GOOD: &str = "good 86400000 88992000";
pub(crate) const END: i64 = 88_992_000;

pub(crate) struct World {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) cache: Arc<MemoryCache>,
    pub(crate) double: Arc<Double>,
    pub(crate) service: CollateralService,
}

impl World {
    pub(crate) async fn new(say: Say) -> World {
        let clock = Arc::new(FixedClock::new(UnixTime(START)));
        let cache = Arc::new(MemoryCache::default());
        let double = Double::start(say).await;
        let service = builder(&clock, &cache)
            .vendor_service(Vendor::Intel, &double.url, HttpSettings::default())
            .build()
            .unwrap();
        World { clock, cache, double, service }
    }

    /// The same cache and clock without any vendor.
    pub(crate) fn without_vendor(&self) -> CollateralService {
        builder(&self.clock, &self.cache).build().unwrap()
    }

    pub(crate) async fn fetch(&self) -> Result<CollateralItem, CollateralError> {
        self.service.fetch(&request("a")).await
    }

    pub(crate) async fn cached(&self) -> Option<Cached> {
        self.cache.get(Vendor::Intel, "tcb-info/a").await.unwrap()
    }

    pub(crate) fn at(&self, time: i64) {
        self.clock.set(UnixTime(time));
    }
}

pub(crate) fn builder(clock: &Arc<FixedClock>, cache: &Arc<MemoryCache>) -> CollateralServiceBuilder {
    CollateralService::builder(Arc::clone(clock) as _)
        .cache(Arc::clone(cache) as _)
        .inspector(Vendor::Intel, Arc::new(Inspector))
        .refresh(RefreshSettings { jitter_percent: 0, ..RefreshSettings::default() })
}

pub(crate) fn outcomes(error: &CollateralError) -> Vec<AttemptOutcome> {
    error.attempts().iter().map(|attempt| attempt.outcome.clone()).collect()
}

pub(crate) fn validity(not_before: i64, not_after: i64) -> Validity {
    Validity { not_before: UnixTime(not_before), not_after: UnixTime(not_after) }
}
