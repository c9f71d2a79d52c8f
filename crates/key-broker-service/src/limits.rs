//! Bounds on requests: how often one client address may ask, how large a body may be and how long it
//! may take to arrive. Bounds on headers and connections are set where connections are (`assay_listener`).

use std::time::Duration;

use assay_attestation_service::AddressLimiter;
pub(crate) use assay_attestation_service::client_address;
use assay_listener::Connection;
use axum::body::{Body, HttpBody as _};
use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::{KeyBroker, RequestError, Settings};

/// What the server noted about the request's connection.
pub(crate) fn connection_of(parts: &Parts) -> Option<&Connection> {
    parts.extensions.get::<Connection>()
}

/// A call of `auth` that the rate limit let pass.
pub(crate) struct AdmittedToAuth;

/// A call of `attest` that the rate limit let pass.
pub(crate) struct AdmittedToAttest;

fn admit(parts: &Parts, broker: &KeyBroker, limiter: Option<&AddressLimiter>) -> Result<(), RequestError> {
    let Some(limiter) = limiter else { return Ok(()) };
    let peer = connection_of(parts).map(|connection| connection.peer.ip());
    let client = client_address(peer, &parts.headers, &broker.settings().trusted_proxies);
    limiter.check(client).map_err(|retry_after| RequestError::RateLimited { retry_after })
}

impl FromRequestParts<KeyBroker> for AdmittedToAuth {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, broker: &KeyBroker) -> Result<Self, RequestError> {
        admit(parts, broker, broker.limiters().auth.as_ref()).map(|()| AdmittedToAuth)
    }
}

impl FromRequestParts<KeyBroker> for AdmittedToAttest {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, broker: &KeyBroker) -> Result<Self, RequestError> {
        admit(parts, broker, broker.limiters().attest.as_ref()).map(|()| AdmittedToAttest)
    }
}

/// The rate limiters.
pub(crate) struct Limiters {
    pub(crate) auth: Option<AddressLimiter>,
    pub(crate) attest: Option<AddressLimiter>,
}

impl Limiters {
    pub(crate) fn new(settings: &Settings) -> Self {
        Limiters {
            auth: settings.auth_rate.map(AddressLimiter::new),
            attest: settings.attest_rate.map(AddressLimiter::new),
        }
    }
}

/// Reads a body of at most `limit` bytes that arrives within `time`.
pub(crate) async fn read_body(body: Body, limit: usize, time: Duration) -> Result<Bytes, RequestError> {
    let announced = body.size_hint().lower();
    if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(RequestError::BodyTooLarge { limit });
    }
    match tokio::time::timeout(time, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(RequestError::BodyTooLarge { limit }),
        Ok(Err(_)) => Err(RequestError::BodyCutOff),
        Err(_) => Err(RequestError::BodyTimeout { seconds: time.as_secs() }),
    }
}

/// Reads JSON. Its depth is bounded by the parser (128).
pub(crate) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    serde_json::from_slice(body).map_err(|error| RequestError::Json { detail: error.to_string() })
}
