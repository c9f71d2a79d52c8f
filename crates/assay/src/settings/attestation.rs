//! What a key broker needs of an attestation service elsewhere: `[attestation]`.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use assay_types::Tee;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Attestation {
    pub(crate) address: Option<String>,
    pub(crate) ca_certificate: Option<PathBuf>,
    pub(crate) client_certificate: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) deadline_seconds: u64,
    pub(crate) tees: Vec<Tee>,
    pub(crate) trusted_keys: Option<String>,
    pub(crate) trusted_keys_ca_certificate: Option<PathBuf>,
    pub(crate) trusted_certificates: Vec<PathBuf>,
    pub(crate) issuer: Option<String>,
}

impl Default for Attestation {
    fn default() -> Self {
        Attestation {
            address: None,
            ca_certificate: None,
            client_certificate: None,
            client_key: None,
            token_file: None,
            deadline_seconds: 20,
            tees: vec![Tee::Snp, Tee::Tdx, Tee::Sgx, Tee::Cca],
            trusted_keys: None,
            trusted_keys_ca_certificate: None,
            trusted_certificates: Vec::new(),
            issuer: None,
        }
    }
}

/// Every key with its meaning.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "attestation.address",
        "The attestation service that a key broker alone asks, ours or Trustee's (gRPC): https://host:port, or http:// to loopback.",
    ),
    (
        "attestation.ca_certificate",
        "The only certificate authority to believe there (PEM). Needed with https.",
    ),
    ("attestation.client_certificate", "The certificate chain that is shown there (PEM)."),
    ("attestation.client_key", "Its private key (PEM)."),
    (
        "attestation.token_file",
        "A file with a bearer token that is sent there; read again when it is refused.",
    ),
    ("attestation.deadline_seconds", "How long an evaluation there may take."),
    ("attestation.tees", "The TEEs whose evidence it takes; others are refused here."),
    (
        "attestation.trusted_keys",
        "Whose tokens are believed: a file (JWKS), or the address of keys or of an OpenID discovery document.",
    ),
    (
        "attestation.trusted_keys_ca_certificate",
        "The only certificate authority to believe at that address (PEM); the system's when absent.",
    ),
    (
        "attestation.trusted_certificates",
        "Files of certificates (PEM) of signing keys, or of authorities that issue theirs, that are believed too.",
    ),
    (
        "attestation.issuer",
        "The only issuer (iss) to accept from there; the discovery document's when absent, else any.",
    ),
];

impl Attestation {
    /// Whether somebody else's tokens are believed.
    pub(crate) fn trusts(&self) -> bool {
        self.trusted_keys.is_some() || !self.trusted_certificates.is_empty()
    }

    /// What types do not say.
    pub(super) fn check(&self, danger_plain_http: bool) -> anyhow::Result<()> {
        ensure!(
            (1..=300).contains(&self.deadline_seconds),
            "attestation.deadline_seconds is {}; expected 1 to 300",
            self.deadline_seconds
        );
        if let Some(settings) = self.remote(danger_plain_http) {
            settings.check().context("attestation")?;
            ensure!(
                self.trusts(),
                "attestation.address needs attestation.trusted_keys or attestation.trusted_certificates: its tokens are \
                 verified"
            );
            ensure!(!self.tees.is_empty(), "attestation.tees is empty: no evidence could be sent");
        }
        Ok(())
    }

    /// The way to the service, where one is named.
    pub(crate) fn remote(&self, danger_plain_http: bool) -> Option<assay_remote::RemoteSettings> {
        let address = self.address.as_deref()?;
        Some(assay_remote::RemoteSettings {
            ca_certificate: self.ca_certificate.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            token_file: self.token_file.clone(),
            deadline: std::time::Duration::from_secs(self.deadline_seconds),
            danger_plain_http,
            ..assay_remote::RemoteSettings::new("attestation service", address)
        })
    }
}
