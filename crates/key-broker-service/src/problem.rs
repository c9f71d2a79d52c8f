//! The one place where an error becomes a status and a body.
//!
//! The body is JSON of RFC 9457 (problem details) that also carries what Trustee's clients read,
//! `type` and `detail`. It is written when the request's id is known: a handler's error travels in
//! the response's extensions until then.

use std::borrow::Cow;
use std::sync::Arc;

use assay_store::StoreError;
use assay_telemetry::Unready;
use assay_types::{Coded, Fault, Finding};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::RequestError;

/// Where Trustee's error types live.
const TYPE: &str = "https://github.com/confidential-containers/kbs/errors/";

/// How long to wait, in seconds, before a service that is not available is asked again.
const RETRY_AFTER: u64 = 2;

/// The status that a fault gets.
pub(crate) fn status(fault: Fault) -> StatusCode {
    match fault {
        Fault::Evidence | Fault::Unauthenticated => StatusCode::UNAUTHORIZED,
        Fault::ReferenceMismatch | Fault::PolicyDenied | Fault::Forbidden => StatusCode::FORBIDDEN,
        Fault::BadRequest => StatusCode::BAD_REQUEST,
        Fault::NotFound => StatusCode::NOT_FOUND,
        Fault::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Fault::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Fault::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Fault::Conflict => StatusCode::CONFLICT,
        Fault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Fault::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        Fault::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Fault::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Fault::CollateralPermanent | Fault::BadGateway => StatusCode::BAD_GATEWAY,
        Fault::CollateralTransient | Fault::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Fault::DependencyTimeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The body.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    error_type: String,
    title: &'a str,
    status: u16,
    detail: Cow<'a, str>,
    code: &'a str,
    #[serde(rename = "request-id")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<&'a Finding>,
    #[serde(skip_serializing_if = "<[Unready]>::is_empty")]
    failing: &'a [Unready],
}

/// An error on its way to the place where its body is written.
#[derive(Clone)]
struct Pending(Arc<RequestError>);

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.fault());
        response.extensions_mut().insert(Pending(Arc::new(self)));
        response
    }
}

/// The error of a response whose body is not written yet.
pub(crate) fn pending(response: &Response) -> Option<Arc<RequestError>> {
    response.extensions().get::<Pending>().map(|pending| Arc::clone(&pending.0))
}

/// Writes the body of `error` into its response; headers that are there stay.
pub(crate) fn write(error: &RequestError, request_id: &str, response: &mut Response) {
    let status = response.status();
    let problem = Problem {
        error_type: format!("{TYPE}{}", error.variant()),
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail: public_detail(error),
        code: error.code(),
        request_id,
        findings: error.findings(),
        failing: match error {
            RequestError::NotReady { failing } => failing,
            _ => &[],
        },
    };
    // A struct of texts and numbers always has a JSON form.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = retry_after(error) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let RequestError::MediaType { taken, .. } = error {
        // RFC 9110, section 15.5.16.
        if let Ok(taken) = HeaderValue::try_from(taken.join(", ")) {
            headers.insert(header::ACCEPT, taken);
        }
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

/// What the caller may read. The inside of the service (paths, database messages) is not its affair;
/// the log has it, under the request's id.
fn public_detail(error: &RequestError) -> Cow<'_, str> {
    if let Some(explanation) = backend_explanation(error) {
        return Cow::Owned(format!("{explanation}; the service's log has the reason under the request-id"));
    }
    match error.fault() {
        Fault::Internal => {
            Cow::Borrowed("an error inside the service; its log has the reason under the request-id")
        }
        Fault::Unavailable => match error {
            RequestError::Draining
            | RequestError::NotReady { .. }
            | RequestError::TookTooLong { .. }
            | RequestError::Store(StoreError::TooManySessions { .. }) => Cow::Owned(error.to_string()),
            _ => Cow::Borrowed(
                "a part of the service is not available; its log has the reason under the request-id",
            ),
        },
        _ => Cow::Owned(error.to_string()),
    }
}

/// What the caller may know of a back end that failed: which kind, and what it amounts to.
fn backend_explanation(error: &RequestError) -> Option<&'static str> {
    match error {
        RequestError::BackendNotReady(error) => Some(error.explanation()),
        RequestError::Backend(backend) => match backend.fault() {
            Fault::Unavailable | Fault::BadGateway | Fault::DependencyTimeout => Some(backend.explanation()),
            _ => None,
        },
        _ => None,
    }
}

fn retry_after(error: &RequestError) -> Option<u64> {
    match error {
        RequestError::RateLimited { retry_after } => Some(*retry_after),
        _ => matches!(
            error.fault(),
            Fault::Unavailable | Fault::CollateralTransient | Fault::DependencyTimeout
        )
        .then_some(RETRY_AFTER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(error: RequestError) -> (StatusCode, serde_json::Value) {
        let mut response = error.into_response();
        let error = pending(&response).unwrap();
        write(&error, "r1", &mut response);
        let status = response.status();
        let bytes =
            futures_util::FutureExt::now_or_never(axum::body::to_bytes(response.into_body(), 1 << 20));
        (status, serde_json::from_slice(&bytes.unwrap().unwrap()).unwrap())
    }

    #[test]
    fn the_body_has_the_members_of_both_readers() {
        let (status, body) = body_of(RequestError::ChallengeUsed);
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(body["type"], format!("{TYPE}AttestationError"));
        assert_eq!(body["detail"], "challenge already used: call auth again");
        assert_eq!(body["title"], "Unauthorized");
        assert_eq!(body["status"], 401);
        assert_eq!(body["code"], "KBS-010");
        assert_eq!(body["request-id"], "r1");
        assert!(body.get("findings").is_none());
    }

    #[test]
    fn what_is_inside_the_service_stays_there() {
        let path = std::path::PathBuf::from("/secret/place");
        for error in [
            RequestError::internal("the inside"),
            RequestError::Store(StoreError::Corrupt { detail: "the inside".into() }),
            RequestError::Store(StoreError::NotAccessible { path, detail: "the inside".into() }),
        ] {
            let (status, body) = body_of(error);
            assert!(status.is_server_error());
            let text = body.to_string();
            assert!(
                !text.contains("inside\"") && !text.contains("the inside") && !text.contains("secret"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_full_or_locked_store_is_unavailable_and_says_when_to_come_back() {
        for error in [StoreError::Full, StoreError::Locked] {
            let code = error.code();
            let mut response = RequestError::Store(error).into_response();
            let error = pending(&response).unwrap();
            write(&error, "r1", &mut response);
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key(header::RETRY_AFTER));
            assert_eq!(error.code(), code);
        }
    }

    #[test]
    fn a_back_end_that_fails_is_named_by_kind_and_its_inside_stays_there() {
        use assay_secret_backends::BackendError;
        use assay_vault::VaultError;
        let deadline = std::time::Duration::from_secs(1);
        let denied = || VaultError::PermissionDenied { operation: "read", path: "the/inside".into() };
        let backend = |error: VaultError| RequestError::from(BackendError::from(error));
        for (error, expected, code, detail, again) in [
            (backend(VaultError::Sealed), 503, "VLT-006", "Vault is sealed", true),
            (
                backend(VaultError::Unreachable { cause: "the inside".into() }),
                503,
                "VLT-003",
                "reached",
                true,
            ),
            (backend(VaultError::TimedOut { deadline }), 504, "VLT-005", "in time", true),
            (backend(denied()), 502, "VLT-013", "policies", false),
            (RequestError::BackendNotReady(denied().into()), 503, "VLT-013", "policies", true),
            (backend(VaultError::ValueTooLarge { detail: String::new() }), 413, "VLT-022", "size", false),
        ] {
            assert_eq!(retry_after(&error).is_some(), again, "{error}");
            let (status, body) = body_of(error);
            assert_eq!((status.as_u16(), &body["code"]), (expected, &serde_json::json!(code)));
            let text = body["detail"].as_str().unwrap();
            assert!(text.contains(detail) && !text.contains("inside"), "{text}");
        }
        // The own store's errors are what they were.
        let store = RequestError::from(BackendError::from(StoreError::Full));
        assert!(matches!(store, RequestError::Store(StoreError::Full)));
    }
}
