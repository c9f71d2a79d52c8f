//! `/challenge-response/v1`: a nonce, evidence for it, and the result.

use assay_attestation_service::{DirectEvaluation, EvaluationError};
use assay_store::{ChallengeResponseSession as Stored, ChallengeResponseStatus as Status, SubmittedEvidence};
use assay_types::{Binding, Coded as _, RawEvidence, UnixTime};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::Map;

use super::ear::{self, Frame};
use super::evidence::Reading;
use super::media_type::must_accept;
use super::messages::{ChallengeResponseSession, EvidenceBlob};
use super::session_id::SessionId;
use super::{ARM_CCA, SESSION_TYPE, nonce};
use crate::audited;
use crate::limits::{AdmittedToAttest, AdmittedToAuth, read_body};
use crate::origin::Origin;
use crate::{KeyBroker, RequestError};

/// `POST /challenge-response/v1/newSession`.
pub(crate) async fn new_session(
    State(broker): State<KeyBroker>,
    _admitted: AdmittedToAuth,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, RequestError> {
    must_accept(&headers, SESSION_TYPE)?;
    let nonce = nonce::of_query(uri.query().unwrap_or_default())?;
    let id = SessionId::random()?;
    let settings = broker.settings();
    let now = broker.now();
    let expires = now.plus(settings.challenge_response_seconds);
    let limit = settings.challenge_response_sessions;
    broker.store().create_challenge_response(&id.hash(), &nonce, expires, now, limit).await?;
    let session = Stored { nonce, expires, status: Status::Waiting, evidence: None, result: None };
    let mut response = answer(StatusCode::CREATED, session);
    let location = http::HeaderValue::try_from(format!("session/{id}"))
        .map_err(|_| RequestError::internal("the session's id is no header"))?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// `GET /challenge-response/v1/session/<id>`.
pub(crate) async fn get_session(
    State(broker): State<KeyBroker>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, RequestError> {
    must_accept(&headers, SESSION_TYPE)?;
    let id = SessionId::of_path(&uri)?;
    let session = live(&broker, &id).await?;
    Ok(answer(StatusCode::OK, session))
}

/// `DELETE /challenge-response/v1/session/<id>`.
pub(crate) async fn delete_session(
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<StatusCode, RequestError> {
    let id = SessionId::of_path(&uri)?;
    if !broker.store().delete_challenge_response(&id.hash(), broker.now()).await? {
        return Err(RequestError::NoChallengeResponseSession);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /challenge-response/v1/session/<id>`. What is wrong with the request leaves the session as it
/// is; evidence, good or bad, is taken once.
pub(crate) async fn submit_evidence(
    State(broker): State<KeyBroker>,
    _admitted: AdmittedToAttest,
    origin: Origin,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Result<Response, RequestError> {
    must_accept(&headers, SESSION_TYPE)?;
    let id = SessionId::of_path(&uri)?;
    let taken = ARM_CCA.evidence;
    let reading = Reading::of(&headers, taken)?;
    let session = live(&broker, &id).await?;
    if session.status != Status::Waiting {
        return Err(RequestError::EvidenceTaken);
    }
    let settings = broker.settings();
    let body = read_body(body, settings.evidence_bytes, settings.body_timeout).await?;
    let evidence = reading.read(&body, taken)?;
    if !broker.store().claim_challenge_response(&id.hash(), broker.now()).await? {
        live(&broker, &id).await?;
        return Err(RequestError::EvidenceTaken);
    }
    // A task of its own: the session gets its result also when the client goes away.
    let work = tokio::spawn({
        let broker = broker.clone();
        async move { finish(&broker, &origin, &id, session, evidence).await }
    });
    let session = work.await.map_err(|_| RequestError::internal("the verification was cut off"))??;
    Ok(answer(StatusCode::OK, session))
}

/// Verifies the evidence of a claimed session and puts down what came out.
async fn finish(
    broker: &KeyBroker,
    origin: &Origin,
    id: &SessionId,
    session: Stored,
    evidence: SubmittedEvidence,
) -> Result<Stored, RequestError> {
    broker.metrics().attestation_requested();
    let result = result(broker, origin, &session.nonce, &evidence).await;
    broker.metrics().attested(ARM_CCA.tee, result.is_ok());
    let text = result.as_ref().ok().map(String::as_str);
    let there = broker.store().complete_challenge_response(&id.hash(), &evidence, text).await?;
    let result = result.inspect_err(|error| {
        tracing::warn!(code = error.code(), %error, "evidence could not be verified; the session has failed");
    })?;
    if !there {
        return Err(RequestError::NoChallengeResponseSession);
    }
    Ok(Stored { status: Status::Complete, evidence: Some(evidence), result: Some(result), ..session })
}

/// The attestation result. Bad evidence has one too.
async fn result(
    broker: &KeyBroker,
    origin: &Origin,
    nonce: &[u8],
    evidence: &SubmittedEvidence,
) -> Result<String, RequestError> {
    let (attestation, settings) = (broker.attestation(), broker.settings());
    let evaluated = attestation
        .evaluate_direct(DirectEvaluation {
            evidence: RawEvidence::new(ARM_CCA.tee, evidence.bytes.clone()),
            binding: Binding { report_data: Some(nonce.to_vec()), init_data: None },
            policy_ids: &settings.attestation_policies,
            nonce: Some(nonce),
        })
        .await;
    let digest = RawEvidence::new(ARM_CCA.tee, evidence.bytes.clone()).digest();
    let now: UnixTime = broker.now();
    let frame = Frame { scheme: &ARM_CCA, nonce, settings: attestation.token_settings(), now };
    let claims = match evaluated {
        Ok(issued) => {
            tracing::info!(tee = %ARM_CCA.tee, jti = issued.verdict.jti, "attested by challenge-response");
            audited::verdict(broker, origin, &issued).await?;
            ear::for_layers(&frame, &issued)?
        }
        Err(error) => {
            // Evidence that does not hold has a result as well.
            let error = audited::refusal(broker, origin, ARM_CCA.tee, Some(digest), error.into()).await;
            let RequestError::Evaluation(EvaluationError::Evidence { error, .. }) = error else {
                return Err(error);
            };
            tracing::info!(tee = %ARM_CCA.tee, %error, "bad evidence by challenge-response");
            ear::for_bad_evidence(&frame, &error)
        }
    };
    Ok(attestation.keys().current().current().key().sign_jwt(&Map::new(), &claims)?)
}

/// The session, unless it has ended.
async fn live(broker: &KeyBroker, id: &SessionId) -> Result<Stored, RequestError> {
    let found = broker.store().challenge_response(&id.hash()).await?;
    let now = broker.now();
    found.filter(|session| now < session.expires).ok_or(RequestError::NoChallengeResponseSession)
}

fn answer(status: StatusCode, session: Stored) -> Response {
    let body = ChallengeResponseSession {
        status: session.status.as_str().to_owned(),
        nonce: nonce::to_text(&session.nonce),
        expiry: session.expires.to_string(),
        accept: ARM_CCA.evidence.iter().map(|one| (*one).to_owned()).collect(),
        evidence: session.evidence.map(|evidence| EvidenceBlob {
            media_type: evidence.media_type,
            value: BASE64_STANDARD.encode(evidence.bytes),
        }),
        result: session.result,
    };
    (status, [(header::CONTENT_TYPE, SESSION_TYPE)], Json(body)).into_response()
}
