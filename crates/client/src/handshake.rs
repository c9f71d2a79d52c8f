//! What every way to a token has in common: a challenge, a new key, evidence bound to both, a token.

use std::sync::Arc;

use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{Clock, Digest, HashAlgorithm, RuntimeData, canonical_digest};
use bytes::Bytes;
use http::header::{ACCEPT, COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::addresses::Addresses;
use crate::connection::{Answer, Ask, Connection, Trouble, protocol};
use crate::error::ClientError;
use crate::evidence::{EvidenceError, EvidenceProvider};
use crate::token::Token;

/// The code of a key broker that has no attestation service to ask.
const ELSEWHERE: &str = "KBS-053";

/// The longest challenge, in bytes.
pub(crate) const MAX_CHALLENGE: usize = 64 * 1024;
/// The longest answer with a token, in bytes.
pub(crate) const MAX_TOKEN_ANSWER: usize = 1024 * 1024;

/// What a handshake brings: a token, and the key that secrets for it are encrypted to.
pub(crate) struct Session {
    pub(crate) token: Token,
    pub(crate) key: DecryptionKey,
    /// The header `Cookie` of the key broker's session; none beside a passport.
    pub(crate) cookie: Option<HeaderValue>,
}

/// Who is asked for the token, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// The key broker service, by RCAR.
    Rcar,
    /// An attestation service, whose token is shown to others (RFC 9334, 5.1: the passport model).
    Passport,
}

/// What a handshake needs.
pub(crate) struct Guest {
    pub(crate) handshake: Handshake,
    /// Of the service that gives the token.
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) provider: Arc<dyn EvidenceProvider>,
    pub(crate) key_algorithm: KeyAlgorithm,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Guest {
    /// Does the whole handshake once, with a new key; from its beginning at another address where one
    /// fails.
    pub(crate) async fn attest(&self, deadline: Instant) -> Result<Session, Trouble> {
        self.addresses
            .at_one(deadline, |connection| async move {
                match self.handshake {
                    Handshake::Rcar => self.rcar(connection, deadline).await,
                    Handshake::Passport => self.passport(connection, deadline).await,
                }
            })
            .await
    }

    /// A new key, and the runtime data with it. Making an RSA key takes a while, so it is no work for
    /// the runtime's threads.
    pub(crate) async fn new_key(&self, nonce: String) -> Result<(DecryptionKey, RuntimeData), ClientError> {
        let algorithm = self.key_algorithm;
        let key = tokio::task::spawn_blocking(move || DecryptionKey::generate(algorithm))
            .await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| {
                ClientError::Evidence(EvidenceError::with_source(format!("no key: {error}"), error))
            })?;
        let tee_pubkey = serde_json::to_value(key.public_jwk()).map_err(|e| failed(e.to_string()))?;
        Ok((key, RuntimeData { nonce, tee_pubkey }))
    }

    /// The primary evidence, bound to `runtime_data`.
    pub(crate) async fn primary_evidence(
        &self,
        runtime_data: &Value,
        hash: HashAlgorithm,
        deadline: Instant,
    ) -> Result<Value, ClientError> {
        let digest = digest(runtime_data, hash)?;
        timeout_at(deadline, self.provider.evidence(&digest))
            .await
            .map_err(late)?
            .map_err(ClientError::Evidence)
    }

    /// The evidence of devices, bound to `runtime_data`.
    pub(crate) async fn additional_evidence(
        &self,
        runtime_data: &Value,
        hash: HashAlgorithm,
        deadline: Instant,
    ) -> Result<String, ClientError> {
        let digest = digest(runtime_data, hash)?;
        timeout_at(deadline, self.provider.additional_evidence(&digest))
            .await
            .map_err(late)?
            .map_err(ClientError::Evidence)
    }
}

/// One request of a handshake.
pub(crate) struct Post<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) path: &'a [&'a str],
    pub(crate) accept: &'static str,
    pub(crate) cookie: Option<HeaderValue>,
    pub(crate) limit: usize,
    pub(crate) deadline: Instant,
    /// What should be at the path: `key broker service`.
    pub(crate) service: &'static str,
}

impl Post<'_> {
    pub(crate) async fn send(self, body: &impl Serialize) -> Result<Answer, Trouble> {
        let body = serde_json::to_vec(body).map_err(|error| failed(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(self.accept));
        if let Some(cookie) = self.cookie {
            headers.insert(COOKIE, cookie);
        }
        let ask = Ask {
            method: Method::POST,
            url: self.connection.url(self.path.iter().copied())?,
            headers,
            body: Some(("application/json", Bytes::from(body))),
            limit: self.limit,
            deadline: Some(self.deadline),
        };
        let service = self.service;
        self.connection.send(ask).await.map_err(|trouble| match trouble {
            // There are no credentials yet that could be better: the server does not want this guest.
            Trouble::Unauthenticated { what, problem } => {
                ClientError::Denied { what, status: 401, problem }.into()
            }
            // A key broker that takes no evidence says who does.
            Trouble::Final(ClientError::NotFound { what, problem })
                if problem.more.get("code").is_some_and(|code| code == ELSEWHERE) =>
            {
                ClientError::Denied { what, status: 404, problem }.into()
            }
            Trouble::Final(ClientError::NotFound { what, .. }) => {
                protocol(&what, format!("answered 404: there is no {service} at this URL")).into()
            }
            other => other,
        })
    }
}

/// There is no evidence, for a reason of this side.
pub(crate) fn failed(why: impl Into<String>) -> ClientError {
    ClientError::Evidence(EvidenceError::new(why))
}

fn late(_: tokio::time::error::Elapsed) -> ClientError {
    failed("the evidence was not there before the deadline")
}

fn digest(value: &Value, hash: HashAlgorithm) -> Result<Digest, ClientError> {
    canonical_digest(value, hash).map_err(|error| failed(error.to_string()))
}
