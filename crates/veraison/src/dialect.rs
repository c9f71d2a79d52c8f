//! The two dialects of attestation results, and a submodule in either.

use assay_types::{TrustClaim, TrustTier, TrustVector};
use serde_json::{Map, Value};

use crate::LayerResult;
use crate::ear::SCHEME;
use crate::error::{VeraisonError, shown};

pub(crate) fn wrong(why: impl Into<String>) -> VeraisonError {
    VeraisonError::NotAnEar { why: why.into() }
}

/// How claims are named.
#[derive(Clone, Copy)]
pub(crate) enum Dialect {
    Dotted,
    Underscored,
}

impl Dialect {
    /// The dialect of all claims in the result.
    pub(crate) fn of(
        claims: &Map<String, Value>,
        submodules: &Map<String, Value>,
    ) -> Result<Self, VeraisonError> {
        let names =
            || claims.keys().chain(submodules.values().filter_map(Value::as_object).flat_map(Map::keys));
        match (names().any(|name| name.starts_with("ear.")), names().any(|name| name.starts_with("ear_"))) {
            (true, true) => Err(wrong("it mixes claims named ear.… with claims named ear_…")),
            (false, true) => Ok(Dialect::Underscored),
            (_, false) => Ok(Dialect::Dotted),
        }
    }

    pub(crate) fn get<'a>(self, claims: &'a Map<String, Value>, dotted: &str) -> Option<&'a Value> {
        match self {
            Dialect::Dotted => claims.get(dotted),
            Dialect::Underscored => claims.get(&dotted.replace(['.', '-'], "_")),
        }
    }

    fn map(self, claims: &Map<String, Value>, dotted: &str) -> Result<Map<String, Value>, VeraisonError> {
        match self.get(claims, dotted) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(_) => Err(wrong(format!("{dotted} is not an object"))),
        }
    }

    fn policy_id(self, claims: &Map<String, Value>) -> Result<String, VeraisonError> {
        let id = match self {
            Dialect::Dotted => claims.get("ear.appraisal-policy-id"),
            Dialect::Underscored => claims.get("ear_appraisal_policy_ids"),
        };
        match id {
            None => Ok(String::new()),
            Some(Value::String(id)) => Ok(id.clone()),
            Some(Value::Array(ids)) => {
                let ids: Option<Vec<&str>> = ids.iter().map(Value::as_str).collect();
                ids.map(|ids| ids.join(" ")).ok_or_else(|| wrong("an appraisal policy id is not text"))
            }
            Some(_) => Err(wrong("the appraisal policy id is not text")),
        }
    }

    pub(crate) fn layer(self, name: &str, submodule: &Value) -> Result<LayerResult, VeraisonError> {
        let claims = submodule.as_object().ok_or_else(|| wrong(format!("{name} is not an object")))?;
        let status = self.get(claims, "ear.status").ok_or_else(|| wrong(format!("{name} has no status")))?;
        let status = status.as_str().and_then(tier).ok_or_else(|| {
            wrong(format!("the status of {name} is none of none, affirming, warning, contraindicated"))
        })?;
        let vector = match self.get(claims, "ear.trustworthiness-vector") {
            Some(vector) => vector_of(name, vector)?,
            // Evidence that was refused early has none; what was appraised must have one.
            None if name == SCHEME => TrustVector::default(),
            None => return Err(wrong(format!("{name} has no trustworthiness vector"))),
        };
        if status < vector.status() {
            let (submodule, vector) = (shown(name), vector.status());
            return Err(VeraisonError::StatusBetterThanVector { submodule, status, vector });
        }
        Ok(LayerResult {
            status,
            vector,
            policy_id: self.policy_id(claims)?,
            annotated_evidence: self.map(claims, "ear.veraison.annotated-evidence")?,
            policy_claims: self.map(claims, "ear.veraison.policy-claims")?,
        })
    }
}

fn tier(name: &str) -> Option<TrustTier> {
    [TrustTier::None, TrustTier::Affirming, TrustTier::Warning, TrustTier::Contraindicated]
        .into_iter()
        .find(|tier| tier.as_str() == name)
}

/// A vector; a claim that AR4SI does not have might be the one that condemns, so it is not passed over.
fn vector_of(submodule: &str, value: &Value) -> Result<TrustVector, VeraisonError> {
    let claims =
        value.as_object().ok_or_else(|| wrong(format!("the vector of {submodule} is not an object")))?;
    let mut vector = TrustVector::default();
    let mut seen = Vec::with_capacity(TrustClaim::ALL.len());
    for (name, value) in claims {
        let claim = TrustClaim::from_name(name)
            .ok_or_else(|| wrong(format!("the vector of {submodule} has a claim {:?}", shown(name))))?;
        if seen.contains(&claim) {
            return Err(wrong(format!("the vector of {submodule} has {claim} twice")));
        }
        seen.push(claim);
        let value = value
            .as_i64()
            .and_then(|value| i8::try_from(value).ok())
            .ok_or_else(|| wrong(format!("{claim} of {submodule} is not a whole number from -128 to 127")))?;
        vector.set(claim, value);
    }
    Ok(vector)
}
