//! Roles. What each may do in detail, each service says for its own methods.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the holder of an admin token, or of a client certificate, may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Sets, lists and deletes resources. No role reads one: resources go to guests.
    ResourceWriter,
    /// Reads, sets and deletes attestation policies and resource policies.
    PolicyWriter,
    /// Reads, registers and deletes reference values.
    ReferenceValueWriter,
    /// Reads reference values: an attestation service that asks a reference value provider.
    ReferenceValueReader,
    /// May have evidence evaluated: a key broker that asks an attestation service.
    Evaluator,
    /// Reads everything that an administrator can read, and changes nothing.
    Auditor,
}

/// A text that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {name:?}; roles are {}", Role::names())]
pub struct UnknownRole {
    /// The name as received, cut after 64 characters.
    pub name: String,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 7] = [
        Role::Admin,
        Role::ResourceWriter,
        Role::PolicyWriter,
        Role::ReferenceValueWriter,
        Role::ReferenceValueReader,
        Role::Evaluator,
        Role::Auditor,
    ];

    /// The name in tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::ResourceWriter => "resource-writer",
            Role::PolicyWriter => "policy-writer",
            Role::ReferenceValueWriter => "reference-value-writer",
            Role::ReferenceValueReader => "reference-value-reader",
            Role::Evaluator => "evaluator",
            Role::Auditor => "auditor",
        }
    }

    /// What it may do, in words.
    pub const fn description(self) -> &'static str {
        match self {
            Role::Admin => "everything",
            Role::ResourceWriter => "sets, lists and deletes resources",
            Role::PolicyWriter => "reads, sets and deletes attestation and resource policies",
            Role::ReferenceValueWriter => "reads, registers and deletes reference values",
            Role::ReferenceValueReader => "reads reference values",
            Role::Evaluator => "has evidence evaluated by an attestation service",
            Role::Auditor => "reads everything an administrator can read, changes nothing",
        }
    }

    /// All names, separated by commas.
    pub(crate) fn names() -> String {
        Role::ALL.map(Role::as_str).join(", ")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole { name: text.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_those_of_json() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        let error = "root".parse::<Role>().unwrap_err();
        assert!(error.to_string().contains("auditor"), "{error}");
    }
}
