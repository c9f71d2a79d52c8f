//! The messages of Veraison's interface.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A session of the challenge-response interface.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChallengeResponseSession {
    /// `waiting`, `processing`, `complete` or `failed`.
    pub(super) status: String,
    /// The nonce that the evidence must have: 8 to 64 bytes in base64url with padding.
    pub(super) nonce: Value,
    /// When the session ends, RFC 3339.
    pub(super) expiry: String,
    /// The media types of evidence that are taken.
    pub(super) accept: Vec<String>,
    /// The evidence that was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<EvidenceBlob>,
    /// The attestation result, a JWT (EAR), once the session is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<String>,
}

/// Evidence in a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct EvidenceBlob {
    /// Its media type; of evidence that came in a CMW, the inner one.
    #[serde(rename = "type")]
    pub(super) media_type: String,
    /// Its bytes in standard base64.
    pub(super) value: String,
}

/// What a Veraison service offers.
#[derive(Serialize, ToSchema)]
pub(crate) struct VeraisonDiscovery {
    /// The key that attestation results are verified with (JWK).
    #[serde(rename = "ear-verification-key", skip_serializing_if = "Option::is_none")]
    pub(super) ear_verification_key: Option<Value>,
    /// The media types that are taken: of evidence, or of endorsements.
    #[serde(rename = "media-types")]
    pub(super) media_types: Vec<String>,
    /// The attestation schemes: `ARM_CCA`.
    #[serde(rename = "attestation-schemes")]
    pub(super) attestation_schemes: Vec<String>,
    /// The version of the service.
    pub(super) version: String,
    /// `READY`.
    #[serde(rename = "service-state")]
    pub(super) service_state: String,
    /// Path by name of the endpoint.
    #[serde(rename = "api-endpoints")]
    pub(super) api_endpoints: BTreeMap<String, String>,
}

/// What became of endorsements that were submitted.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProvisioningSession {
    /// `success` or `failed`.
    pub(super) status: String,
    /// When the session ends, RFC 3339; it has ended already, nothing can be asked of it.
    pub(super) expiry: String,
    /// Why they were refused; begins with the stable code of the error.
    #[serde(rename = "failure-reason", skip_serializing_if = "Option::is_none")]
    pub(super) failure_reason: Option<String>,
}
