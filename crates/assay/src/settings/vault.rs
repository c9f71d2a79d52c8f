//! The settings of HashiCorp Vault: `[vault]`.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use assay_vault::{VaultAuth, VaultPath};
use serde::{Deserialize, Serialize};

/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Vault {
    pub(crate) address: Option<String>,
    pub(crate) ca_certificate: Option<PathBuf>,
    pub(crate) namespace: Option<String>,
    pub(crate) auth: VaultAuthKind,
    pub(crate) auth_mount: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) role_id: Option<String>,
    pub(crate) secret_id_file: Option<PathBuf>,
    pub(crate) kubernetes_role: Option<String>,
    pub(crate) kubernetes_token_file: PathBuf,
    pub(crate) transit_mount: String,
    pub(crate) deadline_seconds: u64,
}

/// Who the service is at Vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VaultAuthKind {
    /// A token.
    #[default]
    Token,
    /// An AppRole.
    AppRole,
    /// A Kubernetes service account.
    Kubernetes,
}

impl Default for Vault {
    fn default() -> Self {
        Vault {
            address: None,
            ca_certificate: None,
            namespace: None,
            auth: VaultAuthKind::Token,
            auth_mount: None,
            token_file: None,
            role_id: None,
            secret_id_file: None,
            kubernetes_role: None,
            kubernetes_token_file: SERVICE_ACCOUNT.into(),
            transit_mount: "transit".into(),
            deadline_seconds: 10,
        }
    }
}

/// Every key with its meaning.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "vault.address",
        "The address of HashiCorp Vault (or OpenBao): https, or http on loopback. Used by resources.backend.",
    ),
    ("vault.ca_certificate", "The only certificate authority to trust for it (PEM)."),
    ("vault.namespace", "The namespace, sent as X-Vault-Namespace."),
    ("vault.auth", "Who the service is there: token, approle or kubernetes."),
    ("vault.auth_mount", "Where that auth method is mounted; at its own name when absent."),
    ("vault.token_file", "With token: the file with it; read again when it changes."),
    ("vault.role_id", "With approle: the id of the role."),
    ("vault.secret_id_file", "With approle: the file with the secret id; read at each login."),
    ("vault.kubernetes_role", "With kubernetes: the name of the role."),
    (
        "vault.kubernetes_token_file",
        "With kubernetes: the file with the service account's token; read at each login.",
    ),
    ("vault.transit_mount", "Where the transit engine is mounted, for a key-encryption key kept there."),
    ("vault.deadline_seconds", "How long a call to Vault may take, logging in included."),
];

impl Vault {
    /// What types do not say.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1..=300).contains(&self.deadline_seconds),
            "vault.deadline_seconds is {}; expected 1 to 300",
            self.deadline_seconds
        );
        VaultPath::new(&self.transit_mount, "transit_mount").context("vault.transit_mount")?;
        if let Some(mount) = &self.auth_mount {
            VaultPath::new(mount, "auth_mount").context("vault.auth_mount")?;
        }
        if self.address.is_some() {
            self.auth()?;
        }
        Ok(())
    }

    /// Who the service is at Vault.
    pub(crate) fn auth(&self) -> anyhow::Result<VaultAuth> {
        let mount = |own: &str| self.auth_mount.clone().unwrap_or_else(|| own.to_owned());
        Ok(match self.auth {
            VaultAuthKind::Token => VaultAuth::Token {
                file: self
                    .token_file
                    .clone()
                    .context("vault.auth is token; then vault.token_file is needed")?,
            },
            VaultAuthKind::AppRole => VaultAuth::AppRole {
                mount: mount("approle"),
                role_id: self
                    .role_id
                    .clone()
                    .context("vault.auth is approle; then vault.role_id is needed")?,
                secret_id_file: self
                    .secret_id_file
                    .clone()
                    .context("vault.auth is approle; then vault.secret_id_file is needed")?,
            },
            VaultAuthKind::Kubernetes => VaultAuth::Kubernetes {
                mount: mount("kubernetes"),
                role: self
                    .kubernetes_role
                    .clone()
                    .context("vault.auth is kubernetes; then vault.kubernetes_role is needed")?,
                token_file: self.kubernetes_token_file.clone(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vault {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn each_way_to_log_in_has_what_it_needs() {
        for (text, part) in [
            ("address = \"https://v\"", "vault.token_file"),
            ("address = \"https://v\"\nauth = \"approle\"\nsecret_id_file = \"s\"", "vault.role_id"),
            ("address = \"https://v\"\nauth = \"approle\"\nrole_id = \"r\"", "vault.secret_id_file"),
            ("address = \"https://v\"\nauth = \"kubernetes\"", "vault.kubernetes_role"),
            ("deadline_seconds = 0", "vault.deadline_seconds"),
            ("transit_mount = \"a/../b\"", "vault.transit_mount"),
            ("auth_mount = \"\"", "vault.auth_mount"),
        ] {
            let error = format!("{:#}", settings(text).check().unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
        let kubernetes =
            settings("address = \"https://v\"\nauth = \"kubernetes\"\nkubernetes_role = \"assay\"");
        assert!(kubernetes.check().is_ok());
        let VaultAuth::Kubernetes { mount, token_file, .. } = kubernetes.auth().unwrap() else { panic!() };
        assert_eq!((mount.as_str(), token_file.to_str().unwrap()), ("kubernetes", SERVICE_ACCOUNT));
        for text in ["auth = \"userpass\"", "token = \"hvs.x\"", "verify_ssl = false"] {
            assert!(toml::from_str::<Vault>(text).is_err(), "{text}");
        }
    }
}
