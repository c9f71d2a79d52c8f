//! `POST /kbs/v0/attest`: evidence for a challenge, a token for evidence.
//!
//! Any number of attempts may be made for a challenge, also at once, and each is verified in full;
//! the store takes the challenge once, and only that attempt gets its token.

use assay_attestation_service::{Evaluation, Issued};
use assay_store::{AttestedSession, StoreError};
use assay_types::{Attestation, AttestationAnswer, Coded as _, HashAlgorithm};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::HeaderMap;
use subtle::ConstantTimeEq as _;

use crate::auth::with_cookie;
use crate::challenge::Challenge;
use crate::credentials::session_cookie;
use crate::limits::{AdmittedToAttest, Connection, read_body, read_json};
use crate::{KeyBroker, RequestError};

pub(crate) async fn attest(
    State(broker): State<KeyBroker>,
    _admitted: AdmittedToAttest,
    headers: HeaderMap,
    connection: Option<Extension<Connection>>,
    body: Body,
) -> Result<Response, RequestError> {
    let settings = broker.settings();
    let now = broker.now();
    let cookie = session_cookie(&headers).ok_or(RequestError::NoCookie)?;
    let challenge = broker.sealer().open(cookie, now).await?;
    let tee = challenge.tee();
    broker.metrics().attestation_requested();
    let result = async {
        let body = read_body(body, settings.body_bytes, settings.body_timeout).await?;
        let attestation: Attestation = read_json(&body)?;
        let issued = evaluate(&broker, &challenge, &attestation).await?;
        record(&broker, &challenge, issued).await
    }
    .await;
    broker.metrics().attested(tee, result.is_ok());
    let token = result.inspect_err(|error| {
        tracing::info!(%tee, code = error.code(), %error, "attestation refused");
    })?;
    let seconds = challenge.ends().0.saturating_sub(now.0);
    with_cookie(connection, cookie, seconds, Json(AttestationAnswer { token }))
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
    let evaluation = Evaluation {
        tee: challenge.tee(),
        evidence: &attestation.tee_evidence,
        runtime_data: &attestation.runtime_data,
        runtime_data_hash: HashAlgorithm::Sha384,
        init_data: attestation.init_data.as_ref(),
        policy_ids: &broker.settings().attestation_policies,
    };
    Ok(broker.attestation().evaluate(evaluation).await?)
}

/// Takes the challenge, and gives the token to the one who did.
async fn record(broker: &KeyBroker, challenge: &Challenge, issued: Issued) -> Result<String, RequestError> {
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
        token: token.clone(),
        verdict: text,
    };
    match broker.store().record_attestation(session).await {
        Ok(()) => {
            let tee = challenge.tee();
            tracing::info!(%tee, jti = verdict.jti, %status, emulated = verdict.emulated, "attested");
            Ok(token)
        }
        Err(StoreError::AlreadyUsed) => Err(RequestError::ChallengeUsed),
        Err(error) => Err(error.into()),
    }
}
