//! The one place where a fault becomes an HTTP status.

use std::borrow::Cow;

use assay_types::{Coded, Fault, Finding};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::FaceError;

/// The HTTP status of a fault.
pub fn http_status(fault: Fault) -> StatusCode {
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

/// What a caller is told: the inside of the service stays there.
fn told(error: &FaceError) -> Cow<'static, str> {
    match error.fault() {
        Fault::Internal => "something went wrong here; the log has it under the request-id".into(),
        Fault::Unavailable if error.is_inside() => {
            "a part of the service is not available; its log has the reason under the request-id".into()
        }
        _ => error.to_string().into(),
    }
}

/// The body of an error (RFC 9457).
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: Cow<'static, str>,
    code: &'a str,
    #[serde(rename = "request-id")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    findings: &'a [Finding],
}

/// Writes the body of an error into its answer.
pub(crate) fn write_problem(error: &FaceError, request_id: &str, response: &mut Response) {
    let status = response.status();
    let problem = Problem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail: told(error),
        code: error.code(),
        request_id,
        findings: error.findings(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(header::CONTENT_LENGTH);
    if let FaceError::RateLimited { retry_after } = error {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_stays_inside() {
        assert!(!told(&FaceError::internal("the secret place")).contains("secret"));
        let store = assay_store::StoreError::Corrupt { detail: "the secret place".into() };
        assert!(!told(&FaceError::Store(store)).contains("secret"));
        assert!(told(&FaceError::TookTooLong { seconds: 7 }).contains("7 seconds"));
    }
}
