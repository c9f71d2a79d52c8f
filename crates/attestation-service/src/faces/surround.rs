//! What surrounds every request of both faces: its id, its log line, its time limit, the barrier against
//! panics, the body of its error, its metrics.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use assay_remote::status as grpc_answer;
use assay_telemetry::RequestScope;
use assay_types::Coded as _;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, header};

use super::answer::write_problem;
use super::error::pending;
use super::{FaceError, Faces};

/// The gRPC code of a response that failed before its body (`Trailers-Only`).
const GRPC_STATUS: &str = "grpc-status";

pub(crate) async fn surround(State(faces): State<Faces>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let grpc = is_grpc(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    // The method of a gRPC call stands in the path; what is not served has no name.
    let known = route.is_some();
    let route = if grpc && known { request.uri().path().to_owned() } else { shown(route.as_ref()) };
    let scope = RequestScope::new(request.headers(), &method, &route);
    let mut response = scope.run(served(&faces, request, next)).await;

    let _entered = scope.span().enter();
    let error = pending(&response);
    if let Some(error) = &error {
        log(error);
        if grpc {
            response = grpc_answer(&**error).into_http();
        } else {
            write_problem(error, scope.id().as_str(), &mut response);
        }
    }
    let code = response.headers().get(GRPC_STATUS).and_then(|code| code.to_str().ok());
    let outcome = match (grpc, code) {
        (true, Some(code)) => code.to_owned(),
        (true, None) => "0".to_owned(),
        (false, _) => response.status().as_str().to_owned(),
    };
    // A method that a service does not have is answered by it, and named by a stranger.
    let counted = if grpc && outcome == UNIMPLEMENTED { OTHER } else { &route };
    faces.inner.metrics.answered(counted, &outcome, begin.elapsed());
    tracing::debug!(outcome, time = ?begin.elapsed(), "answered");
    let status = response.status();
    let headers = response.headers_mut();
    scope.answered(status, error.map(|error| error.code()), headers);
    if !grpc && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The gRPC code 12.
const UNIMPLEMENTED: &str = "12";

/// What a label says of a route that there is not.
const OTHER: &str = "other";

fn shown(route: Option<&MatchedPath>) -> String {
    route.map_or(OTHER, MatchedPath::as_str).to_owned()
}

/// The log line of an error.
pub(crate) fn log(error: &FaceError) {
    let code = error.code();
    if super::http_status(error.fault()).is_server_error() {
        tracing::error!(code, %error, "failed");
    } else {
        tracing::info!(code, %error, "refused");
    }
}

/// The answer, within the time limit, whatever a handler does.
async fn served(faces: &Faces, request: Request, next: Next) -> Response {
    let limit = faces.inner.settings.request_timeout;
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        // The panic's message is in the log already, by the panic hook.
        Ok(Err(_)) => FaceError::internal("a handler panicked").into_response(),
        Err(_) => FaceError::TookTooLong { seconds: limit.as_secs() }.into_response(),
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// No route.
pub(crate) async fn no_endpoint() -> FaceError {
    FaceError::NoEndpoint
}

/// A route, but not with this method; the router adds `Allow`.
pub(crate) async fn no_method(method: http::Method) -> FaceError {
    FaceError::Method { method: method.as_str().chars().take(16).collect() }
}
