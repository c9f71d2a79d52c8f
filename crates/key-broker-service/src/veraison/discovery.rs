//! `GET /.well-known/veraison/verification` and `…/provisioning`: where what is, and the key that
//! relying parties verify attestation results with.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use serde_json::Value;

use super::messages::VeraisonDiscovery;
use super::{ARM_CCA, DISCOVERY_TYPE, media_type};
use crate::{KeyBroker, RequestError};

/// How long clients may keep the answer.
const KEEP: &str = "max-age=60";

/// `GET /.well-known/veraison/verification`.
pub(crate) async fn verification_discovery(
    State(broker): State<KeyBroker>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let keys = broker.local()?.keys().current();
    let jwk = serde_json::to_value(keys.current().key().public_jwk())
        .map_err(|error| RequestError::internal(format!("the signing key has no JWK: {error}")))?;
    answer(&headers, &broker, Some(jwk), ARM_CCA.evidence, NEW_SESSION)
}

/// `GET /.well-known/veraison/provisioning`.
pub(crate) async fn provisioning_discovery(
    State(broker): State<KeyBroker>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    answer(&headers, &broker, None, ARM_CCA.endorsements, SUBMIT)
}

const NEW_SESSION: (&str, &str) = ("newChallengeResponseSession", "/challenge-response/v1/newSession");
const SUBMIT: (&str, &str) = ("provisioningSubmit", "/endorsement-provisioning/v1/submit");

fn answer(
    headers: &HeaderMap,
    broker: &KeyBroker,
    ear_verification_key: Option<Value>,
    media_types: &[&str],
    (name, path): (&str, &str),
) -> Result<Response, RequestError> {
    if !media_type::accepts(headers, &[DISCOVERY_TYPE, "application/json"]) {
        return Err(RequestError::NotAcceptable { offered: DISCOVERY_TYPE });
    }
    let document = VeraisonDiscovery {
        ear_verification_key,
        media_types: media_types.iter().map(|one| (*one).to_owned()).collect(),
        attestation_schemes: vec![ARM_CCA.name.to_owned()],
        version: broker.local()?.token_settings().build.clone(),
        service_state: "READY".to_owned(),
        api_endpoints: BTreeMap::from([(name.to_owned(), path.to_owned())]),
    };
    let headers = [(header::CONTENT_TYPE, DISCOVERY_TYPE), (header::CACHE_CONTROL, KEEP)];
    Ok((headers, Json(document)).into_response())
}
