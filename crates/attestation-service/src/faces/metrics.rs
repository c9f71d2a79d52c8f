//! Metrics. All labels have few values: no path, no address, no name of anything that somebody else chose.

use std::time::Duration;

use assay_types::Tee;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{FaceError, Faces};

/// A request by its route as the router knows it and by its outcome: HTTP status or gRPC code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TeeLabels {
    tee_type: &'static str,
}

/// The metrics of one service.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    duration: Histogram,
    connections: Gauge,
    challenges: Counter,
    successes: Family<TeeLabels, Counter>,
    failures: Family<TeeLabels, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        const BUCKETS: [f64; 13] =
            [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];
        let mut registry = Registry::with_prefix("as");
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The program", Info::new(version));
        let metrics = Metrics {
            requests: Family::default(),
            duration: Histogram::new(BUCKETS),
            connections: Gauge::default(),
            challenges: Counter::default(),
            successes: Family::default(),
            failures: Family::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register("request_duration_seconds", "Time per request", metrics.duration.clone());
        registry.register("active_connections", "Open connections", metrics.connections.clone());
        registry.register("challenges", "Challenges given", metrics.challenges.clone());
        registry.register("attestation_successes", "Tokens given", metrics.successes.clone());
        registry.register("attestation_failures", "Evaluations that gave no token", metrics.failures.clone());
        Metrics { registry, ..metrics }
    }

    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    pub(crate) fn disconnected(&self) {
        self.connections.dec();
    }

    pub(crate) fn challenged(&self) {
        self.challenges.inc();
    }

    pub(crate) fn evaluated(&self, tee: Tee, good: bool) {
        let family = if good { &self.successes } else { &self.failures };
        family.get_or_create(&TeeLabels { tee_type: tee.as_str() }).inc();
    }

    pub(crate) fn answered(&self, route: &str, outcome: &str, time: Duration) {
        let labels = RequestLabels { route: route.to_owned(), outcome: outcome.to_owned() };
        self.requests.get_or_create(&labels).inc();
        self.duration.observe(time.as_secs_f64());
    }
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(faces): State<Faces>) -> Result<Response, FaceError> {
    let mut text = String::new();
    encode(&mut text, &faces.inner.metrics.registry)
        .map_err(|_| FaceError::internal("the metrics cannot be written"))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response())
}
