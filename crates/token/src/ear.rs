//! Attestation results: EAT Attestation Results (draft-ietf-rats-ear) as Trustee writes them, with
//! AR4SI trust vectors, and what Assay adds under names of its own (`ear.assay.…`).

use std::collections::BTreeMap;

use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use assay_types::{Digest, Finding, TrustTier, TrustVector, UnixTime};

use crate::TokenError;

/// The `eat_profile` of Trustee's tokens, which these follow.
pub const TRUSTEE_PROFILE: &str = "tag:github.com,2024:confidential-containers/Trustee";

/// Who verified (`ear.verifier-id`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifierId {
    /// Who made the verifier, a URL.
    pub developer: String,
    /// Its name and version.
    pub build: String,
}

/// What an appraisal rests on. Members that are empty are left out of the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appraised {
    /// Digest of the evidence as received.
    #[serde(rename = "ear.assay.evidence-digest", default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Digest>,
    /// Digest of the collateral that the verification used.
    #[serde(rename = "ear.assay.collateral-digest", default, skip_serializing_if = "Option::is_none")]
    pub collateral: Option<Digest>,
    /// Digest of the policy's text.
    #[serde(rename = "ear.assay.policy-digest", default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// Digest of the reference-value set.
    #[serde(rename = "ear.assay.reference-values-digest", default, skip_serializing_if = "Option::is_none")]
    pub reference_values: Option<Digest>,
    /// The verifier of this evidence, with its version.
    #[serde(rename = "ear.assay.verifier", default, skip_serializing_if = "String::is_empty")]
    pub verifier: String,
    /// The evidence leads to the trust anchors of an emulator. Always written.
    #[serde(rename = "ear.assay.emulated", default)]
    pub emulated: bool,
    /// Codes of the checks that were not made.
    #[serde(rename = "ear.assay.not-checked", default, skip_serializing_if = "Vec::is_empty")]
    pub not_checked: Vec<String>,
    /// The findings themselves, where the issuer is told to include them.
    #[serde(rename = "ear.assay.findings", default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// The appraisal of one attester (a member of `submods`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submodule {
    /// The verdict: the worst tier of the vector.
    #[serde(rename = "ear.status")]
    pub status: TrustTier,
    /// The eight trustworthiness claims.
    #[serde(rename = "ear.trustworthiness-vector")]
    pub trust_vector: TrustVector,
    /// The policy's id, as the request named it.
    #[serde(rename = "ear.appraisal-policy-id")]
    pub appraisal_policy_id: String,
    /// What the policy's extensions identified.
    #[serde(rename = "ear.trustee.identifiers", default, skip_serializing_if = "Map::is_empty")]
    pub identifiers: Map<String, Value>,
    /// The claims of the evidence: `{"<tee>":{…},"report_data","init_data","runtime_data_claims",…}`.
    #[serde(rename = "ear.veraison.annotated-evidence", default, skip_serializing_if = "Value::is_null")]
    pub annotated_evidence: Value,
    /// What the appraisal rests on.
    #[serde(flatten)]
    pub appraised: Appraised,
    /// All other members.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

impl Submodule {
    /// An appraisal with that vector; the status follows from it.
    pub fn new(trust_vector: TrustVector, appraisal_policy_id: String, annotated_evidence: Value) -> Self {
        Submodule {
            status: trust_vector.status(),
            trust_vector,
            appraisal_policy_id,
            identifiers: Map::new(),
            annotated_evidence,
            appraised: Appraised::default(),
            extensions: Map::new(),
        }
    }
}

/// The claims of an attestation result. Written in the order of the fields.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EarClaims {
    /// The profile, [`TRUSTEE_PROFILE`].
    pub eat_profile: String,
    /// When it was issued.
    pub iat: UnixTime,
    /// When it begins. Trustee's tokens have none; when reading, the time of issue stands in.
    #[serde(default = "unset")]
    pub nbf: UnixTime,
    /// When it ends: the verdict's lifetime is over.
    pub exp: UnixTime,
    /// Who issued it.
    #[serde(default)]
    pub iss: String,
    /// Its own name, so that it can be referred to. Left out when empty.
    #[serde(default)]
    pub jti: String,
    /// Who verified.
    #[serde(rename = "ear.verifier-id")]
    pub verifier_id: VerifierId,
    /// The appraisals: `cpu0`, `gpu0`, `gpu1`, ….
    pub submods: BTreeMap<String, Submodule>,
    /// All other claims.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Stands for an absent `nbf` while reading.
fn unset() -> UnixTime {
    UnixTime(i64::MIN)
}

/// The claims that have fields of their own and so may not occur among the others.
const NAMED: [&str; 8] = ["eat_profile", "iat", "nbf", "exp", "iss", "jti", "ear.verifier-id", "submods"];

/// The members of a submodule that have fields of their own.
const NAMED_IN_SUBMODULE: [&str; 5] = [
    "ear.status",
    "ear.trustworthiness-vector",
    "ear.appraisal-policy-id",
    "ear.trustee.identifiers",
    "ear.veraison.annotated-evidence",
];

impl Serialize for EarClaims {
    /// Refuses claims that would write a member twice.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(name) = NAMED.iter().find(|name| self.extra.contains_key(**name)) {
            return Err(S::Error::custom(format_args!("the claim {name:?} is given twice")));
        }
        for (submodule, content) in &self.submods {
            let twice = |name: &&String| {
                NAMED_IN_SUBMODULE.contains(&name.as_str()) || name.starts_with("ear.assay.")
            };
            if let Some(name) = content.extensions.keys().find(twice) {
                return Err(S::Error::custom(format_args!("{submodule}: {name:?} is not free")));
            }
        }
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("eat_profile", &self.eat_profile)?;
        out.serialize_entry("iat", &self.iat)?;
        out.serialize_entry("nbf", &self.nbf)?;
        out.serialize_entry("exp", &self.exp)?;
        out.serialize_entry("iss", &self.iss)?;
        if !self.jti.is_empty() {
            out.serialize_entry("jti", &self.jti)?;
        }
        out.serialize_entry("ear.verifier-id", &self.verifier_id)?;
        out.serialize_entry("submods", &self.submods)?;
        for (name, value) in &self.extra {
            out.serialize_entry(name, value)?;
        }
        out.end()
    }
}

impl EarClaims {
    /// Reads the claims of a verified token.
    ///
    /// # Errors
    /// [`TokenError::NotAnAttestationResult`] when a member is missing or of the wrong type, when
    /// there is no submodule, or when a submodule's status is better than its vector.
    pub fn from_value(claims: &Value) -> Result<Self, TokenError> {
        let refused = |why: String| TokenError::NotAnAttestationResult { why };
        let mut ear = EarClaims::deserialize(claims).map_err(|e| refused(e.to_string()))?;
        if ear.nbf == unset() {
            ear.nbf = ear.iat;
        }
        if ear.submods.is_empty() {
            return Err(refused("no submods".to_owned()));
        }
        if let Some((name, _)) = ear.submods.iter().find(|(_, s)| s.status < s.trust_vector.status()) {
            return Err(refused(format!("the status of {name:?} is better than its trust vector")));
        }
        Ok(ear)
    }

    /// The worst status of all submodules: `None` where nothing was claimed.
    pub fn status(&self) -> TrustTier {
        self.submods.values().map(|s| s.status).max().unwrap_or(TrustTier::None)
    }
}
