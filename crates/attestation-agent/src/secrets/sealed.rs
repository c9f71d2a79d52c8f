//! Sealed secrets in the guest: verified by the owner's key, then fetched or decrypted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_sealed_secret::{
    Ctr, Envelope, Payload, SealedSecretError, Unverified, parse_without_verification_danger,
};
use assay_types::{ResourceUri, SecretBytes};
use serde::Deserialize;

use super::Resources;
use super::verification_keys::{KeyRule, VerificationKeys};
use crate::error::AgentError;

/// How sealed secrets are treated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SealedSettings {
    /// The keys whose sealed secrets are taken: names (`kid`) to the letter, or beginnings of resource URIs
    /// that end in `/`. Empty: any key that the key broker or the directory has. The name is chosen by
    /// whoever made the sealed secret, so it is wise to name the owner's keys here.
    pub trusted_keys: Vec<KeyRule>,
    /// Where keys are whose name is no resource URI, a file each.
    pub key_directory: PathBuf,
    /// For how many seconds a key is remembered; 0 for not at all.
    pub key_cache_seconds: u64,
    /// Takes sealed secrets whoever made them; the signature is not looked at.
    pub skip_verification_danger: bool,
    /// Takes secrets under AES-256-CTR, which nothing authenticates but the signature around them.
    pub allow_ctr_danger: bool,
}

impl Default for SealedSettings {
    fn default() -> Self {
        SealedSettings {
            trusted_keys: Vec::new(),
            key_directory: PathBuf::from("/run/confidential-containers/cdh/sealed-secret"),
            key_cache_seconds: 60,
            skip_verification_danger: false,
            allow_ctr_danger: false,
        }
    }
}

/// Says whether the caller may read a resource.
pub type MayRead<'a> = &'a (dyn Fn(&ResourceUri) -> Result<(), AgentError> + Send + Sync);

/// Opens sealed secrets.
pub struct Unsealer {
    resources: Arc<dyn Resources>,
    keys: VerificationKeys,
    skip_verification: bool,
    ctr: Ctr,
}

impl Unsealer {
    /// Opens sealed secrets with what the key broker has.
    pub fn new(resources: Arc<dyn Resources>, settings: SealedSettings) -> Self {
        if settings.skip_verification_danger {
            tracing::warn!("sealed secrets are taken whoever made them (skip_verification_danger)");
        }
        if settings.allow_ctr_danger {
            tracing::warn!("sealed secrets are taken that are not authenticated (allow_ctr_danger)");
        }
        let remember = Duration::from_secs(settings.key_cache_seconds);
        let keys = VerificationKeys::new(
            Arc::clone(&resources),
            settings.key_directory,
            settings.trusted_keys,
            remember,
        );
        let ctr = if settings.allow_ctr_danger { Ctr::AllowedDanger } else { Ctr::Refused };
        Unsealer { resources, keys, skip_verification: settings.skip_verification_danger, ctr }
    }

    /// The secret that the sealed secret `text` (UTF-8) stands for. Nothing is fetched for a payload that is
    /// not verified, but the key that verifies it. `may_read` is asked before a vault's secret or an
    /// envelope's key is fetched: a sealed secret opens no more than a caller may read. It is not asked for
    /// the key that verifies, which stays here.
    ///
    /// # Errors
    /// [`AgentError::SealedSecret`], those of `may_read`, and those of the key broker.
    pub async fn unseal(&self, text: &[u8], may_read: MayRead<'_>) -> Result<SecretBytes, AgentError> {
        let text = str::from_utf8(text)
            .map_err(|_| SealedSecretError::Form { why: "it is not UTF-8 text".to_owned() })?;
        let payload = if self.skip_verification {
            parse_without_verification_danger(text)?
        } else {
            let unverified = Unverified::parse(text)?;
            let key = self.keys.key(unverified.kid()).await?;
            unverified.verify(&key)?
        };
        match payload {
            Payload::Vault(vault) => self.read(&vault.resource()?, may_read).await,
            Payload::Envelope(envelope) => self.open(&envelope, may_read).await,
        }
    }

    async fn read(&self, uri: &ResourceUri, may_read: MayRead<'_>) -> Result<SecretBytes, AgentError> {
        may_read(uri)?;
        self.resources.resource(uri).await
    }

    async fn open(&self, envelope: &Envelope, may_read: MayRead<'_>) -> Result<SecretBytes, AgentError> {
        let kek = self.read(&envelope.key_resource()?, may_read).await?;
        let data_key = envelope.unwrap_data_key(&kek)?;
        Ok(envelope.open(&data_key, self.ctr)?)
    }
}
