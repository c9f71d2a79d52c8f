//! `POST /endorsement-provisioning/v1/submit`: a CoRIM, registered as reference values if its signer is
//! trusted and its profile is the one that the `Content-Type` names.
//!
//! A CoRIM that is refused is not an error of HTTP: the answer says `failed`, and why. Each submission
//! is done when it is answered.

use assay_types::{Coded as _, Fault};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};

use super::media_type::{content_type, must_accept};
use super::messages::ProvisioningSession;
use super::{ARM_CCA, PROVISIONING_TYPE};
use crate::admin::Administrator;
use crate::admin::set_digest;
use crate::limits::read_body;
use crate::{KeyBroker, RequestError};

/// `POST /endorsement-provisioning/v1/submit`.
pub(crate) async fn submit_endorsements(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, RequestError> {
    must_accept(&headers, PROVISIONING_TYPE)?;
    let (found, text) = content_type(&headers);
    let taken = ARM_CCA.endorsements;
    let found = found.filter(|found| found.among(taken).is_some());
    let found = found.ok_or(RequestError::MediaType { found: text, taken })?;
    let settings = broker.settings();
    let body = read_body(body, settings.body_bytes, settings.body_timeout).await?;
    if body.is_empty() {
        return Err(RequestError::NoBody { expected: "a CoRIM" });
    }
    let values = broker.attestation().reference_values();
    let outcome = values.register_corim(&body, found.parameter("profile")).await;
    let outcome = outcome.map_err(RequestError::from);
    let mut action = administrator.action("endorsements registered", &outcome);
    if let Ok(registered) = &outcome {
        let names = registered.ids.iter().chain(&registered.deleted).cloned();
        action = action.values(set_digest(values.as_ref()).await, names);
    }
    let failure_reason = match administrator.recorded(&broker, action, outcome).await {
        Ok(_) => None,
        // Ours, or for another time: the same CoRIM may be taken then.
        Err(error) if matches!(error.fault(), Fault::Internal | Fault::Unavailable) => {
            return Err(error);
        }
        Err(error) => {
            tracing::info!(code = error.code(), %error, "endorsements refused");
            Some(format!("{}: {error}", error.code()))
        }
    };
    let session = ProvisioningSession {
        status: if failure_reason.is_none() { "success" } else { "failed" }.to_owned(),
        expiry: broker.now().to_string(),
        failure_reason,
    };
    Ok(([(header::CONTENT_TYPE, PROVISIONING_TYPE)], Json(session)).into_response())
}
