//! The attestation service's own interface for guests, in the form of Trustee's: a challenge, and a
//! token that is shown to others (the passport model of RFC 9334). Closed unless a setting opens it.

use assay_attestation_service::{AttestationRequest, ChallengeRequest, Passports};
use assay_types::Coded as _;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header;

use crate::audited;
use crate::limits::{AdmittedToAttest, AdmittedToAuth, read_body, read_json};
use crate::origin::Origin;
use crate::{KeyBroker, RequestError};

/// `POST /challenge`.
pub(crate) async fn challenge(
    State(broker): State<KeyBroker>,
    _admitted: AdmittedToAuth,
    body: Body,
) -> Result<Response, RequestError> {
    let settings = broker.settings();
    let body = read_body(body, settings.auth_body_bytes, settings.body_timeout).await?;
    let request: ChallengeRequest = read_json(&body)?;
    let text = passports(&broker)?.challenge(&request.tee)?;
    broker.metrics().challenged();
    Ok(plain(text))
}

/// `POST /attestation`.
pub(crate) async fn attestation(
    State(broker): State<KeyBroker>,
    _admitted: AdmittedToAttest,
    origin: Origin,
    body: Body,
) -> Result<Response, RequestError> {
    let passports = passports(&broker)?;
    let settings = broker.settings();
    let body = read_body(body, settings.body_bytes, settings.body_timeout).await?;
    let request: AttestationRequest = read_json(&body)?;
    let opened = passports.open(request).await?;
    let (tee, evidence) = (opened.tee(), opened.evidence());
    broker.metrics().attestation_requested();
    let result = match passports.redeem(opened).await {
        Ok(issued) => audited::verdict(&broker, &origin, &issued.verdict, issued.reference_values())
            .await
            .map(|()| issued),
        Err(error) => Err(audited::refusal(&broker, &origin, tee, Some(evidence), error.into()).await),
    };
    broker.metrics().attested(tee, result.is_ok());
    let issued = result.inspect_err(|error| {
        tracing::info!(%tee, code = error.code(), %error, "attestation refused");
    })?;
    Ok(plain(issued.token))
}

fn passports(broker: &KeyBroker) -> Result<&Passports, RequestError> {
    broker.passports().ok_or_else(|| broker.attestation().not_here())
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
