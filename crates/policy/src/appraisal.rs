//! What a policy's evaluation gives.

use assay_types::{AskedReferenceValue, TrustClaim, TrustVector};
use regorus::Value as Rego;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::PolicyError;
use crate::engine::Entry;
use crate::lexer::count64;
use crate::value::{Allowance, Unfit, shown, to_json};

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
    /// The reference value that was compared, by name, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_value: Option<String>,
    /// What was expected: the reference value (null where it is missing), or text.
    #[serde(default)]
    pub expected: Value,
    /// What was found: the claim's value, or text.
    #[serde(default)]
    pub found: Value,
    /// The reason in words.
    #[serde(default)]
    pub detail: String,
    /// What to do about it.
    #[serde(default)]
    pub remedy: String,
}

fn wrong_shape(rule: impl Into<String>, found: impl Into<String>, expected: &str) -> PolicyError {
    PolicyError::WrongShape { rule: rule.into(), found: found.into(), expected: expected.to_owned() }
}

/// Reads `trust_claims`. Nothing is rounded, wrapped or left out.
pub(crate) fn trust_vector(value: &Rego) -> Result<TrustVector, PolicyError> {
    let path = Entry::TrustClaims.path();
    let Rego::Object(claims) = value else {
        return Err(wrong_shape(path, shown(value), "an object of trustworthiness claims"));
    };
    let mut vector = TrustVector::default();
    let mut seen: Vec<TrustClaim> = Vec::with_capacity(TrustClaim::ALL.len());
    for (key, value) in claims.iter() {
        let name = match key {
            Rego::String(name) => name.chars().take(64).collect(),
            other => shown(other),
        };
        let Some(claim) = TrustClaim::from_name(&name) else {
            return Err(PolicyError::UnknownTrustClaim { name });
        };
        if seen.contains(&claim) {
            return Err(wrong_shape(path, format!("an object with {claim} twice"), "each claim once"));
        }
        seen.push(claim);
        let whole = match value {
            Rego::Number(_) => value.as_i64().ok().and_then(|n| i8::try_from(n).ok()),
            _ => None,
        };
        match whole {
            Some(whole) => vector.set(claim, whole),
            None => return Err(PolicyError::ValueOutOfRange { claim: name, found: shown(value) }),
        }
    }
    Ok(vector)
}

fn unfit(entry: Entry, unfit: Unfit, max_output: usize) -> PolicyError {
    match unfit {
        Unfit::TooDeep | Unfit::TooLarge => {
            PolicyError::OutputTooLarge { evaluating: entry.evaluating(), max: count64(max_output) }
        }
        Unfit::NotJson => wrong_shape(entry.path(), "a value that JSON does not have", "JSON"),
    }
}

/// Reads `extensions`; undefined means none.
pub(crate) fn extensions(value: &Rego, max_output: usize) -> Result<Vec<Extension>, PolicyError> {
    list(Entry::Extensions, value, max_output, "an array of {name, key, value}")
}

/// Reads `findings`; undefined means none.
pub(crate) fn findings(value: &Rego, max_output: usize) -> Result<Vec<PolicyFinding>, PolicyError> {
    list(
        Entry::Findings,
        value,
        max_output,
        "a list of {code, claim, value, expected, found, detail, remedy}",
    )
}

fn list<T: for<'de> Deserialize<'de>>(
    entry: Entry,
    value: &Rego,
    max_output: usize,
    expected: &str,
) -> Result<Vec<T>, PolicyError> {
    match value {
        Rego::Undefined => return Ok(Vec::new()),
        Rego::Array(_) | Rego::Set(_) => {}
        other => return Err(wrong_shape(entry.path(), shown(other), expected)),
    }
    let json = to_json(value, &mut Allowance::new(max_output)).map_err(|u| unfit(entry, u, max_output))?;
    let Value::Array(items) = json else { return Ok(Vec::new()) };
    let parse = |(index, item)| {
        serde_json::from_value(item).map_err(|error| {
            let found: String = error.to_string().chars().take(200).collect();
            wrong_shape(format!("{}[{index}]", entry.path()), found, expected)
        })
    };
    items.into_iter().enumerate().map(parse).collect()
}
