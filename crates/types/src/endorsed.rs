//! Appraisal against endorsed reference values that are more than named values: sets of
//! measurements for one environment, as CoRIM has them.
//!
//! ```text
//! Authenticated ──EndorsedAppraiser──▶ EndorsedAppraisal ──into the policy's input──▶ policy
//! ```
//! The verifier of such a TEE puts an [`EndorsedAppraiser`] beside its claims ([`Facts`]). It is
//! called with the snapshot of reference values that the policy is called with, and what it says
//! stands in the policy's input as `appraisal`, below the claims of the TEE. The policy decides.
//!
//! [`Facts`]: crate::Facts

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    AskedReferenceValue, Finding, ReferenceValueSnapshot, TrustClaim, TrustTier, TrustVector, UnixTime,
};

/// Compares claims that it holds with endorsed reference values.
pub trait EndorsedAppraiser: fmt::Debug + Send + Sync {
    /// Compares them with `values`, as they are in force at the time `now`.
    fn appraise(&self, values: &dyn ReferenceValueSnapshot, now: UnixTime) -> EndorsedAppraisal;
}

/// The appraisal of one layer of an attester: the platform, the realm on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerAppraisal {
    /// The layer's name in the policy's input: `platform`, `realm`.
    pub layer: String,
    /// The layer's name as a submodule of Veraison's attestation results: `CCA_SSD_PLATFORM`,
    /// `CCA_REALM`.
    pub submodule: String,
    /// Its trust vector.
    pub trust_vector: TrustVector,
}

/// A reason for a value in a layer's trust vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerFinding {
    /// The trustworthiness claim that the reason bears on.
    pub claim: TrustClaim,
    /// The reason itself.
    pub finding: Finding,
}

/// What the comparison gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndorsedAppraisal {
    /// Each layer, the lowest first.
    pub layers: Vec<LayerAppraisal>,
    /// Every check of the comparison, passed ones too.
    pub findings: Vec<LayerFinding>,
    /// The reference values that were looked at.
    pub asked: Vec<AskedReferenceValue>,
    /// Details for policies that want to judge for themselves, by name.
    pub details: Map<String, Value>,
}

impl EndorsedAppraisal {
    /// The worst value of each claim in all layers ([`TrustVector::worst`]).
    pub fn combined(&self) -> TrustVector {
        self.layers.iter().fold(TrustVector::default(), |all, layer| all.worst(layer.trust_vector))
    }

    /// What the policy's input has as `appraisal`:
    /// `{"<layer>": {"vector": {…}, "status": "…"}, …, "combined": {…}, "details": {…}}`, where
    /// `combined` is a vector by itself.
    pub fn to_claims(&self) -> Map<String, Value> {
        let mut claims = self.layers_json();
        claims.insert("combined".into(), json!(self.combined()));
        claims.insert("details".into(), Value::Object(self.details.clone()));
        claims
    }

    /// `{"<layer>": {"vector": {…}, "status": "…"}, …}`.
    pub fn layers_json(&self) -> Map<String, Value> {
        let entry = |layer: &LayerAppraisal| {
            let status: TrustTier = layer.trust_vector.status();
            (layer.layer.clone(), json!({ "vector": layer.trust_vector, "status": status }))
        };
        self.layers.iter().map(entry).collect()
    }
}
