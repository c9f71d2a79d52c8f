//! The messages, as Trustee's RESTful attestation service has them. Members that are not named here are
//! passed over, as there.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Asks for a challenge.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChallengeRequest {
    /// The TEE: `snp`, `tdx`, …
    pub(crate) tee: String,
    /// For TEEs whose challenge depends on the guest; none of those taken here.
    #[serde(rename = "tee_params")]
    #[expect(dead_code, reason = "read for its form only")]
    tee_params: Option<String>,
}

/// Evidence for a token.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AttestationRequest {
    /// Exactly one.
    pub(crate) verification_requests: Vec<VerificationRequest>,
    /// Policies that judge beside those of the service; the worst result counts.
    #[serde(default)]
    pub(crate) policy_ids: Vec<String>,
}

/// One piece of evidence.
#[derive(Deserialize, ToSchema)]
pub(crate) struct VerificationRequest {
    /// The TEE that the challenge was asked for.
    pub(crate) tee: String,
    /// The JSON text of the evidence, base64url without padding.
    pub(crate) evidence: String,
    /// What the report data are the digest of.
    pub(crate) runtime_data: Option<RuntimeDataInput>,
    /// The init data, if the guest has any.
    pub(crate) init_data: Option<InitDataInput>,
    /// `sha256`, `sha384` or `sha512`; `sha384` when absent.
    pub(crate) runtime_data_hash_algorithm: Option<String>,
}

/// Runtime data.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RuntimeDataInput {
    /// Bytes, base64url without padding: refused here.
    Raw(#[expect(dead_code, reason = "refused whatever it is")] String),
    /// An object with `nonce`, the challenge, and `tee-pubkey`, the guest's public key (JWK).
    Structured(Value),
}

/// Init data.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InitDataInput {
    /// Their digest, base64url without padding: 32, 48 or 64 bytes.
    InitDataDigest(String),
    /// Their text.
    InitDataToml(String),
}
