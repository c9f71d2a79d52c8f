//! What is recorded: an event, in words, names and digests. There is no place in it for a secret, a
//! token or evidence.

use assay_types::{Digest, Fault, Tee};
use serde::{Deserialize, Serialize};

use crate::HeadRef;

/// The longest text of a field, in characters; longer ones end in `…`.
const MAX_TEXT: usize = 512;

/// The most names of reference values, policies or pieces of evidence in one record; how many more
/// there are is said.
const MAX_NAMES: usize = 128;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Evidence was verified and appraised.
    Verdict,
    /// An attestation was refused.
    Refusal,
    /// A guest may have a resource: it was released, or could not be.
    Release,
    /// The resource policy said no.
    Denial,
    /// An administrator changed something, or tried to.
    Admin,
    /// Somebody without the right tried to administer.
    Access,
    /// A process began to write; its record quotes the heads of the other chains.
    ChainStart,
    /// The heads of other chains that have grown.
    Heads,
    /// A process ended in good order.
    ChainStop,
    /// Old records were removed by their owner.
    Prune,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 10] = [
        Kind::Verdict,
        Kind::Refusal,
        Kind::Release,
        Kind::Denial,
        Kind::Admin,
        Kind::Access,
        Kind::ChainStart,
        Kind::Heads,
        Kind::ChainStop,
        Kind::Prune,
    ];

    /// The kinds whose records speak of other chains.
    pub const OF_CHAINS: [Kind; 3] = [Kind::ChainStart, Kind::Heads, Kind::Prune];

    /// Its name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Verdict => "verdict",
            Kind::Refusal => "refusal",
            Kind::Release => "release",
            Kind::Denial => "denial",
            Kind::Admin => "admin",
            Kind::Access => "access",
            Kind::ChainStart => "chain-start",
            Kind::Heads => "heads",
            Kind::ChainStop => "chain-stop",
            Kind::Prune => "prune",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As asked.
    Ok,
    /// It was not allowed, or not possible as asked.
    Refused,
    /// We, or what we depend on, failed.
    Failed,
}

impl Outcome {
    /// Its name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Outcome::Ok, Outcome::Refused, Outcome::Failed].into_iter().find(|one| one.as_str() == name)
    }

    /// The outcome where this is at fault.
    pub const fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::Internal
            | Fault::Unavailable
            | Fault::CollateralTransient
            | Fault::CollateralPermanent => Outcome::Failed,
            _ => Outcome::Refused,
        }
    }
}

/// A piece of evidence, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRef {
    /// The TEE.
    pub tee: Tee,
    /// The digest of the evidence as it arrived.
    pub digest: Digest,
    /// The trust tier of its appraisal; absent when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// A policy that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Its id.
    pub id: String,
    /// Its version; 0 for one that the program brings.
    pub version: u64,
    /// The digest of its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// The reference values that a verdict rests on, or that were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValuesRef {
    /// The digest of the set; absent where a provider elsewhere keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The names of those that were asked for or changed, the first 128.
    pub names: Vec<String>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// What happened, to what, by whom, on what grounds. Fields that do not apply are empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// How it ended.
    pub outcome: Outcome,
    /// What an administrator did, such as `resource stored`; what a process is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Who: `attestation <jti>`, `token <jti>`, `certificate <name>`; absent when only the address is
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceRef>,
    /// The `jti` of the attestation token that the verdict is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The trust tier of the whole verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyRef>,
    /// The reference values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValuesRef>,
    /// The path of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What an administrator acted on: the id of a policy, the name of a reference value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The code of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// How many events of this kind were not recorded since the last one that was: somebody tries
    /// very often.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub suppressed: u64,
    /// Heads of other chains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<HeadRef>,
    /// Up to where chains were pruned: `length` records are gone, and the last of them had `hash`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<HeadRef>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The text, cut to what a record holds, and visibly so.
fn bounded(text: impl Into<String>) -> String {
    let text = text.into();
    if text.chars().count() <= MAX_TEXT {
        return text;
    }
    text.chars().take(MAX_TEXT - 1).chain(['…']).collect()
}

impl Event {
    /// An event with nothing else known of it.
    pub fn new(kind: Kind, outcome: Outcome) -> Self {
        Event {
            kind,
            outcome,
            action: None,
            who: None,
            address: None,
            evidence: Vec::new(),
            token: None,
            status: None,
            policies: Vec::new(),
            values: None,
            resource: None,
            target: None,
            code: None,
            request: None,
            suppressed: 0,
            heads: Vec::new(),
            pruned: Vec::new(),
        }
    }

    /// With the outcome and code of an error.
    #[must_use]
    pub fn failed(self, fault: Fault, code: &str) -> Self {
        Event { outcome: Outcome::of_fault(fault), code: Some(bounded(code)), ..self }
    }

    /// With what was done.
    #[must_use]
    pub fn action(self, action: impl Into<String>) -> Self {
        Event { action: Some(bounded(action)), ..self }
    }

    /// With who did it: `token <jti>`, `certificate <name>`, `attestation <jti>`.
    #[must_use]
    pub fn who(self, who: impl Into<String>) -> Self {
        Event { who: Some(bounded(who)), ..self }
    }

    /// With the client's address.
    #[must_use]
    pub fn address(self, address: impl ToString) -> Self {
        Event { address: Some(bounded(address.to_string())), ..self }
    }

    /// With a piece of evidence. More than 128 are not named.
    #[must_use]
    pub fn evidence(mut self, tee: Tee, digest: Digest, status: Option<&str>) -> Self {
        if self.evidence.len() < MAX_NAMES {
            self.evidence.push(EvidenceRef { tee, digest, status: status.map(bounded) });
        }
        self
    }

    /// With the token that the verdict is for, by its `jti`.
    #[must_use]
    pub fn token(self, jti: impl Into<String>) -> Self {
        Event { token: Some(bounded(jti)), ..self }
    }

    /// With the trust tier of the verdict.
    #[must_use]
    pub fn status(self, status: impl ToString) -> Self {
        Event { status: Some(bounded(status.to_string())), ..self }
    }

    /// With a policy that decided. More than 128 are not named.
    #[must_use]
    pub fn policy(mut self, id: &str, version: u64, digest: Option<Digest>) -> Self {
        if self.policies.len() < MAX_NAMES {
            self.policies.push(PolicyRef { id: bounded(id), version, digest });
        }
        self
    }

    /// With reference values: the digest of the set, and the names that were asked for or changed.
    #[must_use]
    pub fn values(self, digest: Option<Digest>, names: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<String> = names.into_iter().collect();
        all.sort();
        all.dedup();
        let more = u64::try_from(all.len().saturating_sub(MAX_NAMES)).unwrap_or(u64::MAX);
        let names = all.into_iter().take(MAX_NAMES).map(bounded).collect();
        Event { values: Some(ValuesRef { digest, names, more }), ..self }
    }

    /// With the path of a resource.
    #[must_use]
    pub fn resource(self, path: impl Into<String>) -> Self {
        Event { resource: Some(bounded(path)), ..self }
    }

    /// With what was acted on.
    #[must_use]
    pub fn target(self, name: impl Into<String>) -> Self {
        Event { target: Some(bounded(name)), ..self }
    }

    /// With the request's id.
    #[must_use]
    pub fn request(self, id: impl Into<String>) -> Self {
        Event { request: Some(bounded(id)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json_form() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(Kind::from_name(kind.as_str()), Some(kind));
        }
        for outcome in [Outcome::Ok, Outcome::Refused, Outcome::Failed] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert_eq!(Outcome::from_name(outcome.as_str()), Some(outcome));
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let event = Event::new(Kind::Admin, Outcome::Ok).target("ä".repeat(600));
        let target = event.target.unwrap();
        assert!(target.ends_with('…') && target.chars().count() == 512, "{target}");
        let names = (0..200).map(|n| format!("value-{n}"));
        let values =
            Event::new(Kind::Verdict, Outcome::Ok).values(Some(Digest::sha384(b"")), names).values.unwrap();
        assert_eq!((values.names.len(), values.more), (128, 72));
    }
}
