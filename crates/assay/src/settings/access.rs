//! The settings of access: `[access]`.

use anyhow::{Context as _, ensure};
use assay_access::{ClientRule, DEFAULT_AUDIENCE};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Access {
    pub(crate) clients: Vec<ClientRule>,
    pub(crate) audience: String,
}

impl Default for Access {
    fn default() -> Self {
        Access { clients: Vec::new(), audience: DEFAULT_AUDIENCE.to_owned() }
    }
}

/// Every key with its meaning.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "access.clients",
        "What holders of client certificates may do: { san = \"a DNS name or URI, whole\", roles = [\"...\"] }.",
    ),
    (
        "access.audience",
        "The audience (aud) that admin tokens must have, and that `assay admin token` gives them.",
    ),
];

impl Access {
    /// What types do not say.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ClientRule::check(&self.clients).context("access.clients")?;
        ensure!(
            (1..=256).contains(&self.audience.len()),
            "access.audience has {} bytes; expected 1 to 256",
            self.audience.len()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_access::Role;

    #[test]
    fn rules_are_read_and_bad_ones_refused_by_name() {
        let good: Access = toml::from_str(
            "clients = [{ san = \"spiffe://example.org/kbs\", roles = [\"evaluator\", \"auditor\"] }]",
        )
        .unwrap();
        good.check().unwrap();
        assert_eq!(good.clients[0].roles, [Role::Evaluator, Role::Auditor]);
        for (text, part) in [
            ("clients = [{ san = \"*.example.org\", roles = [\"auditor\"] }]", "whole"),
            ("clients = [{ san = \"a\", roles = [] }]", "no role"),
            (
                "clients = [{ san = \"a\", roles = [\"auditor\"] }, { san = \"A\", roles = [\"admin\"] }]",
                "twice",
            ),
            ("audience = \"\"", "access.audience"),
        ] {
            let error = format!("{:#}", toml::from_str::<Access>(text).unwrap().check().unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
        for text in [
            "clients = [{ san = \"a\" }]",
            "clients = [{ san = \"a\", roles = [\"root\"] }]",
            "clients = [{ san = \"a\", roles = [\"auditor\"], cn = \"b\" }]",
            "client = []",
        ] {
            assert!(toml::from_str::<Access>(text).is_err(), "{text}");
        }
    }
}
