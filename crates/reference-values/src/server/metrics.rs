//! What the provider has done, for Prometheus.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tonic::Code;

use super::METHODS;
use crate::ReferenceValues;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    outcome: &'static str,
}

pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    held: Gauge,
    values: ReferenceValues,
}

impl Metrics {
    pub(super) fn new(values: ReferenceValues) -> Self {
        let mut registry = Registry::with_prefix("assay_rvps");
        let (requests, held) = (Family::default(), Gauge::default());
        registry.register("requests", "Calls, by method and outcome", requests.clone());
        registry.register("reference_values", "Reference values, expired ones among them", held.clone());
        Metrics { registry, requests, held, values }
    }

    pub(super) fn page(&self) -> Result<String, fmt::Error> {
        self.held.set(i64::try_from(self.values.snapshot().len()).unwrap_or(i64::MAX));
        let mut page = String::new();
        encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

/// The middleware that counts calls.
pub(super) async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is = |method: &str| path == method || (method.ends_with('/') && path.starts_with(method));
    let known = METHODS.iter().find(|(method, _)| is(method));
    let method = known.map_or("other", |(method, _)| *method);
    let response = next.run(request).await;
    // Errors have their status in the header; a good answer has it behind its body.
    let outcome = match response.headers().get("grpc-status") {
        None => Code::Ok,
        Some(code) => Code::from_bytes(code.as_bytes()),
    };
    metrics.requests.get_or_create(&Labels { method, outcome: name(outcome) }).inc();
    response
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}
