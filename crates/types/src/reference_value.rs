//! Reference values as policies ask for them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, UnixTime};

/// The answer to the question for a reference value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Lookup {
    /// It is there and in force.
    Found {
        /// Its value.
        value: Value,
        /// When it ends; a verdict that used it ends with it.
        expires: UnixTime,
    },
    /// There is none of that name.
    Missing,
    /// There is one, but it is no longer in force. Policies see it as missing.
    Expired {
        /// When it ended.
        since: UnixTime,
    },
}

impl Lookup {
    /// What the policy sees: the value, or null.
    pub fn to_policy_value(&self) -> Value {
        match self {
            Lookup::Found { value, .. } => value.clone(),
            Lookup::Missing | Lookup::Expired { .. } => Value::Null,
        }
    }
}

/// An unchanging set of reference values.
pub trait ReferenceValueSnapshot: Send + Sync {
    /// The reference value called `id`, at the time `now`.
    fn query(&self, id: &str, now: UnixTime) -> Lookup;

    /// The reference values of a group: those whose names are `group`, a `#`, and anything after it,
    /// in the order of their names, expired ones among them. Costs as much as the group has members,
    /// however large the set.
    fn group(&self, group: &str, now: UnixTime) -> Vec<AskedReferenceValue>;

    /// The SHA-384 over the whole set, for tokens; the same set gives the same digest.
    fn digest(&self) -> Digest;
}

/// A reference value that a policy asked for, and what it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedReferenceValue {
    /// Its name.
    pub id: String,
    /// The answer.
    #[serde(flatten)]
    pub answer: Lookup,
}
