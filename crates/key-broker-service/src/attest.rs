//! `POST /kbs/v0/attest`: evidence for a challenge, a token for evidence.
//!
//! Any number of attempts may be made for a challenge, also at once, and each is verified in full;
//! the store takes the challenge once, and only that attempt gets its token.
//!
//! The token is given within JSON, as ever, unless `Accept` asks for an attestation result of another
//! form ([`EarForm`]): then it is the whole body. The session keeps the token of the usual form.

use assay_attestation_service::{Evaluation, Issued};
use assay_listener::Connection;
use assay_store::{AttestedSession, StoreError};
use assay_token::{EarForm, EarMedia};
use assay_types::{Attestation, AttestationAnswer, Coded as _, Digest, HashAlgorithm};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use crate::audited;
use crate::auth::with_cookie;
use crate::challenge::Challenge;
use crate::credentials::session_cookie;
use crate::limits::{AdmittedToAttest, read_body, read_json};
use crate::origin::Origin;
use crate::{KeyBroker, RequestError};

pub(crate) async fn attest(
    State(broker): State<KeyBroker>,
    _admitted: AdmittedToAttest,
    origin: Origin,
    headers: HeaderMap,
    connection: Option<Extension<Connection>>,
    body: Body,
) -> Result<Response, RequestError> {
    let settings = broker.settings();
    let now = broker.now();
    let form = accepted_form(&headers)?;
    let cookie = session_cookie(&headers).ok_or(RequestError::NoCookie)?;
    let challenge = broker.sealer().open(cookie, now).await?;
    let tee = challenge.tee();
    broker.metrics().attestation_requested();
    assay_telemetry::note_tee(tee.as_str());
    let result = async {
        let body = read_body(body, settings.body_bytes, settings.body_timeout).await?;
        let attestation: Attestation = read_json(&body)?;
        let issued = match evaluate(&broker, &challenge, &attestation).await {
            Ok(issued) => issued,
            Err(error) => {
                let evidence = attestation.tee_evidence.primary_evidence.get().as_bytes();
                let digest = Some(Digest::sha256(evidence));
                return Err(audited::refusal(&broker, &origin, tee, digest, error).await);
            }
        };
        // Before the challenge is used up: what fails here may be tried again.
        let answer = match form.media() {
            EarMedia::Json => Json(AttestationAnswer { token: issued.token.clone() }).into_response(),
            EarMedia::EatJwt | EarMedia::EatCwt | EarMedia::Jwt => {
                let token = issued.in_form(form, &broker.attestation().keys().current())?;
                ([(header::CONTENT_TYPE, form.content_type())], token).into_response()
            }
        };
        record(&broker, &origin, &challenge, issued).await?;
        Ok(answer)
    }
    .await;
    broker.metrics().attested(tee, result.is_ok());
    let answer = result.inspect_err(|error: &RequestError| {
        tracing::info!(%tee, code = error.code(), %error, "attestation refused");
    })?;
    let seconds = challenge.ends().0.saturating_sub(now.0);
    with_cookie(connection, cookie, seconds, answer)
}

/// The form that the client accepts; several headers are one list (RFC 9110, 5.3).
fn accepted_form(headers: &HeaderMap) -> Result<EarForm, RequestError> {
    let lines: Vec<_> = headers.get_all(header::ACCEPT).iter().map(|line| line.as_bytes()).collect();
    let accept = lines.join(&b", "[..]);
    // A line that is not UTF-8 asks for nothing that there is.
    let accept = (!lines.is_empty()).then(|| String::from_utf8_lossy(&accept));
    Ok(EarForm::negotiate(accept.as_deref())?)
}

async fn evaluate(
    broker: &KeyBroker,
    challenge: &Challenge,
    attestation: &Attestation,
) -> Result<Issued, RequestError> {
    let same = attestation.runtime_data.nonce.as_bytes().ct_eq(challenge.nonce().as_bytes());
    if !bool::from(same) {
        return Err(RequestError::WrongNonce);
    }
    if broker.sessions().is_remembered(challenge.session_hash()) {
        return Err(RequestError::ChallengeUsed);
    }
    let settings = broker.settings();
    let evaluation = Evaluation {
        tee: challenge.tee(),
        evidence: &attestation.tee_evidence,
        runtime_data: &attestation.runtime_data,
        runtime_data_hash: HashAlgorithm::Sha384,
        init_data: attestation.init_data.as_ref(),
        policy_ids: &settings.attestation_policies,
    };
    Ok(broker.attestation().evaluate(evaluation).await?)
}

/// Records the verdict and takes the challenge for this token, which only the one who did may have: a
/// verdict may be followed by a refusal.
pub(crate) async fn record(
    broker: &KeyBroker,
    origin: &Origin,
    challenge: &Challenge,
    issued: Issued,
) -> Result<(), RequestError> {
    audited::verdict(broker, origin, &issued).await?;
    let Issued { token, verdict, .. } = issued;
    let status = verdict.status;
    let text = serde_json::to_string(&verdict)
        .map_err(|error| RequestError::internal(format!("the verdict has no JSON form: {error}")))?;
    // Beyond the session's end: the challenge must stay used as long as its cookie opens, and the
    // verdict is asked for after a refusal.
    let last = challenge.ends().max(verdict.expires);
    let session = AttestedSession {
        challenge_hash: challenge.challenge_hash(),
        session_hash: challenge.session_hash(),
        jti: verdict.jti.clone(),
        expires: last.plus(broker.settings().verdict_seconds),
        token,
        verdict: text,
    };
    match broker.store().record_attestation(session).await {
        Ok(()) => {
            let tee = challenge.tee();
            tracing::info!(%tee, jti = verdict.jti, %status, emulated = verdict.emulated, "attested");
            Ok(())
        }
        Err(StoreError::AlreadyUsed) => {
            let error = RequestError::ChallengeUsed;
            Err(audited::refusal(broker, origin, challenge.tee(), None, error).await)
        }
        Err(error) => Err(error.into()),
    }
}
