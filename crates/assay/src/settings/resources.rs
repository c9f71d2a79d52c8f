//! The settings of where the secrets of resources are kept: `[resources]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use assay_types::ResourcePath;
use assay_vault::VaultPath;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Resources {
    pub(crate) backend: BackendKind,
    pub(crate) by_repository: BTreeMap<String, BackendKind>,
    pub(crate) vault_mount: String,
    pub(crate) vault_kv_version: u8,
    pub(crate) vault_prefix: Option<String>,
    pub(crate) pkcs11_module: Option<PathBuf>,
    pub(crate) pkcs11_token_label: Option<String>,
    pub(crate) pkcs11_pin_file: Option<PathBuf>,
    pub(crate) pkcs11_deadline_seconds: u64,
}

/// Where a secret is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BackendKind {
    /// The own store.
    #[default]
    Store,
    /// HashiCorp Vault.
    Vault,
    /// A PKCS#11 token.
    Pkcs11,
}

impl Default for Resources {
    fn default() -> Self {
        Resources {
            backend: BackendKind::Store,
            by_repository: BTreeMap::new(),
            vault_mount: "secret".into(),
            vault_kv_version: 2,
            vault_prefix: None,
            pkcs11_module: None,
            pkcs11_token_label: None,
            pkcs11_pin_file: None,
            pkcs11_deadline_seconds: 10,
        }
    }
}

/// Every key with its meaning.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("resources.backend", "Where secrets are kept: store (the own database), vault or pkcs11."),
    (
        "resources.by_repository",
        "Repositories that are kept elsewhere: { name = \"vault\" }. Nothing is moved when this changes.",
    ),
    ("resources.vault_mount", "Where Vault's KV engine is mounted."),
    ("resources.vault_kv_version", "Its version, 1 or 2. What Trustee wrote is in version 1."),
    (
        "resources.vault_prefix",
        "The folder in it: secrets are <prefix>/<repository>/<type>/<tag>, their value base64 in the member data.",
    ),
    ("resources.pkcs11_module", "The PKCS#11 module, an absolute path; its code runs in the server."),
    ("resources.pkcs11_token_label", "The label of the token."),
    ("resources.pkcs11_pin_file", "The file with the user's PIN."),
    ("resources.pkcs11_deadline_seconds", "How long a call to the token may take."),
];

impl Resources {
    /// Whether a kind of back end is used at all.
    pub(crate) fn uses(&self, kind: BackendKind) -> bool {
        self.backend == kind || self.by_repository.values().any(|used| *used == kind)
    }

    /// What types do not say. `vault` tells whether an address of Vault is set.
    pub(super) fn check(&self, vault: bool) -> anyhow::Result<()> {
        ensure!(
            vault || !self.uses(BackendKind::Vault),
            "resources names vault as a back end; then vault.address is needed"
        );
        ensure!(
            (1..=2).contains(&self.vault_kv_version),
            "resources.vault_kv_version is {}; expected 1 or 2",
            self.vault_kv_version
        );
        VaultPath::new(&self.vault_mount, "vault_mount").context("resources.vault_mount")?;
        if let Some(prefix) = &self.vault_prefix {
            VaultPath::new(prefix, "vault_prefix").context("resources.vault_prefix")?;
        }
        if self.uses(BackendKind::Pkcs11) {
            for (key, given) in [
                ("pkcs11_module", self.pkcs11_module.is_some()),
                ("pkcs11_token_label", self.pkcs11_token_label.is_some()),
                ("pkcs11_pin_file", self.pkcs11_pin_file.is_some()),
            ] {
                ensure!(given, "resources names pkcs11 as a back end; then resources.{key} is needed");
            }
        }
        ensure!(
            (1..=300).contains(&self.pkcs11_deadline_seconds),
            "resources.pkcs11_deadline_seconds is {}; expected 1 to 300",
            self.pkcs11_deadline_seconds
        );
        for name in self.by_repository.keys() {
            ensure!(
                format!("{name}/type/tag").parse::<ResourcePath>().is_ok(),
                "resources.by_repository names {name:?}, which cannot be a repository"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_back_end_has_what_it_needs() {
        let settings = |text: &str| toml::from_str::<Resources>(text).unwrap();
        for (text, part) in [
            ("backend = \"vault\"", "vault.address"),
            ("by_repository = { a = \"vault\" }", "vault.address"),
            ("backend = \"pkcs11\"", "resources.pkcs11_module"),
            ("backend = \"pkcs11\"\npkcs11_module = \"/m\"", "resources.pkcs11_token_label"),
            (
                "by_repository = { a = \"pkcs11\" }\npkcs11_module = \"/m\"\npkcs11_token_label = \"t\"",
                "resources.pkcs11_pin_file",
            ),
            ("vault_kv_version = 3", "resources.vault_kv_version"),
            ("vault_mount = \"\"", "resources.vault_mount"),
            ("vault_prefix = \"a b\"", "resources.vault_prefix"),
            ("pkcs11_deadline_seconds = 0", "resources.pkcs11_deadline_seconds"),
            ("by_repository = { \"a/b\" = \"store\" }", "a/b"),
            ("by_repository = { \".a\" = \"store\" }", ".a"),
        ] {
            let error = format!("{:#}", settings(text).check(false).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(settings("by_repository = { Team-A = \"vault\", b = \"store\" }").check(true).is_ok());
        for text in ["backend = \"Vault\"", "backend = \"aws\"", "pkcs11_pin = \"1234\""] {
            assert!(toml::from_str::<Resources>(text).is_err(), "{text}");
        }
    }
}
