//! `POST /kbs/v0/attest`: evidence for a challenge, a token for evidence.
//!
//! Any number of attempts may be made for a challenge, also at once, and each is verified in full;
//! the store takes the challenge once, and only that attempt gets its token.
//!
//! The token is given within JSON, as ever, unless `Accept` asks for an attestation result of another
//! form ([`EarForm`]): then it is the whole body. The session keeps the token of the usual form.

use assay_attestation_service::{Challenge, Evaluation, record};
use assay_listener::Connection;
use assay_store::StoreError;
use assay_token::{EarForm, EarMedia};
use assay_types::{Attestation, AttestationAnswer, Coded as _, Digest, HashAlgorithm};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use crate::attestation_backend::Evaluated;
use crate::audited;
use crate::auth::with_cookie;
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
        let evaluated = match evaluate(&broker, &challenge, &attestation).await {
            Ok(evaluated) => evaluated,
            Err(error) => {
                let evidence = attestation.tee_evidence.primary_evidence.get().as_bytes();
                let digest = Some(Digest::sha256(evidence));
                return Err(audited::refusal(&broker, &origin, tee, digest, error).await);
            }
        };
        // Before the challenge is used up: what fails here may be tried again.
        let answer = in_form(&broker, &evaluated, form)?;
        // A verdict may be followed by a refusal.
        audited::verdict(&broker, &origin, &evaluated.verdict, evaluated.values.clone()).await?;
        let seconds = settings.verdict_seconds;
        match record(broker.store(), &challenge, evaluated.token, &evaluated.verdict, seconds).await {
            Ok(()) => Ok(answer),
            Err(StoreError::AlreadyUsed) => {
                Err(audited::refusal(&broker, &origin, tee, None, RequestError::ChallengeUsed).await)
            }
            Err(error) => Err(error.into()),
        }
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

/// The answer in the form that the client accepts. A token of a remote service has the one form it came in.
fn in_form(broker: &KeyBroker, evaluated: &Evaluated, form: EarForm) -> Result<Response, RequestError> {
    if form.media() == EarMedia::Json {
        return Ok(Json(AttestationAnswer { token: evaluated.token.clone() }).into_response());
    }
    let Some(issued) = &evaluated.issued else {
        return Err(RequestError::NotAcceptable { offered: "application/json" });
    };
    let token = issued.in_form(form, &broker.local()?.keys().current())?;
    Ok(([(header::CONTENT_TYPE, form.content_type())], token).into_response())
}

async fn evaluate(
    broker: &KeyBroker,
    challenge: &Challenge,
    attestation: &Attestation,
) -> Result<Evaluated, RequestError> {
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
    broker.attestation().evaluate(evaluation).await
}
