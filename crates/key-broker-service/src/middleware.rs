//! What surrounds every request: its id and its place in the caller's trace, its log line, its time limit,
//! the barrier against panics, the body of its error, its metrics.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use assay_telemetry::RequestScope;
use assay_types::Coded as _;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::{HeaderValue, header};

use crate::origin::RequestId;
use crate::{KeyBroker, RequestError, problem};

/// The beginnings of the paths whose answers nobody may keep.
const PRIVATE: [&str; 5] =
    ["/kbs/", "/challenge", "/attestation", "/challenge-response/", "/endorsement-provisioning/"];

pub(crate) async fn surround(State(broker): State<KeyBroker>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    let private = PRIVATE.iter().any(|prefix| route.starts_with(prefix));
    let scope = RequestScope::new(request.headers(), &method, route);
    request.extensions_mut().insert(RequestId(scope.id().as_str().into()));
    let mut response = scope.run(served(&broker, request, next)).await;

    let _entered = scope.span().enter();
    let status = response.status();
    let time = begin.elapsed();
    let error = problem::pending(&response);
    if let Some(error) = &error {
        problem::write(error, scope.id().as_str(), &mut response);
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), code = error.code(), %error, ?time, "failed");
        } else {
            tracing::info!(status = status.as_u16(), code = error.code(), %error, ?time, "refused");
        }
    } else {
        tracing::debug!(status = status.as_u16(), ?time, "answered");
    }
    broker.metrics().answered(&method, route, status, time);

    let headers = response.headers_mut();
    scope.answered(status, error.map(|error| error.code()), headers);
    if private {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The answer, within the time limit, whatever a handler does.
async fn served(broker: &KeyBroker, request: Request, next: Next) -> Response {
    let limit = broker.settings().request_timeout;
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        // The panic's message is in the log already, by the panic hook.
        Ok(Err(_)) => RequestError::internal("a handler panicked").into_response(),
        Err(_) => RequestError::TookTooLong { seconds: limit.as_secs() }.into_response(),
    }
}

/// No route.
pub(crate) async fn no_endpoint() -> RequestError {
    RequestError::NoEndpoint
}

/// A route, but not with this method; the router adds `Allow`.
pub(crate) async fn no_method(method: http::Method) -> RequestError {
    RequestError::Method { method: method.as_str().chars().take(16).collect() }
}
