//! The forms of Vault's answers.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::Inside;

/// Any status with a JSON body.
pub(super) fn with_status(status: u16, body: &Value) -> Response {
    let built = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// 204.
pub(super) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// 200 with `data` in Vault's envelope.
pub(super) fn data(data: Value) -> Response {
    with_status(200, &envelope(data, Value::Null))
}

/// 200 with `auth` in Vault's envelope.
pub(super) fn auth(auth: Value) -> Response {
    with_status(200, &envelope(Value::Null, auth))
}

pub(super) fn envelope(data: Value, auth: Value) -> Value {
    json!({
        "request_id": "5d9b4a1e-0000-4000-8000-000000000000", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": data, "wrap_info": null, "warnings": null, "auth": auth,
    })
}

/// A refusal with one error.
pub(super) fn failed(status: u16, error: &str) -> Response {
    with_status(status, &json!({ "errors": [error] }))
}

/// 404 without a word: nothing there.
pub(super) fn missing() -> Response {
    with_status(404, &json!({ "errors": [] }))
}

/// 404: nothing mounted there.
pub(super) fn no_route(path: &str) -> Response {
    failed(404, &format!("no handler for route {path:?}. route entry not found."))
}

/// 403; Vault since 1.13 says when it is the token that is not valid.
pub(super) fn denied(invalid_token: bool) -> Response {
    failed(
        403,
        if invalid_token {
            "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
        } else {
            "1 error occurred:\n\t* permission denied\n\n"
        },
    )
}

/// 503.
pub(super) fn sealed() -> Response {
    failed(503, "Vault is sealed")
}

/// What `/control` shows.
pub(super) fn shown(inside: &Inside) -> Response {
    with_status(
        200,
        &json!({ "behaviour": inside.behaviour, "requests": inside.requests, "tokens": inside.tokens.count() }),
    )
}
