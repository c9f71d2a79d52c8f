//! Where relying parties find the keys that tokens are verified with.

use assay_listener::Connection;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, header};

use crate::schemas::Discovery;
use crate::{KeyBroker, RequestError};

/// How long relying parties may keep the keys. A new key signs at once, but they look again when
/// they meet a `kid` that they do not know.
const KEEP: &str = "public, max-age=300";

/// `GET /.well-known/jwks.json` (RFC 7517, 5).
pub(crate) async fn jwks(State(broker): State<KeyBroker>) -> Response {
    ([(header::CACHE_CONTROL, KEEP)], Json(broker.attestation().keys().jwks())).into_response()
}

/// `GET /.well-known/openid-configuration` (OpenID Connect Discovery 1.0, 3).
pub(crate) async fn discovery(
    State(broker): State<KeyBroker>,
    headers: HeaderMap,
    connection: Option<Extension<Connection>>,
) -> Result<Response, RequestError> {
    let base = match &broker.settings().public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => requested_base(&headers, connection)?,
    };
    let document = Discovery {
        issuer: broker.attestation().token_settings().issuer.clone(),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        response_types_supported: vec!["none".to_owned()],
        subject_types_supported: vec!["public".to_owned()],
        id_token_signing_alg_values_supported: vec!["ES256".to_owned(), "ES384".to_owned()],
    };
    // The answer may rest on the request's Host: nobody else may get it from a cache.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(document)).into_response())
}

/// The address the client used, from the connection and its `Host`.
fn requested_base(
    headers: &HeaderMap,
    connection: Option<Extension<Connection>>,
) -> Result<String, RequestError> {
    let tls = connection.is_some_and(|Extension(connection)| connection.tls);
    let scheme = if tls { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.filter(|host| host.parse::<http::uri::Authority>().is_ok() && !host.contains('@'))
        .map(|host| format!("{scheme}://{host}"))
        .ok_or(RequestError::Query { why: "there is no usable Host header" })
}
