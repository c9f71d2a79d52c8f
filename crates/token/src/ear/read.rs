//! Reading attestation results of every dialect. The names decide which one it is, not the profile.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use assay_types::{TrustClaim, TrustTier, UnixTime};

use super::nonce;
use super::{EarClaims, Submodule, VerifierId, dotted, underscored};
use crate::TokenError;
use crate::error::shown;

/// The policy ids, a text in the dotted spelling and a list in the other.
const POLICY_ID: &str = "ear.appraisal-policy-id";
const POLICY_IDS: &str = "ear_appraisal_policy_ids";

/// The claims with dotted names, as they come.
#[derive(Deserialize)]
struct WireClaims {
    eat_profile: String,
    iat: UnixTime,
    nbf: Option<UnixTime>,
    exp: Option<UnixTime>,
    #[serde(default)]
    iss: String,
    #[serde(default)]
    jti: String,
    eat_nonce: Option<String>,
    #[serde(rename = "ear.verifier-id")]
    verifier_id: VerifierId,
    submods: BTreeMap<String, Submodule>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

fn refused(why: impl Into<String>) -> TokenError {
    TokenError::NotAnAttestationResult { why: why.into() }
}

impl EarClaims {
    /// Reads the claims of a verified token, in any dialect.
    ///
    /// What Veraison leaves out may be missing: `exp`, `nbf`, `iss`, `jti`, the policy's id, the trust
    /// vector or claims of it, which then count as not made. `eat_nonce` may be padded or not.
    ///
    /// # Errors
    /// [`TokenError::BothNames`] when a member is there in both spellings;
    /// [`TokenError::NotAnAttestationResult`] when a member is missing or of the wrong type, when there is
    /// no submodule, or when a status is better than what it sums up.
    pub fn from_value(claims: &Value) -> Result<Self, TokenError> {
        let mut claims = EarClaims::normalised(claims.clone())?;
        complete_vectors(&mut claims);
        let wire = WireClaims::deserialize(claims).map_err(|e| refused(e.to_string()))?;
        if wire.submods.is_empty() {
            return Err(refused("no submods"));
        }
        if let Some((name, _)) = wire.submods.iter().find(|(_, s)| s.status < s.trust_vector.status()) {
            return Err(refused(format!("the status of {name:?} is better than its trust vector")));
        }
        if let Some(status) = wire.extra.get("ear.status") {
            let status = TrustTier::deserialize(status).map_err(|e| refused(format!("ear.status: {e}")))?;
            if wire.submods.values().any(|submodule| status < submodule.status) {
                return Err(refused("the status of the whole is better than that of a submodule"));
            }
        }
        Ok(EarClaims {
            eat_profile: wire.eat_profile,
            iat: wire.iat,
            nbf: wire.nbf.unwrap_or(wire.iat),
            exp: wire.exp,
            iss: wire.iss,
            jti: wire.jti,
            eat_nonce: wire.eat_nonce.as_deref().map(nonce::nonce).transpose().map_err(refused)?,
            verifier_id: wire.verifier_id,
            submods: wire.submods,
            extra: wire.extra,
        })
    }

    /// The claims of a token with dotted names, which policies and the places of the guest's key are
    /// written for. Nothing but names changes, and the list of policy ids, which becomes one text with
    /// commas. Claims that have dotted names already, and tokens that are no attestation results, stay
    /// as they are.
    ///
    /// # Errors
    /// [`TokenError::BothNames`] when a member is there in both spellings;
    /// [`TokenError::NotAnAttestationResult`] when the list of policy ids is no list of texts, is empty, or
    /// has an id with a comma.
    pub fn normalised(mut claims: Value) -> Result<Value, TokenError> {
        let Some(members) = claims.as_object_mut() else { return Ok(claims) };
        rename(members)?;
        if let Some(submods) = members.get_mut("submods").and_then(Value::as_object_mut) {
            submods.values_mut().filter_map(Value::as_object_mut).try_for_each(rename)?;
        }
        Ok(claims)
    }
}

/// Gives each member its dotted name.
fn rename(members: &mut Map<String, Value>) -> Result<(), TokenError> {
    let names: Vec<_> =
        members.keys().filter_map(|name| Some((name.clone(), dotted(name)?.into_owned()))).collect();
    for (name, dotted) in names {
        if members.contains_key(&dotted) {
            return Err(TokenError::BothNames { dotted: shown(&dotted), underscored: shown(&name) });
        }
        let Some(mut value) = members.remove(&name) else { continue };
        if name == POLICY_IDS {
            value = Value::String(joined(&value)?);
        }
        members.insert(dotted, value);
    }
    Ok(())
}

/// The list of policy ids as one text.
fn joined(ids: &Value) -> Result<String, TokenError> {
    let wrong = || refused(format!("{POLICY_IDS} is not a list of texts with one at least"));
    let ids: Option<Vec<&str>> = ids.as_array().ok_or_else(wrong)?.iter().map(Value::as_str).collect();
    let ids = ids.filter(|ids| !ids.is_empty()).ok_or_else(wrong)?;
    match ids.iter().find(|id| id.contains(',')) {
        Some(id) => Err(refused(format!("the policy id {:?} has a comma, which separates ids", shown(id)))),
        None => Ok(ids.join(",")),
    }
}

/// The claims of trust vectors that are not there were not made: 0.
fn complete_vectors(claims: &mut Value) {
    let submods = claims.get_mut("submods").and_then(Value::as_object_mut);
    let vectors = submods.into_iter().flat_map(Map::values_mut).filter_map(|submodule| {
        submodule.get_mut("ear.trustworthiness-vector").and_then(Value::as_object_mut)
    });
    for vector in vectors {
        for claim in TrustClaim::ALL {
            vector.entry(claim.as_str()).or_insert_with(|| Value::from(0));
        }
    }
}

/// Gives the members of claims with dotted names, as we write them, their names with underscores.
pub(crate) fn rename_for_ietf(mut claims: Value) -> Value {
    let rename = |members: &mut Map<String, Value>| {
        *members = std::mem::take(members)
            .into_iter()
            .map(|(name, value)| match (underscored(&name), value) {
                (Some(other), Value::String(ids)) if name == POLICY_ID => {
                    (other.into_owned(), ids.split(',').map(Value::from).collect())
                }
                (Some(other), value) => (other.into_owned(), value),
                (None, value) => (name, value),
            })
            .collect();
    };
    if let Some(members) = claims.as_object_mut() {
        rename(members);
        if let Some(submods) = members.get_mut("submods").and_then(Value::as_object_mut) {
            submods.values_mut().filter_map(Value::as_object_mut).for_each(rename);
        }
    }
    claims
}
