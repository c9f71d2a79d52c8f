//! Which requests are traced: the caller's decision if there is one, else a share that can be changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};

/// The share, as the bits of a number from 0 to 1. A clone is another handle of the same.
#[derive(Clone, Debug)]
pub(crate) struct Ratio(Arc<AtomicU64>);

impl Ratio {
    pub(crate) fn new(ratio: f64) -> Self {
        Ratio(Arc::new(AtomicU64::new(ratio.to_bits())))
    }

    pub(crate) fn set(&self, ratio: f64) {
        self.0.store(ratio.to_bits(), Ordering::Relaxed);
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl ShouldSample for Ratio {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        Sampler::TraceIdRatioBased(self.get()).should_sample(parent, trace, name, kind, attributes, links)
    }
}

pub(crate) fn sampler(ratio: Ratio) -> Sampler {
    Sampler::ParentBased(Box::new(ratio))
}
