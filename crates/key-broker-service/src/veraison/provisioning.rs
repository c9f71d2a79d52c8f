//! `POST /endorsement-provisioning/v1/submit`: a CoRIM, registered as reference values.
//!
//! A CoRIM that is refused is not an error of HTTP: the answer says `failed`, and why. Each submission
//! is done when it is answered.

use assay_cbor::{Limits, Value as Cbor, read};
use assay_types::{Coded as _, Fault};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, header};
use serde_json::json;

use super::media_type::{content_type, must_accept};
use super::messages::ProvisioningSession;
use super::{ARM_CCA, PROVISIONING_TYPE};
use crate::admin::Administrator;
use crate::limits::read_body;
use crate::{KeyBroker, RequestError};

/// Tags that stand around a CoRIM: unsigned, and what older tools wrote around both kinds.
const CORIM_TAGS: [u64; 3] = [500, 501, 502];

/// The tag of COSE_Sign1.
const COSE_SIGN1: u64 = 18;

/// The deepest nesting of tags before the CoRIM.
const MAX_TAGS: usize = 4;

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
    let signed = found.essence() == "application/rim+cose";
    let outcome = match same_profile(&body, signed, found.parameter("profile").unwrap_or_default()) {
        Ok(()) => register(&broker, &body).await,
        Err(error) => Err(error),
    };
    let failure_reason = match outcome {
        Ok(ids) => {
            ids.iter().for_each(|id| administrator.log("reference value registered", id));
            None
        }
        // Ours, or for another time: the same CoRIM may be taken then.
        Err(error) if matches!(error.fault(), Fault::Internal | Fault::Unavailable) => return Err(error),
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

/// Registers a CoRIM; the names of the values that came of it.
async fn register(broker: &KeyBroker, corim: &[u8]) -> Result<Vec<String>, RequestError> {
    let message = json!({ "version": "0.1.0", "type": "corim", "payload": BASE64_STANDARD.encode(corim) });
    let values = broker.attestation().reference_values();
    Ok(values.register(message.to_string().as_bytes()).await?.ids)
}

/// The `Content-Type` says which profile the CoRIM has and whether it is signed; it must be right.
fn same_profile(body: &[u8], signed: bool, profile: &str) -> Result<(), RequestError> {
    let wrong = |why: String| RequestError::Corim { why };
    let outer = peeled(read_corim(body)?, &CORIM_TAGS);
    let (corim, is_signed) = match outer {
        Cbor::Tag(COSE_SIGN1, content) => (signed_payload(&content)?, true),
        other => (other, false),
    };
    if is_signed != signed {
        let [said, found] = [signed, is_signed].map(|signed| if signed { "signed" } else { "unsigned" });
        return Err(wrong(format!("the Content-Type says {said}, and the CoRIM is {found}")));
    }
    // The profile is member 3: a URI (tag 32) here.
    let found = corim.get(3).map(|found| found.as_tag().map_or(found, |(_, content)| content));
    match found.and_then(Cbor::as_text) {
        Some(found) if found == profile => Ok(()),
        Some(found) => {
            let found = RequestError::shown(found);
            Err(wrong(format!("the Content-Type says the profile {profile:?}, and the CoRIM has {found:?}")))
        }
        None => Err(wrong(format!("the Content-Type says the profile {profile:?}, and the CoRIM has none"))),
    }
}

fn read_corim(bytes: &[u8]) -> Result<Cbor, RequestError> {
    let limits = Limits { bytes: bytes.len(), ..Limits::DEFAULT };
    read(bytes, limits).map_err(|error| RequestError::Corim { why: error.to_string() })
}

/// Without the tags around it that are among `tags`.
fn peeled(mut value: Cbor, tags: &[u64]) -> Cbor {
    for _ in 0..MAX_TAGS {
        match value {
            Cbor::Tag(tag, content) if tags.contains(&tag) => value = *content,
            other => return other,
        }
    }
    value
}

/// The CoRIM in a COSE_Sign1.
fn signed_payload(content: &Cbor) -> Result<Cbor, RequestError> {
    let payload = content.as_array().and_then(|items| items.get(2)).and_then(Cbor::as_bytes);
    let payload =
        payload.ok_or_else(|| RequestError::Corim { why: "COSE_Sign1 without a payload".to_owned() })?;
    Ok(peeled(read_corim(payload)?, &CORIM_TAGS))
}
