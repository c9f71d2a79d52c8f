//! What surrounds every request of a part that has nothing of its own for it (AS, RVPS).

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use crate::metrics::OPENMETRICS;
use crate::{FaceMetrics, Operation, RequestScope};

/// The label of every route that is not listed.
const OTHER: &str = "other";

/// An interface of a part: HTTP routes, gRPC methods, or both.
///
/// ```ignore
/// let face = Face::new(&["/attestation", "/attestation.AttestationService/AttestationEvaluate"], metrics);
/// router.layer(axum::middleware::from_fn_with_state(face, assay_telemetry::surround))
/// ```
#[derive(Clone)]
pub struct Face {
    inner: Arc<Inner>,
}

struct Inner {
    routes: &'static [&'static str],
    metrics: FaceMetrics,
}

impl Face {
    /// `routes` are the routes as the router knows them and the paths of the gRPC methods
    /// (`/package.Service/Method`); requests for others are counted together.
    pub fn new(routes: &'static [&'static str], metrics: FaceMetrics) -> Self {
        Face { inner: Arc::new(Inner { routes, metrics }) }
    }

    fn route(&self, request: &Request) -> &'static str {
        let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let known = |text: &str| self.inner.routes.iter().copied().find(|route| *route == text);
        matched.and_then(known).or_else(|| known(request.uri().path())).unwrap_or(OTHER)
    }
}

/// The middleware: id, span, log line and metrics of a request.
pub async fn surround(State(face): State<Face>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let route = face.route(&request);
    let scope = RequestScope::new(request.headers(), request.method(), route);
    let mut response = scope.run(next.run(request)).await;

    let time = begin.elapsed();
    let status = response.status();
    let grpc = grpc_status(&response);
    let code = response.extensions().get::<ErrorCode>().map(|code| code.0);
    {
        let _entered = scope.span().enter();
        let failed = status.is_server_error() || matches!(grpc, Some(2 | 13 | 14 | 15));
        if failed {
            tracing::error!(status = status.as_u16(), grpc, code, ?time, "failed");
        } else if status.is_client_error() || grpc.is_some_and(|grpc| grpc != 0) {
            tracing::info!(status = status.as_u16(), grpc, code, ?time, "refused");
        } else {
            tracing::debug!(status = status.as_u16(), grpc, ?time, "answered");
        }
    }
    face.inner.metrics.answered(route, status, grpc, time);
    scope.answered(status, code, response.headers_mut());
    response
}

/// An error's code, for the log and the span: put it into the extensions of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub &'static str);

/// The gRPC status of an answer. Errors have theirs in the header; a good answer has it after its body.
fn grpc_status(response: &Response) -> Option<i32> {
    let headers: &HeaderMap = response.headers();
    let is_grpc = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let given = || headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    is_grpc.then(|| given().unwrap_or(0))
}

/// `GET /healthz`: the process answers.
pub async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: everything that the process needs is there and it is not about to end; else 503 with the
/// list of what is not, a problem document (RFC 9457).
pub async fn readyz(State(operation): State<Operation>) -> Response {
    let report = operation.readiness.report().await;
    if report.is_ready() {
        return axum::Json(json!({ "status": "ready" })).into_response();
    }
    let detail =
        if report.stopping { "the server is stopping" } else { "not everything that is needed is there" };
    let problem = json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": detail,
        "failing": report.failing,
    });
    let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, "2")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, problem.to_string()).into_response()
}

/// `GET /metrics`.
pub async fn metrics_page(State(operation): State<Operation>) -> Response {
    match operation.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
