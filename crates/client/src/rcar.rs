//! The RCAR handshake: request, challenge, attestation, token.

use assay_types::{
    Attestation, AttestationAnswer, Challenge, CompositeEvidence, HashAlgorithm, PROTOCOL_VERSION, Request,
    SESSION_COOKIE, additional_runtime_data, primary_runtime_data,
};
use http::HeaderValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::connection::{Answer, Connection, Trouble, protocol};
use crate::cookie::session_cookie;
use crate::error::ClientError;
use crate::handshake::{Guest, MAX_CHALLENGE, MAX_TOKEN_ANSWER, Post, Session, failed};
use crate::token::Token;

const AUTH: &str = "POST /kbs/v0/auth";
const ATTEST: &str = "POST /kbs/v0/attest";

impl Guest {
    pub(crate) async fn rcar(&self, connection: &Connection, deadline: Instant) -> Result<Session, Trouble> {
        let asked = self.clock.now();
        let request = Request {
            version: PROTOCOL_VERSION.to_owned(),
            tee: self.provider.tee(),
            extra_params: json!({ "supported-hash-algorithms": HashAlgorithm::ALL }),
        };
        let post = |path, cookie, limit| Post {
            connection,
            path,
            accept: "application/json",
            cookie,
            limit,
            deadline,
            service: "key broker service",
        };
        let answer = post(&["kbs", "v0", "auth"], None, MAX_CHALLENGE).send(&request).await?;
        let challenge: Challenge = answer.json(AUTH)?;
        if challenge.nonce.is_empty() {
            return Err(protocol(AUTH, "the challenge has an empty nonce").into());
        }
        let hash = hash_algorithm(&challenge.extra_params)?;
        let cookie = cookie_header(&answer)?
            .ok_or_else(|| protocol(AUTH, format!("the answer sets no cookie {SESSION_COOKIE}")))?;

        let (key, runtime_data) = self.new_key(challenge.nonce).await?;
        let devices = additional_runtime_data(&runtime_data);
        let additional_evidence = self.additional_evidence(&devices, hash, deadline).await?;
        let primary = primary_runtime_data(&runtime_data, &additional_evidence);
        let primary_evidence = self.primary_evidence(&primary, hash, deadline).await?;
        let primary_evidence =
            serde_json::value::to_raw_value(&primary_evidence).map_err(|error| failed(error.to_string()))?;
        let tee_evidence = CompositeEvidence { primary_evidence, additional_evidence };
        let attestation = Attestation { init_data: self.provider.init_data(), runtime_data, tee_evidence };

        let answer = post(&["kbs", "v0", "attest"], Some(cookie.clone()), MAX_TOKEN_ANSWER);
        let answer = answer.send(&attestation).await?;
        let AttestationAnswer { token } = answer.json(ATTEST)?;
        let token = Token::read(token, asked).map_err(|why| protocol(ATTEST, why))?;
        let cookie = cookie_header(&answer)?.unwrap_or(cookie);
        tracing::debug!(jti = token.id(), expires = %token.expires(), "attested");
        Ok(Session { token, key, cookie: Some(cookie) })
    }
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
