//! REST: the paths and bodies of Trustee's RESTful attestation service.

use assay_access::Caller;
use assay_audit::{Event, Kind, Outcome};
use assay_types::{Coded, Digest, Tee};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::{Extensions, HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::guard::Right;
use super::{FaceError, Faces, health, metrics, wellknown};
use crate::audited::verdict_event;
use crate::issue::Issued;
use crate::messages::{AttestationRequest, ChallengeRequest, PolicyMessage, policy_text};
use crate::passport::PassportError;
use crate::structured::EvidenceRequest;

/// A policy in the list.
#[derive(Serialize)]
struct Listed {
    #[serde(rename = "policy-id")]
    policy_id: String,
}

/// The routes.
pub(crate) fn routes() -> Router<Faces> {
    Router::new()
        .route("/attestation", post(attestation))
        .route("/challenge", post(challenge))
        .route("/policy", get(policies).post(set_policy))
        .route("/policy/{*id}", get(policy))
        .route("/.well-known/jwks.json", get(wellknown::jwks))
        .route("/.well-known/openid-configuration", get(wellknown::discovery))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
}

async fn attestation(
    State(faces): State<Faces>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Body,
) -> Result<Response, FaceError> {
    // Before the body is read: it is large.
    if faces.is_guest(&headers, &extensions, faces.inner.attestation_limiter.as_ref())? {
        let request: AttestationRequest = faces.json(body).await?;
        return Ok(plain(faces.passport(request).await?));
    }
    let caller = faces.allow(&headers, &extensions, &Right::EVALUATE)?;
    let AttestationRequest { verification_requests, policy_ids } = faces.json(body).await?;
    let requests =
        verification_requests.iter().map(EvidenceRequest::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(plain(faces.evaluate(&caller, &requests, &policy_ids).await?))
}

async fn challenge(
    State(faces): State<Faces>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Body,
) -> Result<Response, FaceError> {
    if !faces.is_guest(&headers, &extensions, faces.inner.challenge_limiter.as_ref())? {
        faces.allow(&headers, &extensions, &Right::EVALUATE)?;
    }
    let request: ChallengeRequest = faces.json(body).await?;
    Ok(plain(faces.challenge(&request.tee)?))
}

async fn set_policy(
    State(faces): State<Faces>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Body,
) -> Result<StatusCode, FaceError> {
    let caller = faces.allow(&headers, &extensions, &Right::SET_POLICY)?;
    let message: PolicyMessage = faces.json(body).await?;
    let text = policy_text(&message.policy)?;
    faces.set_policy(caller, message.policy_id, text).await?;
    Ok(StatusCode::OK)
}

async fn policies(
    State(faces): State<Faces>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, FaceError> {
    faces.allow(&headers, &extensions, &Right::READ_POLICY)?;
    let list = faces.inner.service.policies().list().into_iter();
    let list: Vec<Listed> = list.map(|policy| Listed { policy_id: policy.id }).collect();
    Ok(Json(list).into_response())
}

async fn policy(
    State(faces): State<Faces>,
    headers: HeaderMap,
    extensions: Extensions,
    Path(id): Path<String>,
) -> Result<Response, FaceError> {
    faces.allow(&headers, &extensions, &Right::READ_POLICY)?;
    match faces.inner.service.policies().get(&id) {
        Some(policy) => Ok(plain(policy.text.to_string())),
        None => Err(FaceError::NoPolicy { id: id.chars().take(256).collect() }),
    }
}

impl Faces {
    /// A token for whoever may have evidence evaluated.
    pub(crate) async fn evaluate(
        &self,
        caller: &Caller,
        requests: &[EvidenceRequest],
        policy_ids: &[String],
    ) -> Result<String, FaceError> {
        let evidence = requests.first().map(|request| (request.evidence.tee, request.evidence.digest()));
        let result = self.inner.passports.evaluate(requests, policy_ids).await;
        let issued = self.recorded(caller.name(), evidence, result).await?;
        tracing::debug!(caller = %caller.name(), jti = issued.verdict.jti, "evaluated");
        Ok(issued.token)
    }

    /// A token for a guest.
    async fn passport(&self, request: AttestationRequest) -> Result<String, FaceError> {
        let opened = self.inner.passports.open(request).await?;
        let evidence = Some((opened.tee(), opened.evidence()));
        let result = self.inner.passports.redeem(opened).await;
        Ok(self.recorded("guest", evidence, result).await?.token)
    }

    /// Records what became of evidence: nothing is answered that is not recorded.
    async fn recorded(
        &self,
        who: &str,
        evidence: Option<(Tee, Digest)>,
        result: Result<Issued, PassportError>,
    ) -> Result<Issued, FaceError> {
        if let Some((tee, _)) = &evidence {
            self.inner.metrics.evaluated(*tee, result.is_ok());
        }
        let event = match (&result, evidence) {
            (Ok(issued), _) => verdict_event(&issued.verdict, issued.reference_values()),
            (Err(error), Some((tee, digest))) => refusal(Kind::Refusal, error).evidence(tee, digest, None),
            (Err(error), None) => refusal(Kind::Refusal, error),
        };
        self.inner.audit.append(event.who(who)).await?;
        Ok(result?)
    }

    pub(crate) fn challenge(&self, tee: &str) -> Result<String, FaceError> {
        let challenge = self.inner.passports.challenge(tee)?;
        self.inner.metrics.challenged();
        Ok(challenge)
    }

    /// Sets a policy, in a task of its own: a caller who goes away half-way must not leave a policy in the
    /// store that is not in force.
    pub(crate) async fn set_policy(&self, caller: Caller, id: String, text: String) -> Result<(), FaceError> {
        let (service, audit) = (std::sync::Arc::clone(&self.inner.service), self.inner.audit.clone());
        let change = async move {
            let policies = service.policies();
            let set = policies.set(&id, &text).await;
            let version = policies.get(&id).map_or(0, |policy| policy.version);
            let event = match &set {
                Ok(_) => Event::new(Kind::Admin, Outcome::Ok),
                Err(error) => refusal(Kind::Admin, error),
            };
            let version = if set.is_ok() { version } else { 0 };
            let digest = Digest::sha384(text.as_bytes());
            let event = event.action("attestation policy set").target(id.as_str()).who(caller.name());
            audit.append(event.policy(&id, version, Some(digest))).await?;
            set?;
            Ok(())
        };
        tokio::spawn(change).await.map_err(|_| FaceError::internal("a change of policies was interrupted"))?
    }

    async fn json<T: DeserializeOwned>(&self, body: Body) -> Result<T, FaceError> {
        let bytes = self.body(body).await?;
        serde_json::from_slice(&bytes).map_err(|error| FaceError::Json { detail: error.to_string() })
    }

    async fn body(&self, body: Body) -> Result<Bytes, FaceError> {
        let (limit, time) = (self.inner.settings.body_bytes, self.inner.settings.body_timeout);
        match tokio::time::timeout(time, Limited::new(body, limit).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(FaceError::BodyTooLarge { limit }),
            Ok(Err(_)) => Err(FaceError::BodyCutOff),
            Err(_) => Err(FaceError::BodyTimeout { seconds: time.as_secs() }),
        }
    }
}

fn refusal(kind: Kind, error: &impl Coded) -> Event {
    Event::new(kind, Outcome::Refused).failed(error.fault(), error.code())
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
