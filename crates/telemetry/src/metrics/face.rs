//! The requests of one part.

use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::{MetricSet, MetricsPage};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: &'static str,
}

/// The metrics of a part's interface. A clone is another handle of the same.
#[derive(Clone)]
pub struct FaceMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<RouteLabel, Histogram>,
    connections: Gauge,
}

impl FaceMetrics {
    /// Puts them on `page`. `prefix` is the part's (`as`, `rvps`).
    pub fn new(prefix: &'static str, page: &MetricsPage) -> Self {
        let mut set = MetricSet::new(prefix);
        let requests = set.add("requests", "Requests answered", &["route", "status"], Family::default());
        let duration: Family<RouteLabel, Histogram> = Family::new_with_constructor(histogram);
        let duration = set.add("request_duration_seconds", "Time per request", &["route"], duration);
        let connections = set.add("active_connections", "Open connections", &[], Gauge::default());
        page.add(set);
        FaceMetrics { requests, duration, connections }
    }

    /// A connection began.
    pub fn connected(&self) {
        self.connections.inc();
    }

    /// A connection ended.
    pub fn disconnected(&self) {
        self.connections.dec();
    }

    /// A request was answered. `grpc` is the gRPC status code, if it is a gRPC answer.
    pub(crate) fn answered(
        &self,
        route: &'static str,
        status: StatusCode,
        grpc: Option<i32>,
        time: Duration,
    ) {
        let status = grpc.map_or_else(|| class(status), grpc_name);
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
        self.duration.get_or_create(&RouteLabel { route }).observe(time.as_secs_f64());
    }
}

fn histogram() -> Histogram {
    const BUCKETS: [f64; 11] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0];
    Histogram::new(BUCKETS)
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// The name of a gRPC status code, as its specification writes it.
fn grpc_name(code: i32) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    usize::try_from(code).ok().and_then(|code| NAMES.get(code)).copied().unwrap_or("UNKNOWN")
}
