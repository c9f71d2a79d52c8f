//! The pages over HTTP: is the process there, is it ready, what has it done.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::health::answers;
use super::metrics::Metrics;
use crate::ReferenceValues;

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: the store answers too.
pub(super) async fn readyz(State(values): State<ReferenceValues>) -> (StatusCode, Json<Value>) {
    if answers(&values).await {
        (StatusCode::OK, Json(json!({ "ready": true })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "failing": ["store"] })))
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.page() {
        Ok(page) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], page).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Of whatever is neither a page nor gRPC, there is nothing.
pub(super) async fn no_other_pages(request: Request, next: Next) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    let grpc = kind.is_some_and(|kind| kind.starts_with(b"application/grpc"));
    if grpc || ["/healthz", "/readyz", "/metrics"].contains(&request.uri().path()) {
        return next.run(request).await;
    }
    StatusCode::NOT_FOUND.into_response()
}
