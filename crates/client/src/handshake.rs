//! One RCAR handshake: request, challenge, attestation, token.

use std::sync::Arc;

use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{
    Attestation, AttestationAnswer, Challenge, Clock, CompositeEvidence, Digest, HashAlgorithm,
    PROTOCOL_VERSION, Request, RuntimeData, SESSION_COOKIE, additional_runtime_data, canonical_digest,
    primary_runtime_data,
};
use bytes::Bytes;
use http::header::{ACCEPT, COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::connection::{Answer, Ask, Connection, Trouble, protocol};
use crate::cookie::session_cookie;
use crate::error::ClientError;
use crate::evidence::{EvidenceError, EvidenceProvider};
use crate::token::Token;

/// The longest challenge, in bytes.
const MAX_CHALLENGE: usize = 64 * 1024;
/// The longest answer with a token, in bytes.
const MAX_TOKEN_ANSWER: usize = 1024 * 1024;

const AUTH: &str = "POST /kbs/v0/auth";
const ATTEST: &str = "POST /kbs/v0/attest";

/// What a handshake brings: a token, and the key that secrets for it are encrypted to.
pub(crate) struct Session {
    pub(crate) token: Token,
    pub(crate) key: DecryptionKey,
    /// The header `Cookie` of the server's session.
    pub(crate) cookie: HeaderValue,
}

/// What a handshake needs.
pub(crate) struct Guest {
    pub(crate) connection: Connection,
    pub(crate) provider: Arc<dyn EvidenceProvider>,
    pub(crate) key_algorithm: KeyAlgorithm,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Guest {
    /// Does the whole handshake once, with a new key.
    pub(crate) async fn handshake(&self, deadline: Instant) -> Result<Session, Trouble> {
        let asked = self.clock.now();
        let request = Request {
            version: PROTOCOL_VERSION.to_owned(),
            tee: self.provider.tee(),
            extra_params: json!({ "supported-hash-algorithms": HashAlgorithm::ALL }),
        };
        let answer = self.post("auth", &request, None, MAX_CHALLENGE, deadline).await?;
        let challenge: Challenge = answer.json(AUTH)?;
        if challenge.nonce.is_empty() {
            return Err(protocol(AUTH, "the challenge has an empty nonce").into());
        }
        let hash = hash_algorithm(&challenge.extra_params)?;
        let cookie = cookie_header(&answer)?
            .ok_or_else(|| protocol(AUTH, format!("the answer sets no cookie {SESSION_COOKIE}")))?;

        let key = self.new_key().await?;
        let tee_pubkey = serde_json::to_value(key.public_jwk()).map_err(|e| failed(e.to_string()))?;
        let runtime_data = RuntimeData { nonce: challenge.nonce, tee_pubkey };
        let tee_evidence = self.evidence(&runtime_data, hash, deadline).await?;
        let attestation = Attestation { init_data: self.provider.init_data(), runtime_data, tee_evidence };

        let answer =
            self.post("attest", &attestation, Some(cookie.clone()), MAX_TOKEN_ANSWER, deadline).await?;
        let AttestationAnswer { token } = answer.json(ATTEST)?;
        let token = Token::read(token, asked).map_err(|why| protocol(ATTEST, why))?;
        let cookie = cookie_header(&answer)?.unwrap_or(cookie);
        tracing::debug!(jti = token.id(), expires = %token.expires(), "attested");
        Ok(Session { token, key, cookie })
    }

    /// Making an RSA key takes a while, so it is no work for the runtime's threads.
    async fn new_key(&self) -> Result<DecryptionKey, ClientError> {
        let algorithm = self.key_algorithm;
        tokio::task::spawn_blocking(move || DecryptionKey::generate(algorithm))
            .await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| {
                ClientError::Evidence(EvidenceError::with_source(format!("no key: {error}"), error))
            })
    }

    async fn evidence(
        &self,
        runtime_data: &RuntimeData,
        hash: HashAlgorithm,
        deadline: Instant,
    ) -> Result<CompositeEvidence, ClientError> {
        let digest = |value: &Value| -> Result<Digest, ClientError> {
            canonical_digest(value, hash).map_err(|error| failed(error.to_string()))
        };
        let late = |_| failed("the evidence was not there before the deadline");
        let devices = digest(&additional_runtime_data(runtime_data))?;
        let additional_evidence = timeout_at(deadline, self.provider.additional_evidence(&devices))
            .await
            .map_err(late)?
            .map_err(ClientError::Evidence)?;
        let primary = digest(&primary_runtime_data(runtime_data, &additional_evidence))?;
        let primary_evidence = timeout_at(deadline, self.provider.evidence(&primary))
            .await
            .map_err(late)?
            .map_err(ClientError::Evidence)?;
        let primary_evidence =
            serde_json::value::to_raw_value(&primary_evidence).map_err(|error| failed(error.to_string()))?;
        Ok(CompositeEvidence { primary_evidence, additional_evidence })
    }

    async fn post(
        &self,
        endpoint: &str,
        body: &impl Serialize,
        cookie: Option<HeaderValue>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Answer, Trouble> {
        let body = serde_json::to_vec(body).map_err(|error| failed(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(cookie) = cookie {
            headers.insert(COOKIE, cookie);
        }
        let ask = Ask {
            method: Method::POST,
            url: self.connection.url(["kbs", "v0", endpoint])?,
            headers,
            body: Some(("application/json", Bytes::from(body))),
            limit,
            deadline: Some(deadline),
        };
        self.connection.send(ask).await.map_err(|trouble| match trouble {
            // There are no credentials yet that could be better: the server does not want this guest.
            Trouble::Unauthenticated { what, problem } => {
                ClientError::Denied { what, status: 401, problem }.into()
            }
            Trouble::Final(ClientError::NotFound { what, .. }) => {
                protocol(&what, "answered 404: there is no key broker service at this URL").into()
            }
            other => other,
        })
    }
}

fn failed(why: impl Into<String>) -> ClientError {
    ClientError::Evidence(EvidenceError::new(why))
}

/// The hash that the challenge selects; SHA-384 where it selects none.
fn hash_algorithm(extra_params: &Value) -> Result<HashAlgorithm, ClientError> {
    match extra_params.get("selected-hash-algorithm") {
        None | Some(Value::Null) => Ok(HashAlgorithm::Sha384),
        Some(Value::String(name)) => {
            name.parse().map_err(|error| protocol(AUTH, format!("the challenge selects a hash: {error}")))
        }
        Some(_) => Err(protocol(AUTH, "selected-hash-algorithm in the challenge is no text")),
    }
}

fn cookie_header(answer: &Answer) -> Result<Option<HeaderValue>, ClientError> {
    let Some(value) = session_cookie(&answer.headers).map_err(|why| protocol(AUTH, why))? else {
        return Ok(None);
    };
    let mut header = HeaderValue::from_str(&format!("{SESSION_COOKIE}={value}"))
        .map_err(|_| protocol(AUTH, format!("the cookie {SESSION_COOKIE} cannot be sent back")))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_selects_the_hash_and_sha384_is_the_default() {
        for (extra, hash) in [
            (json!(""), HashAlgorithm::Sha384),
            (json!({}), HashAlgorithm::Sha384),
            (json!({ "selected-hash-algorithm": "SHA512" }), HashAlgorithm::Sha512),
            (json!({ "selected-hash-algorithm": "sha256" }), HashAlgorithm::Sha256),
        ] {
            assert_eq!(hash_algorithm(&extra).unwrap(), hash, "{extra}");
        }
        for extra in [json!({ "selected-hash-algorithm": "sm3" }), json!({ "selected-hash-algorithm": 384 })]
        {
            assert!(matches!(hash_algorithm(&extra), Err(ClientError::Protocol { .. })), "{extra}");
        }
    }
}
