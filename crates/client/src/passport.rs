//! The passport handshake: a challenge and a token from an attestation service itself.
//!
//! The requests are those of Trustee's RESTful attestation service. Its own client binds evidence to
//! nothing; here it is bound to the challenge and to the guest's key, by `runtime_data.structured`:
//! - without devices `{"nonce", "tee-pubkey"}`, one verification request;
//! - with devices the primary evidence is bound to `{"additional-evidence", "nonce", "tee-pubkey"}`, the
//!   text of the devices' evidence among it as in RCAR, and each device is a further verification
//!   request, bound to `{"nonce", "tee-pubkey"}`.
//!
//! The report data are SHA-384 of exactly that object in canonical form (RFC 8785).
//!
//! Trustee gives an empty challenge for every TEE but IBM's: its service does not ask for freshness.
//! The nonce is then 32 random bytes of the guest's own in standard base64, which binds the key as well
//! and tells tokens apart. Trustee answers 500 whatever is wrong, so its refusals look like outages.

use std::collections::BTreeMap;

use assay_types::{
    HashAlgorithm, InitDataMessage, RuntimeData, additional_runtime_data, primary_runtime_data,
};
use aws_lc_rs::rand;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::connection::{Connection, Trouble, protocol};
use crate::error::ClientError;
use crate::handshake::{Guest, MAX_CHALLENGE, MAX_TOKEN_ANSWER, Post, Session, failed};
use crate::token::Token;

const CHALLENGE: &str = "POST /challenge";
const ATTESTATION: &str = "POST /attestation";

/// The hash of runtime data.
const HASH: HashAlgorithm = HashAlgorithm::Sha384;
/// The most devices.
const MAX_DEVICES: usize = 16;

/// Asks for a challenge. All members are texts.
#[derive(Serialize)]
struct ChallengeRequest {
    tee: &'static str,
    tee_params: &'static str,
}

#[derive(Serialize)]
struct AttestationRequest {
    verification_requests: Vec<VerificationRequest>,
    /// None in particular: the service's own.
    policy_ids: [&'static str; 0],
}

#[derive(Serialize)]
struct VerificationRequest {
    tee: String,
    /// Base64url without padding of the evidence's JSON text.
    evidence: String,
    runtime_data: Structured,
    runtime_data_hash_algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_data: Option<InitDataToml>,
}

#[derive(Clone, Serialize)]
struct Structured {
    structured: Value,
}

#[derive(Serialize)]
struct InitDataToml {
    init_data_toml: String,
}

impl Guest {
    pub(crate) async fn passport(
        &self,
        connection: &Connection,
        deadline: Instant,
    ) -> Result<Session, Trouble> {
        let asked = self.clock.now();
        let post = |path, limit| Post {
            connection,
            path,
            accept: "text/plain, */*;q=0.1",
            cookie: None,
            limit,
            deadline,
            service: "attestation service",
        };
        let tee = self.provider.tee().as_str();
        let request = ChallengeRequest { tee, tee_params: "" };
        let answer = post(&["challenge"], MAX_CHALLENGE).send(&request).await?;
        let nonce = match answer.text(CHALLENGE)? {
            "" => own_nonce()?,
            challenge => challenge.to_owned(),
        };
        let (key, runtime_data) = self.new_key(nonce).await?;
        let request = self.verification_requests(&runtime_data, deadline).await?;
        let request = AttestationRequest { verification_requests: request, policy_ids: [] };
        let answer = post(&["attestation"], MAX_TOKEN_ANSWER).send(&request).await?;
        let token = answer.text(ATTESTATION)?.to_owned();
        let token = Token::read(token, asked).map_err(|why| protocol(ATTESTATION, why))?;
        tracing::debug!(jti = token.id(), expires = %token.expires(), "attested");
        Ok(Session { token, key, cookie: None })
    }

    /// The primary evidence first, then the devices by name.
    async fn verification_requests(
        &self,
        runtime_data: &RuntimeData,
        deadline: Instant,
    ) -> Result<Vec<VerificationRequest>, ClientError> {
        let plain = additional_runtime_data(runtime_data);
        let additional = self.additional_evidence(&plain, HASH, deadline).await?;
        let devices = devices(&additional)?;
        let bound =
            if devices.is_empty() { plain.clone() } else { primary_runtime_data(runtime_data, &additional) };
        let evidence = self.primary_evidence(&bound, HASH, deadline).await?;
        let init_data = self.provider.init_data().map(init_data).transpose()?;
        let request = |tee: String, evidence: &[u8], structured, init_data| VerificationRequest {
            tee,
            evidence: BASE64_URL_SAFE_NO_PAD.encode(evidence),
            runtime_data: Structured { structured },
            runtime_data_hash_algorithm: HASH.as_str(),
            init_data,
        };
        let text = serde_json::to_vec(&evidence).map_err(|error| failed(error.to_string()))?;
        let mut requests = vec![request(self.provider.tee().as_str().to_owned(), &text, bound, init_data)];
        for (tee, evidence) in devices {
            requests.push(request(tee, evidence.get().as_bytes(), plain.clone(), None));
        }
        Ok(requests)
    }
}

/// The evidence of each device by its TEE's name; none in the empty text.
fn devices(text: &str) -> Result<BTreeMap<String, Box<RawValue>>, ClientError> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let devices: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)
        .map_err(|error| failed(format!("the additional evidence is no JSON object: {error}")))?;
    if devices.len() > MAX_DEVICES {
        return Err(failed(format!("evidence of {} devices; at most {MAX_DEVICES}", devices.len())));
    }
    Ok(devices)
}

fn init_data(message: InitDataMessage) -> Result<InitDataToml, ClientError> {
    if message.format != "toml" {
        let found: String = message.format.chars().take(64).collect();
        return Err(failed(format!(
            "init data of the format {found:?}; an attestation service takes only \"toml\""
        )));
    }
    Ok(InitDataToml { init_data_toml: message.body })
}

fn own_nonce() -> Result<String, ClientError> {
    let mut nonce = [0; 32];
    rand::fill(&mut nonce).map_err(|_| failed("no random bytes"))?;
    tracing::debug!("the attestation service gives no challenge; the nonce is this guest's own");
    Ok(BASE64_STANDARD.encode(nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_strictly() {
        assert!(devices("").unwrap().is_empty());
        assert!(devices("{}").unwrap().is_empty());
        assert_eq!(devices(r#"{"nvidia":{"b":1,"a":2}}"#).unwrap()["nvidia"].get(), r#"{"b":1,"a":2}"#);
        let many: BTreeMap<String, u8> = (0..17).map(|n| (format!("d{n}"), 0)).collect();
        for text in ["[]", "{", "x", &serde_json::to_string(&many).unwrap()] {
            assert!(matches!(devices(text), Err(ClientError::Evidence(_))), "{text}");
        }
    }

    #[test]
    fn own_nonces_are_32_random_bytes() {
        let nonce = own_nonce().unwrap();
        assert_eq!(BASE64_STANDARD.decode(&nonce).unwrap().len(), 32);
        assert_ne!(nonce, own_nonce().unwrap());
    }
}
