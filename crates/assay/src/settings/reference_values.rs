//! A remote reference value provider, `[reference_values]`, and the provider's own door, `[rvps]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use assay_reference_values::{Protocol, RemoteValuesSettings};
use assay_remote::RemoteSettings;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RemoteValues {
    pub(crate) address: Option<String>,
    pub(crate) protocol: ValuesProtocol,
    pub(crate) ca_certificate: Option<PathBuf>,
    pub(crate) client_certificate: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) deadline_seconds: u64,
    pub(crate) cache_seconds: u64,
    pub(crate) max_age_seconds: u64,
}

/// What is spoken with a remote provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ValuesProtocol {
    /// Assay's: the whole set.
    #[default]
    Assay,
    /// Trustee's: value by value.
    Trustee,
}

impl From<ValuesProtocol> for Protocol {
    fn from(protocol: ValuesProtocol) -> Self {
        match protocol {
            ValuesProtocol::Assay => Protocol::Assay,
            ValuesProtocol::Trustee => Protocol::Trustee,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RvpsDoor {
    pub(crate) listen: SocketAddr,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
}

impl Default for RemoteValues {
    fn default() -> Self {
        RemoteValues {
            address: None,
            protocol: ValuesProtocol::Assay,
            ca_certificate: None,
            client_certificate: None,
            client_key: None,
            token_file: None,
            deadline_seconds: 10,
            cache_seconds: 1,
            max_age_seconds: 10,
        }
    }
}

impl Default for RvpsDoor {
    fn default() -> Self {
        RvpsDoor {
            listen: SocketAddr::from(([127, 0, 0, 1], 50_003)),
            tls_certificate: None,
            tls_key: None,
            client_ca: None,
        }
    }
}

/// Every key with its meaning.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "reference_values.address",
        "A reference value provider elsewhere (https://host:port); the values are in this server's store when absent.",
    ),
    (
        "reference_values.protocol",
        "assay (the whole set is here and follows the provider's) or trustee (each value is asked for; no endorsements).",
    ),
    ("reference_values.ca_certificate", "The only certificate authority to trust for it (PEM)."),
    ("reference_values.client_certificate", "The certificate chain to show it (PEM)."),
    ("reference_values.client_key", "The private key of that certificate (PEM)."),
    (
        "reference_values.token_file",
        "A file with the bearer token to show it; read again when it is refused.",
    ),
    ("reference_values.deadline_seconds", "How long a call of it may take."),
    (
        "reference_values.cache_seconds",
        "With trustee: how long an answer is good for evaluations that begin later.",
    ),
    (
        "reference_values.max_age_seconds",
        "With assay: how long the set is used after the provider last confirmed it; then evaluations fail.",
    ),
    ("rvps.listen", "Where `assay serve rvps` listens."),
    (
        "rvps.tls_certificate",
        "Its TLS certificate chain (PEM). Without, it listens on loopback addresses only.",
    ),
    ("rvps.tls_key", "Its TLS private key (PEM)."),
    (
        "rvps.client_ca",
        "The authorities of client certificates (PEM): who shows a certificate of theirs has the roles in access.clients.",
    ),
];

impl RemoteValues {
    /// The way to the provider, where there is one.
    pub(crate) fn remote(&self, danger_plain_http: bool) -> Option<RemoteValuesSettings> {
        let remote = RemoteSettings {
            ca_certificate: self.ca_certificate.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            token_file: self.token_file.clone(),
            deadline: Duration::from_secs(self.deadline_seconds),
            danger_plain_http,
            ..RemoteSettings::new(RemoteValuesSettings::PART, self.address.as_deref()?)
        };
        Some(RemoteValuesSettings {
            cache: Duration::from_secs(self.cache_seconds),
            max_age: Duration::from_secs(self.max_age_seconds),
            ..RemoteValuesSettings::new(remote, self.protocol.into())
        })
    }

    /// What types do not say.
    pub(super) fn check(&self, danger_plain_http: bool) -> anyhow::Result<()> {
        match self.remote(danger_plain_http) {
            Some(settings) => {
                settings.remote.check().map_err(|error| anyhow::anyhow!("reference_values: {error}"))?;
            }
            None => ensure!(
                *self == RemoteValues::default(),
                "reference_values.address is absent: nothing else in [reference_values] is of use"
            ),
        }
        ensure!(
            self.cache_seconds <= 60,
            "reference_values.cache_seconds is {}; expected 0 to 60",
            self.cache_seconds
        );
        ensure!(
            (2..=300).contains(&self.max_age_seconds),
            "reference_values.max_age_seconds is {}; expected 2 to 300",
            self.max_age_seconds
        );
        Ok(())
    }
}

impl RvpsDoor {
    /// What types do not say.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.tls_certificate.is_some() == self.tls_key.is_some(),
            "rvps.tls_certificate and rvps.tls_key belong together"
        );
        ensure!(
            self.tls_certificate.is_some() || self.client_ca.is_none(),
            "rvps.client_ca: there are no client certificates without TLS"
        );
        ensure!(
            self.tls_certificate.is_some() || self.listen.ip().is_loopback(),
            "rvps.listen is {}: plain HTTP is served on loopback addresses only; set rvps.tls_certificate and rvps.tls_key",
            self.listen
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> anyhow::Result<()> {
        toml::from_str::<RemoteValues>(text)?.check(false)
    }

    fn door(text: &str) -> anyhow::Result<()> {
        toml::from_str::<RvpsDoor>(text)?.check()
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for good in [
            "",
            "address = \"http://127.0.0.1:50003\"\nprotocol = \"trustee\"\ntoken_file = \"t\"",
            "address = \"https://rvps:50003\"\nca_certificate = \"ca\"\nclient_certificate = \"c\"\nclient_key = \"k\"",
        ] {
            remote(good).unwrap();
        }
        for (text, part) in [
            ("token_file = \"t\"", "address is absent"),
            ("address = \"https://rvps\"", "ca_certificate"),
            ("address = \"http://rvps\"", "loopback"),
            ("address = \"http://127.0.0.1:1\"\nprotocol = \"grpc\"", "grpc"),
            ("address = \"http://127.0.0.1:1\"\ncache_seconds = 61", "cache_seconds"),
            ("address = \"http://127.0.0.1:1\"\nmax_age_seconds = 1", "max_age_seconds"),
            ("address = \"http://127.0.0.1:1\"\ndeadline_seconds = 0", "deadline"),
        ] {
            let error = remote(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let plain = toml::from_str::<RemoteValues>("address = \"http://rvps\"").unwrap();
        plain.check(true).unwrap();
        door("").unwrap();
        for (text, part) in [
            ("listen = \"0.0.0.0:50003\"", "loopback"),
            ("tls_key = \"k\"", "belong together"),
            ("client_ca = \"ca\"", "without TLS"),
        ] {
            let error = door(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
