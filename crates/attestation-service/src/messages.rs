//! The messages of the REST interface, as Trustee's RESTful attestation service has them, and how they and
//! those of gRPC are read. Members that are not named here are passed over, as there.

use assay_types::{Coded, Digest, Fault, HashAlgorithm, RawEvidence, Tee, UnknownTee};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::proto;
use crate::proto::individual_attestation_request::{InitData, RuntimeData};
use crate::structured::{BoundInitData, BoundRuntimeData, EvidenceRequest};

/// Asks for a challenge.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ChallengeRequest {
    /// The TEE: `snp`, `tdx`, …
    pub tee: String,
    /// For TEEs whose challenge depends on the guest; none of those taken here.
    #[serde(rename = "tee_params")]
    pub tee_params: Option<String>,
}

/// Evidence for a token.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct AttestationRequest {
    /// Of guests exactly one.
    pub verification_requests: Vec<VerificationRequest>,
    /// The policies that judge. What guests ask for judges beside those of the service; the worst result
    /// counts.
    #[serde(default)]
    pub policy_ids: Vec<String>,
}

/// One piece of evidence.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct VerificationRequest {
    /// The TEE; the one that the challenge was asked for, where there was a challenge.
    pub tee: String,
    /// The JSON text of the evidence, base64url without padding.
    pub evidence: String,
    /// What the report data are the digest of.
    pub runtime_data: Option<RuntimeDataInput>,
    /// The init data, if the guest has any.
    pub init_data: Option<InitDataInput>,
    /// `sha256`, `sha384` or `sha512`; `sha384` when absent.
    pub runtime_data_hash_algorithm: Option<String>,
}

/// Runtime data.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeDataInput {
    /// Bytes, base64url without padding: the report data themselves. Refused from guests.
    Raw(String),
    /// Of guests an object with `nonce`, the challenge, and `tee-pubkey`, the guest's public key (JWK).
    Structured(Value),
}

/// Init data.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InitDataInput {
    /// Their digest, base64url without padding: 32, 48 or 64 bytes.
    InitDataDigest(String),
    /// Their text.
    InitDataToml(String),
}

/// Sets an attestation policy.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct PolicyMessage {
    /// The id with its class: `default_cpu`.
    pub policy_id: String,
    /// The policy's text (Rego), base64url without padding.
    pub policy: String,
}

/// What is wrong with a request's form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A member is not base64url without padding.
    #[error("{member:?} is not base64url without padding")]
    Base64 {
        /// The member.
        member: &'static str,
    },
    /// No TEE has that name.
    #[error(transparent)]
    Tee(#[from] UnknownTee),
    /// The hash of the runtime data is an unknown one.
    #[error("runtime_data_hash_algorithm: {why}")]
    Hash {
        /// What is wrong.
        why: String,
    },
    /// Structured runtime data that are not JSON.
    #[error("structured_runtime_data is no JSON: {why}")]
    RuntimeData {
        /// What the parser says.
        why: String,
    },
    /// A digest of init data that is none of a known algorithm.
    #[error("init_data_digest has {found} bytes; digests of 32, 48 or 64 bytes are known")]
    InitDataDigest {
        /// Its length.
        found: usize,
    },
    /// A policy that is not text.
    #[error("the policy is not UTF-8 text")]
    PolicyNotText,
}

impl Coded for FormError {
    fn code(&self) -> &'static str {
        match self {
            FormError::Base64 { .. } => "AS-041",
            FormError::Tee(_) => "AS-042",
            FormError::Hash { .. } => "AS-043",
            FormError::RuntimeData { .. } => "AS-044",
            FormError::InitDataDigest { .. } => "AS-045",
            FormError::PolicyNotText => "AS-046",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            FormError::Tee(_) | FormError::InitDataDigest { .. } => Fault::Unprocessable,
            _ => Fault::BadRequest,
        }
    }
}

impl TryFrom<&VerificationRequest> for EvidenceRequest {
    type Error = FormError;

    /// Reads the texts in it.
    fn try_from(request: &VerificationRequest) -> Result<Self, FormError> {
        let runtime_data = match &request.runtime_data {
            None => None,
            Some(RuntimeDataInput::Raw(text)) => Some(BoundRuntimeData::Raw(bytes("raw", text)?)),
            Some(RuntimeDataInput::Structured(value)) => Some(BoundRuntimeData::Structured(value.clone())),
        };
        let init_data = match &request.init_data {
            None => None,
            Some(InitDataInput::InitDataToml(text)) => Some(BoundInitData::Toml(text.clone())),
            Some(InitDataInput::InitDataDigest(text)) => Some(init_data_digest(text)?),
        };
        Ok(EvidenceRequest {
            evidence: evidence(&request.tee, &request.evidence)?,
            runtime_data,
            runtime_data_hash: hash(request.runtime_data_hash_algorithm.as_deref())?,
            init_data,
        })
    }
}

impl TryFrom<&proto::IndividualAttestationRequest> for EvidenceRequest {
    type Error = FormError;

    /// Reads the texts in it. The empty name of the hash is none.
    fn try_from(request: &proto::IndividualAttestationRequest) -> Result<Self, FormError> {
        let runtime_data = match &request.runtime_data {
            None => None,
            Some(RuntimeData::RawRuntimeData(text)) => {
                Some(BoundRuntimeData::Raw(bytes("raw_runtime_data", text)?))
            }
            Some(RuntimeData::StructuredRuntimeData(text)) => {
                let value = serde_json::from_str(text)
                    .map_err(|error| FormError::RuntimeData { why: error.to_string() })?;
                Some(BoundRuntimeData::Structured(value))
            }
        };
        let init_data = match &request.init_data {
            None => None,
            Some(InitData::InitDataToml(text)) => Some(BoundInitData::Toml(text.clone())),
            Some(InitData::InitDataDigest(text)) => Some(init_data_digest(text)?),
        };
        let algorithm = Some(request.runtime_data_hash_algorithm.as_str()).filter(|name| !name.is_empty());
        Ok(EvidenceRequest {
            evidence: evidence(&request.tee, &request.evidence)?,
            runtime_data,
            runtime_data_hash: hash(algorithm)?,
            init_data,
        })
    }
}

/// The text of a policy as it travels.
///
/// # Errors
/// [`FormError::Base64`], [`FormError::PolicyNotText`].
pub fn policy_text(encoded: &str) -> Result<String, FormError> {
    String::from_utf8(bytes("policy", encoded)?).map_err(|_| FormError::PolicyNotText)
}

fn evidence(tee: &str, text: &str) -> Result<RawEvidence, FormError> {
    let tee: Tee = tee.parse()?;
    Ok(RawEvidence::new(tee, bytes("evidence", text)?))
}

fn hash(name: Option<&str>) -> Result<HashAlgorithm, FormError> {
    name.map_or(Ok(HashAlgorithm::Sha384), |name| {
        name.parse()
            .map_err(|error: assay_types::UnknownHashAlgorithm| FormError::Hash { why: error.to_string() })
    })
}

/// The digest of these bytes' length; what made it is told by nothing else.
fn init_data_digest(text: &str) -> Result<BoundInitData, FormError> {
    let bytes = bytes("init_data_digest", text)?;
    let found = bytes.len();
    HashAlgorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.digest_len() == found)
        .and_then(|algorithm| Digest::new(algorithm, bytes).ok())
        .map(BoundInitData::Digest)
        .ok_or(FormError::InitDataDigest { found })
}

fn bytes(member: &'static str, text: &str) -> Result<Vec<u8>, FormError> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| FormError::Base64 { member })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_known_by_their_length() {
        for (length, good) in
            [(0, false), (20, false), (32, true), (47, false), (48, true), (64, true), (65, false)]
        {
            let text = BASE64_URL_SAFE_NO_PAD.encode(vec![7; length]);
            assert_eq!(init_data_digest(&text).is_ok(), good, "{length}");
        }
    }

    #[test]
    fn both_forms_read_to_the_same() {
        let json: VerificationRequest = serde_json::from_str(
            r#"{"tee":"snp","evidence":"e30","runtime_data":{"structured":{"b":1,"a":2}},
                "init_data":{"init_data_toml":"x"},"runtime_data_hash_algorithm":"sha512","other":1}"#,
        )
        .unwrap();
        let wire = proto::IndividualAttestationRequest {
            tee: "snp".into(),
            evidence: "e30".into(),
            runtime_data_hash_algorithm: "sha512".into(),
            runtime_data: Some(RuntimeData::StructuredRuntimeData(r#"{"a":2,"b":1}"#.into())),
            init_data: Some(InitData::InitDataToml("x".into())),
        };
        let (one, two) =
            (EvidenceRequest::try_from(&json).unwrap(), EvidenceRequest::try_from(&wire).unwrap());
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        assert_eq!(one.evidence.bytes.as_ref(), b"{}");
        assert_eq!(one.runtime_data_hash, HashAlgorithm::Sha512);
    }

    #[test]
    fn what_is_absent_is_absent() {
        let wire = proto::IndividualAttestationRequest { tee: "tdx".into(), ..Default::default() };
        let read = EvidenceRequest::try_from(&wire).unwrap();
        assert_eq!(read.runtime_data, None);
        assert_eq!(read.init_data, None);
        assert_eq!(read.runtime_data_hash, HashAlgorithm::Sha384);
    }

    #[test]
    fn each_text_is_read_strictly() {
        let good = proto::IndividualAttestationRequest { tee: "snp".into(), ..Default::default() };
        let refused = |change: fn(&mut proto::IndividualAttestationRequest)| {
            let mut request = good.clone();
            change(&mut request);
            EvidenceRequest::try_from(&request).err().map_or("", |error| error.code())
        };
        assert_eq!(refused(|_| {}), "");
        assert_eq!(refused(|r| r.evidence = "e30=".into()), "AS-041");
        assert_eq!(refused(|r| r.tee = "abacus".into()), "AS-042");
        assert_eq!(refused(|r| r.runtime_data_hash_algorithm = "md5".into()), "AS-043");
        assert_eq!(refused(|r| r.runtime_data = Some(RuntimeData::RawRuntimeData("+".into()))), "AS-041");
        assert_eq!(
            refused(|r| r.runtime_data = Some(RuntimeData::StructuredRuntimeData("{".into()))),
            "AS-044"
        );
        assert_eq!(refused(|r| r.init_data = Some(InitData::InitDataDigest("e30".into()))), "AS-045");
        assert_eq!(policy_text("_w").unwrap_err().code(), "AS-046");
    }
}
