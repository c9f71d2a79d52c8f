//! `POST /kbs/v0/auth`: the challenge.

use assay_listener::Connection;
use assay_types::{COMPATIBLE_VERSIONS, Challenge as ChallengeMessage, SESSION_COOKIE, Tee};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::Value;

use crate::challenge::Challenge;
use crate::limits::{AdmittedToAuth, read_body, read_json};
use crate::{KeyBroker, RequestError};

/// [`assay_types::Request`] with its TEE as text: what is wrong is said in this order, version, TEE.
#[derive(Deserialize)]
struct AuthRequest {
    version: String,
    tee: String,
    #[serde(rename = "extra-params")]
    _extra_params: serde::de::IgnoredAny,
}

pub(crate) async fn auth(
    State(broker): State<KeyBroker>,
    _admitted: AdmittedToAuth,
    connection: Option<Extension<Connection>>,
    body: Body,
) -> Result<Response, RequestError> {
    let settings = broker.settings();
    let body = read_body(body, settings.auth_body_bytes, settings.body_timeout).await?;
    let request: AuthRequest = read_json(&body)?;
    check_version(&request.version)?;
    let tee = taken(&broker, &request.tee)?;
    let challenge = Challenge::new(tee, broker.now(), settings.session_seconds)?;
    let cookie = broker.sealer().seal(&challenge)?;
    let message = ChallengeMessage { nonce: challenge.nonce(), extra_params: Value::String(String::new()) };
    broker.metrics().challenged();
    with_cookie(connection, &cookie, settings.session_seconds, Json(message))
}

/// The TEE of that name, if its evidence is taken.
pub(crate) fn taken(broker: &KeyBroker, name: &str) -> Result<Tee, RequestError> {
    let tee: Tee = name.parse()?;
    if !broker.attestation().tees().any(|taken| taken == tee) {
        let taken: Vec<&str> = broker.attestation().tees().map(Tee::as_str).collect();
        return Err(RequestError::TeeNotTaken { tee, taken: taken.join(", ") });
    }
    Ok(tee)
}

fn check_version(version: &str) -> Result<(), RequestError> {
    if COMPATIBLE_VERSIONS.contains(&version) {
        return Ok(());
    }
    Err(RequestError::Version { found: RequestError::shown(version), spoken: COMPATIBLE_VERSIONS.join(", ") })
}

/// The answer with the session cookie. `Secure` only over TLS: with it, clients would not send the
/// cookie back over plain HTTP.
pub(crate) fn with_cookie(
    connection: Option<Extension<Connection>>,
    cookie: &str,
    seconds: i64,
    answer: impl IntoResponse,
) -> Result<Response, RequestError> {
    let tls = connection.is_some_and(|Extension(connection)| connection.tls);
    let secure = if tls { "; Secure" } else { "" };
    let value = format!(
        "{SESSION_COOKIE}={cookie}; Path=/kbs/v0; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    let value =
        HeaderValue::try_from(value).map_err(|_| RequestError::internal("the cookie is no header"))?;
    let mut response = answer.into_response();
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}
