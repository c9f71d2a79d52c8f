//! What surrounds every request: its id, its log line, its time limit, the barrier against panics,
//! the body of its error, its metrics.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use assay_types::Coded as _;
use aws_lc_rs::rand;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, header};
use tracing::Instrument as _;

use crate::origin::RequestId;
use crate::{KeyBroker, RequestError, problem};

const REQUEST_ID: &str = "x-request-id";
const MAX_REQUEST_ID: usize = 64;

/// The beginnings of the paths whose answers nobody may keep.
const PRIVATE: [&str; 5] =
    ["/kbs/", "/challenge", "/attestation", "/challenge-response/", "/endorsement-provisioning/"];

pub(crate) async fn surround(State(broker): State<KeyBroker>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.as_str().into()));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    let private = PRIVATE.iter().any(|prefix| route.starts_with(prefix));
    let span = tracing::info_span!("request", id, %method, route);
    let mut response = served(&broker, request, next).instrument(span.clone()).await;

    let _entered = span.enter();
    let status = response.status();
    let time = begin.elapsed();
    if let Some(error) = problem::pending(&response) {
        problem::write(&error, &id, &mut response);
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
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID, id);
    }
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

/// The client's id for the request if it is fit for a log, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let fit = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match given.filter(fit) {
        Some(id) => id.to_owned(),
        None => {
            let mut bytes = [0_u8; 12];
            // Without randomness every cryptographic operation fails, and says so; an id need not.
            let _ = rand::fill(&mut bytes);
            BASE64_URL_SAFE_NO_PAD.encode(bytes)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_taken_only_if_it_is_fit_for_a_log() {
        let id = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(value).unwrap());
            request_id(&headers)
        };
        assert_eq!(id("abc-123_x.y"), "abc-123_x.y");
        for value in ["", "a b", "a\tb", "a=b", "{}", &"x".repeat(65)] {
            assert_eq!(id(value).len(), 16, "{value}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
