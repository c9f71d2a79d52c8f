//! Metrics, named as Trustee's where they mean the same. All labels have few values: no path, no
//! address, no name of anything that somebody else chose.

use std::time::Duration;

use assay_telemetry::{MetricSet, MetricsPage, OPENMETRICS};
use assay_types::Tee;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::{KeyBroker, RequestError};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TeeLabels {
    tee_type: &'static str,
}

/// The metrics of one service.
pub(crate) struct Metrics {
    http_requests: Family<RequestLabels, Counter>,
    http_duration: Histogram,
    connections: Gauge,
    auth_requests: Counter,
    auth_successes: Counter,
    attestation_requests: Counter,
    attestation_successes: Family<TeeLabels, Counter>,
    attestation_failures: Family<TeeLabels, Counter>,
    policy_evaluations: Counter,
    policy_approvals: Counter,
    policy_violations: Counter,
    policy_errors: Counter,
    resource_reads: Counter,
    resource_writes: Counter,
    resource_deletes: Counter,
    rate_limited: Counter,
    sessions_swept: Counter,
}

/// The routes a label may name; all others are `other`.
const OTHER: &str = "other";

/// Puts the metrics of the service on `page` as they are before the first request, for a description of
/// them.
pub fn describe_metrics(page: &MetricsPage) {
    drop(Metrics::new(page));
}

impl Metrics {
    /// Puts them on `page`.
    pub(crate) fn new(page: &MetricsPage) -> Self {
        const BUCKETS: [f64; 13] =
            [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];
        let mut set = MetricSet::new("kbs");
        set.add_version("build", "The program");
        macro_rules! metric {
            ($name:literal, $help:literal, $metric:expr) => {
                metric!($name, $help, [], $metric)
            };
            ($name:literal, $help:literal, $labels:expr, $metric:expr) => {
                set.add($name, $help, &$labels, $metric)
            };
        }
        let http_requests =
            metric!("http_requests", "Requests answered", ["method", "route", "status"], Family::default());
        let http_duration =
            metric!("http_request_duration_seconds", "Time per request", Histogram::new(BUCKETS));
        let connections = metric!("http_active_connections", "Open connections", Gauge::default());
        let auth_requests = metric!("auth_requests", "Calls of auth and challenge", Counter::default());
        let auth_successes = metric!("auth_successes", "Challenges given", Counter::default());
        let attestation_requests = metric!(
            "attestation_requests",
            "Calls of attest and attestation with a valid challenge",
            Counter::default()
        );
        let attestation_successes =
            metric!("attestation_successes", "Tokens given", ["tee_type"], Family::default());
        let attestation_failures = metric!(
            "attestation_failures",
            "Attestations that gave no token",
            ["tee_type"],
            Family::default()
        );
        let policy_evaluations =
            metric!("policy_evaluations", "Evaluations of resource policies", Counter::default());
        let policy_approvals = metric!("policy_approvals", "Resource policies said yes", Counter::default());
        let policy_violations = metric!("policy_violations", "Resource policies said no", Counter::default());
        let policy_errors = metric!("policy_errors", "Resource policies that failed", Counter::default());
        let resource_reads = metric!("resource_reads", "Resources released", Counter::default());
        let resource_writes = metric!("resource_writes", "Resource versions stored", Counter::default());
        let resource_deletes = metric!("resource_deletes", "Resources deleted", Counter::default());
        let rate_limited = metric!("rate_limited", "Calls refused by the rate limit", Counter::default());
        let sessions_swept = metric!("sessions_swept", "Ended sessions removed", Counter::default());
        page.add(set);
        Metrics {
            http_requests,
            http_duration,
            connections,
            auth_requests,
            auth_successes,
            attestation_requests,
            attestation_successes,
            attestation_failures,
            policy_evaluations,
            policy_approvals,
            policy_violations,
            policy_errors,
            resource_reads,
            resource_writes,
            resource_deletes,
            rate_limited,
            sessions_swept,
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: StatusCode, time: Duration) {
        let route = crate::ENDPOINTS.iter().find(|e| e.path == route).map_or(OTHER, |e| e.path);
        if matches!(route, "/kbs/v0/auth" | "/challenge") {
            self.auth_requests.inc();
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.rate_limited.inc();
        }
        let labels = RequestLabels { method: method_label(method), route, status: status_class(status) };
        self.http_requests.get_or_create(&labels).inc();
        self.http_duration.observe(time.as_secs_f64());
    }

    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    pub(crate) fn disconnected(&self) {
        self.connections.dec();
    }

    pub(crate) fn challenged(&self) {
        self.auth_successes.inc();
    }

    pub(crate) fn attestation_requested(&self) {
        self.attestation_requests.inc();
    }

    pub(crate) fn attested(&self, tee: Tee, success: bool) {
        let family = if success { &self.attestation_successes } else { &self.attestation_failures };
        family.get_or_create(&TeeLabels { tee_type: tee.as_str() }).inc();
    }

    /// A resource policy said yes or no, or failed (`None`).
    pub(crate) fn policy_evaluated(&self, decision: Option<bool>) {
        self.policy_evaluations.inc();
        match decision {
            Some(true) => self.policy_approvals.inc(),
            Some(false) => self.policy_violations.inc(),
            None => self.policy_errors.inc(),
        };
    }

    pub(crate) fn resource_read(&self) {
        self.resource_reads.inc();
    }

    pub(crate) fn resource_written(&self) {
        self.resource_writes.inc();
    }

    pub(crate) fn resource_deleted(&self) {
        self.resource_deletes.inc();
    }

    pub(crate) fn swept(&self, count: u64) {
        self.sessions_swept.inc_by(count);
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        _ => OTHER,
    }
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(broker): State<KeyBroker>) -> Result<Response, RequestError> {
    let text = broker.operation().metrics.render();
    let text = text.map_err(|_| RequestError::internal("encoding metrics failed"))?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response())
}
