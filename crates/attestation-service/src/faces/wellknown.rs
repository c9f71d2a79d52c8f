//! Where relying parties find the keys that tokens are verified with.

use assay_listener::Connection;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::uri::Authority;
use http::{Extensions, HeaderMap, Uri, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{FaceError, Faces};

/// How long relying parties may keep the keys. A new key signs at once, but they look again when
/// they meet a `kid` that they do not know.
const KEEP: &str = "public, max-age=300";

/// The document of OpenID Connect Discovery 1.0, section 3, for a service that only publishes keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Discovery {
    /// The claim `iss` of tokens.
    pub issuer: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// None: nobody logs in here.
    pub response_types_supported: Vec<String>,
    /// All relying parties see the same.
    pub subject_types_supported: Vec<String>,
    /// The algorithms of signatures.
    pub id_token_signing_alg_values_supported: Vec<String>,
}

impl Discovery {
    /// For tokens of `issuer` whose keys are below the address `base`, which does not end with a slash.
    pub fn new(issuer: &str, base: &str) -> Self {
        Discovery {
            issuer: issuer.to_owned(),
            jwks_uri: format!("{base}/.well-known/jwks.json"),
            response_types_supported: vec!["none".to_owned()],
            subject_types_supported: vec!["public".to_owned()],
            id_token_signing_alg_values_supported: vec!["ES256".to_owned(), "ES384".to_owned()],
        }
    }
}

/// The address that the client used, from the connection and its `Host`; HTTP/2 has it in the URI.
pub fn requested_base(uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Option<String> {
    let tls = extensions.get::<Connection>().is_some_and(|connection| connection.tls);
    let scheme = if tls { "https" } else { "http" };
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(Authority::as_str).or(named)?;
    let usable = host.parse::<Authority>().is_ok() && !host.contains('@');
    usable.then(|| format!("{scheme}://{host}"))
}

/// `GET /.well-known/jwks.json` (RFC 7517, 5).
pub(crate) async fn jwks(State(faces): State<Faces>) -> Response {
    ([(header::CACHE_CONTROL, KEEP)], Json(faces.inner.service.keys().jwks())).into_response()
}

/// `GET /.well-known/openid-configuration` (OpenID Connect Discovery 1.0, 3).
pub(crate) async fn discovery(
    State(faces): State<Faces>,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, FaceError> {
    let base = match &faces.inner.settings.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => requested_base(&uri, &headers, &extensions).ok_or(FaceError::Host)?,
    };
    let document = Discovery::new(&faces.inner.service.token_settings().issuer, &base);
    // The answer may rest on the request's Host: nobody else may get it from a cache.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(document)).into_response())
}
