//! The claims of an attestation result, and how they are written.

use std::collections::BTreeMap;

use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use assay_types::{Digest, Finding, TrustTier, TrustVector, UnixTime};

use super::nonce::{NONCE_BYTES, encode_padded, wrong_length};
use super::read::rename_for_ietf;
use super::{EarDialect, dotted};
use crate::{TokenError, base64url};

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
    /// The eight trustworthiness claims. Where the token has none, no claim was made.
    #[serde(rename = "ear.trustworthiness-vector", default)]
    pub trust_vector: TrustVector,
    /// The policy's id, as the request named it; several ids are separated by commas, and are a list in
    /// [`EarDialect::Ietf`]. Left out when empty.
    #[serde(rename = "ear.appraisal-policy-id", default, skip_serializing_if = "String::is_empty")]
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

/// The claims of an attestation result, whichever dialect or encoding they came in.
///
/// [`Serialize`] writes them in the dialect of [`EarClaims::eat_profile`], with Trustee's names where the
/// profile is an unknown one; [`EarClaims::in_dialect`] chooses another. The members stand in the order of
/// the fields, those of [`EarDialect::Ietf`] in alphabetical order.
#[derive(Clone, Debug, PartialEq)]
pub struct EarClaims {
    /// The profile, [`EarDialect::profile`]. All that is read and differs between dialects.
    pub eat_profile: String,
    /// When it was issued.
    pub iat: UnixTime,
    /// When it begins. Tokens of Trustee and Veraison have none; when reading, the time of issue stands in.
    pub nbf: UnixTime,
    /// When it ends: the verdict's lifetime is over. Veraison's have no end; a
    /// [`TokenVerifier`](crate::TokenVerifier) accepts only tokens that have one.
    pub exp: Option<UnixTime>,
    /// Who issued it. Left out when empty.
    pub iss: String,
    /// Its own name, so that it can be referred to. Left out when empty.
    pub jti: String,
    /// What the one who asked for the result gave to make it fresh: 8 to 64 bytes.
    pub eat_nonce: Option<Vec<u8>>,
    /// Who verified.
    pub verifier_id: VerifierId,
    /// The appraisals: `cpu0`, `gpu0`, `gpu1`, ….
    pub submods: BTreeMap<String, Submodule>,
    /// All other claims, under their dotted names where they have one.
    pub extra: Map<String, Value>,
}

/// The claims that have fields of their own and so may not occur among the others.
const NAMED: [&str; 9] =
    ["eat_profile", "iat", "nbf", "exp", "iss", "jti", "eat_nonce", "ear.verifier-id", "submods"];

/// The members of a submodule that have fields of their own.
const NAMED_IN_SUBMODULE: [&str; 5] = [
    "ear.status",
    "ear.trustworthiness-vector",
    "ear.appraisal-policy-id",
    "ear.trustee.identifiers",
    "ear.veraison.annotated-evidence",
];

/// Claims as they are written in one dialect; made by [`EarClaims::in_dialect`].
#[derive(Clone, Copy, Debug)]
pub struct InDialect<'a> {
    claims: &'a EarClaims,
    dialect: EarDialect,
    profile: &'a str,
}

impl Serialize for InDialect<'_> {
    /// Refuses claims that would write a member twice, or one that would be read as another.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.claims.check().map_err(S::Error::custom)?;
        if !self.dialect.has_underscores() {
            return self.write(serializer);
        }
        let value = self.write(serde_json::value::Serializer).map_err(S::Error::custom)?;
        rename_for_ietf(value).serialize(serializer)
    }
}

impl InDialect<'_> {
    /// With dotted names.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let claims = self.claims;
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("eat_profile", self.profile)?;
        out.serialize_entry("iat", &claims.iat)?;
        out.serialize_entry("nbf", &claims.nbf)?;
        if let Some(exp) = claims.exp {
            out.serialize_entry("exp", &exp)?;
        }
        for (name, text) in [("iss", &claims.iss), ("jti", &claims.jti)] {
            if !text.is_empty() {
                out.serialize_entry(name, text)?;
            }
        }
        if let Some(nonce) = &claims.eat_nonce {
            let text =
                if self.dialect.has_underscores() { base64url::encode(nonce) } else { encode_padded(nonce) };
            out.serialize_entry("eat_nonce", &text)?;
        }
        out.serialize_entry("ear.verifier-id", &claims.verifier_id)?;
        out.serialize_entry("submods", &claims.submods)?;
        for (name, value) in &claims.extra {
            out.serialize_entry(name, value)?;
        }
        out.end()
    }
}

impl Serialize for EarClaims {
    /// As [`InDialect`], under the claims' own profile.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let dialect = EarDialect::from_profile(&self.eat_profile).unwrap_or_default();
        InDialect { claims: self, dialect, profile: &self.eat_profile }.serialize(serializer)
    }
}

impl EarClaims {
    /// The claims as `dialect` writes them, its profile included.
    pub fn in_dialect(&self, dialect: EarDialect) -> InDialect<'_> {
        InDialect { claims: self, dialect, profile: dialect.profile() }
    }

    /// The claims in `dialect` as JSON.
    ///
    /// # Errors
    /// [`TokenError::Unserialisable`] when a member would be written twice or be read as another one, or
    /// when the nonce does not have 8 to 64 bytes.
    pub fn to_value(&self, dialect: EarDialect) -> Result<Value, TokenError> {
        serde_json::to_value(self.in_dialect(dialect))
            .map_err(|error| TokenError::Unserialisable { why: error.to_string() })
    }

    /// The worst status of all submodules, and of the result as a whole where it has one of its own
    /// (`ear.status` beside `submods`): `None` where nothing was claimed.
    pub fn status(&self) -> TrustTier {
        let whole = self.extra.get("ear.status").and_then(|status| TrustTier::deserialize(status).ok());
        self.submods.values().map(|s| s.status).chain(whole).max().unwrap_or(TrustTier::None)
    }

    /// What cannot be written, whatever the dialect.
    fn check(&self) -> Result<(), String> {
        if let Some(nonce) = self.eat_nonce.as_ref().filter(|nonce| !NONCE_BYTES.contains(&nonce.len())) {
            return Err(wrong_length(nonce.len()));
        }
        if let Some(name) = NAMED.iter().find(|name| self.extra.contains_key(**name)) {
            return Err(format!("the claim {name:?} is given twice"));
        }
        let reserved = |name: &&String| dotted(name).is_some();
        // Only `ear.status` has a meaning beside the appraisals too.
        let of_appraisals =
            |name: &&String| name.as_str() != "ear.status" && NAMED_IN_SUBMODULE.contains(&name.as_str());
        if let Some(name) = self.extra.keys().find(|name| reserved(name) || of_appraisals(name)) {
            return Err(format!("{name:?} is not free"));
        }
        for (submodule, content) in &self.submods {
            let reserved = |name: &&String| {
                NAMED_IN_SUBMODULE.contains(&name.as_str())
                    || name.starts_with("ear.assay.")
                    || reserved(name)
            };
            if let Some(name) = content.extensions.keys().find(reserved) {
                return Err(format!("{submodule}: {name:?} is not free"));
            }
        }
        Ok(())
    }
}
