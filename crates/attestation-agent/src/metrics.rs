//! Metrics of bounded cardinality: what was asked for, how it ended, how long the device took.

use std::time::Duration;

use assay_types::Coded as _;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::error::AgentError;

/// What was done, and the code of the error, `ok` without one. Codes are few and fixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    operation: &'static str,
    outcome: &'static str,
}

/// The agent's metrics.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    device: Histogram,
    log_bytes: Gauge,
}

impl Metrics {
    /// All at zero.
    pub fn new(tee: &'static str) -> Self {
        const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
        let mut registry = Registry::with_prefix("assay_agent");
        let build = vec![("version", env!("CARGO_PKG_VERSION")), ("tee", tee)];
        registry.register("build", "The program and its TEE", Info::new(build));
        let (requests, device) = (Family::default(), Histogram::new(BUCKETS));
        let log_bytes = Gauge::default();
        registry.register("requests", "What was asked for, by how it ended", requests.clone());
        registry.register("device_duration_seconds", "Time the device took for evidence", device.clone());
        registry.register("event_log_bytes", "The length of the event log", log_bytes.clone());
        Metrics { registry, requests, device, log_bytes }
    }

    /// A request ended.
    pub(crate) fn ended<T>(&self, operation: &'static str, result: &Result<T, AgentError>) {
        let outcome = result.as_ref().map_or_else(|error| error.code(), |_| "ok");
        self.requests.get_or_create(&Labels { operation, outcome }).inc();
    }

    /// The device made evidence.
    pub(crate) fn device_took(&self, time: Duration) {
        self.device.observe(time.as_secs_f64());
    }

    /// The event log has this length now.
    pub(crate) fn log_is(&self, bytes: usize) {
        self.log_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// All of them in the text form of OpenMetrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_by_code() {
        let metrics = Metrics::new("tdx");
        metrics.ended("token", &Ok(()));
        metrics.ended::<()>("token", &Err(AgentError::NoTee));
        metrics.ended::<()>("token", &Err(AgentError::NoTee));
        metrics.log_is(98);
        let text = metrics.text();
        for line in [
            "assay_agent_requests_total{operation=\"token\",outcome=\"ok\"} 1",
            "assay_agent_requests_total{operation=\"token\",outcome=\"AGT-010\"} 2",
            "assay_agent_event_log_bytes 98",
            "tee=\"tdx\"",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
