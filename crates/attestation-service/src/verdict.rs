//! The explanation of a token: every check, every reference value asked for, every verdict. Kept
//! beside the token and given out by the explain endpoint; it holds no secret.

use std::collections::BTreeMap;

use assay_types::{
    AskedReferenceValue, CollateralUse, Digest, Finding, LayerAppraisal, Tee, TeeClass, TrustTier,
    TrustVector, UnixTime,
};
use serde::{Deserialize, Serialize};

/// The explanation of one token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The token's `jti`.
    pub jti: String,
    /// When it was issued.
    pub issued: UnixTime,
    /// When it ends, and what ended it first.
    pub expires: UnixTime,
    /// The worst status of all attesters.
    pub status: TrustTier,
    /// Whether any of it rests on an emulator's anchors or on none.
    pub emulated: bool,
    /// By submodule name (`cpu0`).
    pub attesters: BTreeMap<String, AttesterVerdict>,
}

/// The explanation of one submodule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttesterVerdict {
    /// The TEE.
    pub tee: Tee,
    /// Its class.
    pub class: TeeClass,
    /// The worst tier of the trust vector.
    pub status: TrustTier,
    /// The trust vector.
    pub trust_vector: TrustVector,
    /// The appraisal of each layer against endorsed reference values, before the policies judged; the
    /// lowest layer first. Only where the TEE has such values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerAppraisal>,
    /// The policies that judged, and what each said.
    pub policies: Vec<AppliedPolicy>,
    /// The verifier's checks, then the appraisal's.
    pub findings: Vec<Finding>,
    /// The reference values asked for, by all policies.
    pub reference_values: Vec<AskedReferenceValue>,
    /// The collateral that the claims rest on.
    pub collateral: Vec<CollateralUse>,
    /// The digest of the evidence as it arrived.
    pub evidence: Digest,
}

/// A policy's part in a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppliedPolicy {
    /// The id as requested, without the class.
    pub requested: String,
    /// The id as stored, `<requested>_<class>`.
    pub id: String,
    /// Its version, 0 for a bundled one.
    pub version: u64,
    /// The SHA-384 of its text.
    pub digest: Digest,
    /// What it said.
    pub trust_vector: TrustVector,
}
