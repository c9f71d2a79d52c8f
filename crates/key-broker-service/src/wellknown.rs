//! Where relying parties find the keys that tokens are verified with.

use assay_attestation_service::{Discovery, requested_base};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Extensions, HeaderMap, Uri, header};

use crate::{KeyBroker, RequestError};

/// How long relying parties may keep the keys. A new key signs at once, but they look again when
/// they meet a `kid` that they do not know.
const KEEP: &str = "public, max-age=300";

/// `GET /.well-known/jwks.json` (RFC 7517, 5).
pub(crate) async fn jwks(State(broker): State<KeyBroker>) -> Result<Response, RequestError> {
    Ok(([(header::CACHE_CONTROL, KEEP)], Json(broker.local()?.keys().jwks())).into_response())
}

/// `GET /.well-known/openid-configuration` (OpenID Connect Discovery 1.0, 3).
pub(crate) async fn discovery(
    State(broker): State<KeyBroker>,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, RequestError> {
    let issuer = &broker.local()?.token_settings().issuer;
    let base = match &broker.settings().public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => requested_base(&uri, &headers, &extensions)
            .ok_or(RequestError::Query { why: "there is no usable Host header" })?,
    };
    // The answer may rest on the request's Host: nobody else may get it from a cache.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Discovery::new(issuer, &base))).into_response())
}
