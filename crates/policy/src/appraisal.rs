//! What a policy's evaluation gives.

use assay_types::{AskedReferenceValue, TrustClaim, TrustVector};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The verdict of an attestation policy on one attester.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyAppraisal {
    /// `data.policy.trust_claims`; claims that the rule does not name are 0.
    pub trust_vector: TrustVector,
    /// `data.policy.extensions`, in the policy's order; empty when there is no such rule.
    pub extensions: Vec<Extension>,
    /// Every reference value the policy asked for, once each, in the order of the first question.
    pub asked: Vec<AskedReferenceValue>,
}

/// A further claim that the policy puts into the token (Trustee's `data.policy.extensions`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Its name in JSON tokens.
    pub name: String,
    /// Its key in CBOR tokens.
    pub key: i64,
    /// Its value.
    pub value: Value,
}

/// A reason that the policy itself gives for its verdict (`data.policy.findings`, ours).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFinding {
    /// The trustworthiness claim it bears on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<TrustClaim>,
    /// The value that the claim got because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i8>,
    /// The policy's own stable code for this check.
    pub code: String,
    /// What was expected: a reference value, or text.
    #[serde(default)]
    pub expected: Value,
    /// What was found, as text.
    #[serde(default)]
    pub found: String,
    /// The reason in words.
    #[serde(default)]
    pub detail: String,
    /// What to do about it.
    #[serde(default)]
    pub remedy: String,
}
