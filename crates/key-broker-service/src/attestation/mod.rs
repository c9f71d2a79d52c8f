//! The attestation service's own interface for guests, in the form of Trustee's: a challenge, and a
//! token that is shown to others (the passport model of RFC 9334). Closed unless a setting opens it.
//!
//! Nothing is stored for a challenge: it is sealed as RCAR's cookie is, for a purpose of its own, and
//! comes back as the nonce in the runtime data. The store takes each challenge once.

mod messages;

use assay_attestation_service::{
    BoundInitData, EvaluationError, Issued, MAX_POLICY_IDS, StructuredEvaluation,
};
use assay_types::{Coded as _, Digest, HashAlgorithm, RawEvidence, Tee};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use http::header;
use serde_json::Value;

use self::messages::InitDataInput;
use crate::attest::record;
use crate::audited;
use crate::auth::taken;
use crate::challenge::{Challenge, Purpose};
use crate::limits::{AdmittedToAttest, AdmittedToAuth, read_body, read_json};
use crate::origin::Origin;
use crate::{KeyBroker, RequestError};

pub(crate) use messages::{AttestationRequest, ChallengeRequest, RuntimeDataInput, VerificationRequest};

/// `POST /challenge`.
pub(crate) async fn challenge(
    State(broker): State<KeyBroker>,
    _admitted: AdmittedToAuth,
    body: Body,
) -> Result<Response, RequestError> {
    let settings = broker.settings();
    let body = read_body(body, settings.auth_body_bytes, settings.body_timeout).await?;
    let request: ChallengeRequest = read_json(&body)?;
    let tee = taken(&broker, &request.tee)?;
    let challenge = Challenge::new(tee, broker.now(), settings.session_seconds)?;
    let text = broker.sealer().seal_for(Purpose::Passport, &challenge)?;
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
    let settings = broker.settings();
    let body = read_body(body, settings.body_bytes, settings.body_timeout).await?;
    let AttestationRequest { verification_requests, policy_ids } = read_json(&body)?;
    if policy_ids.len() > MAX_POLICY_IDS {
        // Before anything is done with them: a body holds very many.
        return Err(EvaluationError::TooManyPolicies { found: policy_ids.len() }.into());
    }
    let found = verification_requests.len();
    let [request] = <[VerificationRequest; 1]>::try_from(verification_requests)
        .map_err(|_| RequestError::VerificationRequests { found })?;
    let runtime_data = fresh(request.runtime_data.as_ref())?;
    let challenge = broker.sealer().open_for(Purpose::Passport, runtime_data.nonce, broker.now()).await?;
    let tee = challenge.tee();
    broker.metrics().attestation_requested();
    let result = async {
        let issued = match evaluate(&broker, tee, &request, runtime_data.all, &policy_ids).await {
            Ok(issued) => issued,
            Err(error) => {
                let digest = bytes("evidence", &request.evidence).ok().map(|bytes| Digest::sha256(&bytes));
                return Err(audited::refusal(&broker, &origin, tee, digest, error).await);
            }
        };
        let token = issued.token.clone();
        record(&broker, &origin, &challenge, issued).await.map_err(|error| match error {
            RequestError::ChallengeUsed => RequestError::PassportGiven,
            other => other,
        })?;
        Ok(plain(token))
    }
    .await;
    broker.metrics().attested(tee, result.is_ok());
    result.inspect_err(|error: &RequestError| {
        tracing::info!(%tee, code = error.code(), %error, "attestation refused");
    })
}

/// Runtime data that can be fresh and name a key.
struct Fresh<'a> {
    nonce: &'a str,
    all: &'a Value,
}

/// What a token needs: without a nonce it could rest on evidence of long ago, without a key it would be
/// anybody's.
fn fresh(input: Option<&RuntimeDataInput>) -> Result<Fresh<'_>, RequestError> {
    let refused = |why| Err(RequestError::RuntimeData { why });
    let all = match input {
        Some(RuntimeDataInput::Structured(all)) => all,
        Some(RuntimeDataInput::Raw(_)) => return refused("raw runtime data name no challenge and no key"),
        None => return refused("there are none"),
    };
    let Some(nonce) = all.get("nonce").and_then(Value::as_str) else {
        return refused("they have no nonce");
    };
    if !all.get("tee-pubkey").is_some_and(Value::is_object) {
        return refused("they have no tee-pubkey, a JWK");
    }
    // Named evidence that nobody verifies would look as if somebody had.
    if all.get("additional-evidence").is_some_and(|text| text.as_str() != Some("")) {
        return refused("they name additional evidence, and evidence of devices is not taken here");
    }
    Ok(Fresh { nonce, all })
}

async fn evaluate(
    broker: &KeyBroker,
    challenged: Tee,
    request: &VerificationRequest,
    runtime_data: &Value,
    asked_for: &[String],
) -> Result<Issued, RequestError> {
    let tee: Tee = request.tee.parse()?;
    if tee != challenged {
        return Err(RequestError::OtherTee { challenged, found: tee });
    }
    let evidence = bytes("evidence", &request.evidence)?;
    let runtime_data_hash = match &request.runtime_data_hash_algorithm {
        None => HashAlgorithm::Sha384,
        Some(name) => name.parse().map_err(|error| RequestError::Json {
            detail: format!("runtime_data_hash_algorithm: {error}"),
        })?,
    };
    let init_data = match &request.init_data {
        None => None,
        Some(InitDataInput::InitDataToml(text)) => Some(BoundInitData::Toml(text)),
        Some(InitDataInput::InitDataDigest(text)) => {
            Some(BoundInitData::Digest(digest(bytes("init_data_digest", text)?)?))
        }
    };
    let policy_ids = policy_ids(&broker.settings().attestation_policies, asked_for);
    let evaluation = StructuredEvaluation {
        evidence: RawEvidence::new(tee, evidence),
        runtime_data,
        runtime_data_hash,
        init_data,
        policy_ids: &policy_ids,
    };
    Ok(broker.attestation().evaluate_structured(evaluation).await?)
}

/// The policies of the settings, and those asked for. The former always judge: the token opens secrets,
/// and a guest could else choose a policy that was made for others. The worst result counts, so what a
/// guest adds can only be stricter.
fn policy_ids(settings: &[String], asked_for: &[String]) -> Vec<String> {
    let default = [assay_attestation_service::DEFAULT_POLICY_ID.to_owned()];
    let ours = if settings.is_empty() { &default } else { settings };
    let mut all = ours.to_vec();
    for id in asked_for {
        if !all.contains(id) {
            all.push(id.clone());
        }
    }
    all
}

/// The digest of these bytes' length; what made it is told by nothing else.
fn digest(bytes: Vec<u8>) -> Result<Digest, RequestError> {
    let found = bytes.len();
    HashAlgorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.digest_len() == found)
        .and_then(|algorithm| Digest::new(algorithm, bytes).ok())
        .ok_or(RequestError::InitDataDigest { found })
}

fn bytes(member: &'static str, text: &str) -> Result<Vec<u8>, RequestError> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| RequestError::Base64 { member })
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_policies_always_judge() {
        let ids = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(policy_ids(&[], &[]), ids(&["default"]));
        assert_eq!(policy_ids(&[], &ids(&["strict", "default", "strict"])), ids(&["default", "strict"]));
        assert_eq!(policy_ids(&ids(&["a", "b"]), &ids(&["b", "c"])), ids(&["a", "b", "c"]));
    }

    #[test]
    fn digests_are_known_by_their_length() {
        for (length, good) in
            [(0, false), (20, false), (32, true), (47, false), (48, true), (64, true), (65, false)]
        {
            let found = digest(vec![7; length]);
            assert_eq!(found.is_ok(), good, "{length}");
        }
    }
}
