//! The settings of the store and of the key that encrypts it: `[store]` and `[key_encryption]`.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use assay_store::{Location, PostgresOptions};
use assay_types::SecretBytes;
use serde::{Deserialize, Serialize};

use crate::output;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreSettings {
    pub(crate) url: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) tls_root_certificate: Option<PathBuf>,
    pub(crate) tls_client_certificate: Option<PathBuf>,
    pub(crate) tls_client_key: Option<PathBuf>,
    pub(crate) pool_connections: u32,
    pub(crate) answer_seconds: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        StoreSettings {
            url: None,
            password_file: None,
            tls_root_certificate: None,
            tls_client_certificate: None,
            tls_client_key: None,
            pool_connections: PostgresOptions::DEFAULT_CONNECTIONS,
            answer_seconds: 5,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeyEncryption {
    pub(crate) source: KeySourceKind,
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment_variable: String,
    pub(crate) transit_mount: String,
    pub(crate) transit_key: String,
}

/// Where the key-encryption key comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeySourceKind {
    /// A file of 32 bytes.
    #[default]
    File,
    /// An environment variable, in hexadecimal or base64.
    Environment,
    /// The store, sealed by Vault's transit engine.
    VaultTransit,
}

impl Default for KeyEncryption {
    fn default() -> Self {
        KeyEncryption {
            source: KeySourceKind::File,
            file: None,
            environment_variable: "ASSAY_KEY_ENCRYPTION_KEY".to_owned(),
            transit_mount: "transit".to_owned(),
            transit_key: "assay".to_owned(),
        }
    }
}

/// Every key with its meaning.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "store.url",
        "The PostgreSQL database of several replicas: postgresql://user@host:port/database. Absent: an \
         SQLite file in server.data_dir.",
    ),
    ("store.password_file", "The file with the password of PostgreSQL's user."),
    (
        "store.tls_root_certificate",
        "The authorities (PEM) of PostgreSQL's certificate; those of the public web when absent. Without \
         TLS only this machine is spoken to.",
    ),
    ("store.tls_client_certificate", "This server's own certificate (PEM) for PostgreSQL."),
    ("store.tls_client_key", "The key (PEM) of that certificate."),
    ("store.pool_connections", "The most connections to PostgreSQL."),
    ("store.answer_seconds", "How long the database may take to answer, and to lend a connection."),
    (
        "key_encryption.source",
        "Where the key comes from that secrets in the store are encrypted with: file, environment or \
         vault-transit.",
    ),
    (
        "key_encryption.file",
        "The file of 32 bytes, made when it is not there; key-encryption-key in server.data_dir when absent.",
    ),
    (
        "key_encryption.environment_variable",
        "The environment variable that holds it, in hexadecimal or base64.",
    ),
    ("key_encryption.transit_mount", "Where Vault's transit engine is mounted."),
    ("key_encryption.transit_key", "The transit key that seals it; the sealed key lies in the store."),
];

impl StoreSettings {
    /// What types do not say.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.tls_client_certificate.is_some() == self.tls_client_key.is_some(),
            "store.tls_client_certificate and store.tls_client_key belong together"
        );
        ensure!(
            (1..=500).contains(&self.pool_connections),
            "store.pool_connections is {}; expected 1 to 500",
            self.pool_connections
        );
        ensure!(
            (1..=300).contains(&self.answer_seconds),
            "store.answer_seconds is {}; expected 1 to 300",
            self.answer_seconds
        );
        // Here, so that a password in it is refused before the configuration is shown to anybody.
        if let Some(url) = &self.url {
            PostgresOptions::new(url).check().context("store.url")?;
        } else {
            let unused = [
                ("store.password_file", self.password_file.is_some()),
                ("store.tls_root_certificate", self.tls_root_certificate.is_some()),
                ("store.tls_client_certificate", self.tls_client_certificate.is_some()),
            ];
            for (name, set) in unused {
                ensure!(!set, "{name} is of use only with store.url");
            }
        }
        Ok(())
    }

    /// The store's place; `sqlite` where no database server is named.
    pub(crate) fn location(&self, sqlite: PathBuf, danger_plaintext: bool) -> anyhow::Result<Location> {
        let Some(url) = &self.url else { return Ok(Location::Sqlite(sqlite)) };
        let password = match &self.password_file {
            Some(file) => Some(SecretBytes::new(output::read(file)?)),
            None => None,
        };
        Ok(Location::Postgres(PostgresOptions {
            password,
            root_certificate: self.tls_root_certificate.clone(),
            client_certificate: self.tls_client_certificate.clone().zip(self.tls_client_key.clone()),
            danger_plaintext,
            connections: self.pool_connections,
            ..PostgresOptions::new(url)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_together_is_refused() {
        let check = |text: &str| toml::from_str::<StoreSettings>(text).unwrap().check();
        check("").unwrap();
        check("url = \"postgresql://a@b/c\"\npassword_file = \"/p\"").unwrap();
        for (text, part) in [
            ("password_file = \"/p\"", "store.password_file"),
            ("tls_root_certificate = \"/p\"", "store.tls_root_certificate"),
            ("url = \"postgresql://a@b/c\"\ntls_client_key = \"/p\"", "belong together"),
            ("pool_connections = 0", "pool_connections"),
            ("answer_seconds = 0", "answer_seconds"),
        ] {
            assert!(check(text).unwrap_err().to_string().contains(part), "{text}");
        }
        for (url, part) in [("postgresql://a:secret@b/c", "holds a password"), ("mysql://a@b/c", "begin")] {
            let error = format!("{:#}", check(&format!("url = \"{url}\"")).unwrap_err());
            assert!(error.contains(part) && error.contains("store.url"), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
