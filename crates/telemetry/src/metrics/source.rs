//! Numbers that something else counts.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// A number, read when the page is made.
#[derive(Clone)]
pub(super) struct Reading {
    kind: MetricType,
    read: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Where numbers will come from: 0 until it is known.
pub(super) struct Source<T: ?Sized>(Arc<OnceLock<Arc<T>>>);

impl<T: ?Sized + Send + Sync + 'static> Source<T> {
    pub(super) fn new() -> Self {
        Source(Arc::default())
    }

    /// Numbers come from `source` from now on; the first one stays.
    pub(super) fn set(&self, source: Arc<T>) {
        let _ = self.0.set(source);
    }

    pub(super) fn counter(&self, read: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Reading {
        self.reading(MetricType::Counter, read)
    }

    pub(super) fn gauge(&self, read: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Reading {
        self.reading(MetricType::Gauge, read)
    }

    fn reading(&self, kind: MetricType, read: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Reading {
        let source = Arc::clone(&self.0);
        Reading { kind, read: Arc::new(move || source.get().map_or(0, |source| read(source))) }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl EncodeMetric for Reading {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        let value = (self.read)();
        match self.kind {
            MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
            _ => encoder.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX)),
        }
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}
