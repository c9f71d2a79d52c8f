//! Everything that can change while the server runs, one by one.

use std::path::PathBuf;
use std::sync::Arc;

use assay_access::{Authority, ClientRule};
use assay_key_broker_service::KeyBroker;
use assay_listener::TlsIdentity;
use assay_reference_values::{CorimTrust, ReferenceValues};
use assay_telemetry::Guard;

use super::{Reloadable, Step};
use crate::server::{broker_settings, corims};
use crate::settings::Settings;

/// `log.level`.
pub(crate) struct Log(pub(crate) Arc<Guard>);

impl Reloadable for Log {
    fn files(&self, _: &Settings) -> Vec<PathBuf> {
        Vec::new()
    }

    fn prepare(&self, settings: &Settings) -> anyhow::Result<Step> {
        let (guard, filter) = (Arc::clone(&self.0), settings.log.level.clone());
        Guard::check_filter(&filter)?;
        Ok(Box::new(move || Ok(guard.set_filter(&filter)?)))
    }
}

/// `telemetry.sample_ratio`.
pub(crate) struct Sampling(pub(crate) Arc<Guard>);

impl Reloadable for Sampling {
    fn files(&self, _: &Settings) -> Vec<PathBuf> {
        Vec::new()
    }

    fn prepare(&self, settings: &Settings) -> anyhow::Result<Step> {
        // The range is checked with the settings.
        let (guard, ratio) = (Arc::clone(&self.0), settings.telemetry.sample_ratio);
        Ok(Box::new(move || Ok(guard.set_sample_ratio(ratio)?)))
    }
}

/// What the key broker takes over of `[limits]` and `[server]`.
pub(crate) struct Limits(pub(crate) KeyBroker);

impl Reloadable for Limits {
    fn files(&self, _: &Settings) -> Vec<PathBuf> {
        Vec::new()
    }

    fn prepare(&self, settings: &Settings) -> anyhow::Result<Step> {
        let settings = broker_settings(settings)?;
        settings.check()?;
        let broker = self.0.clone();
        Ok(Box::new(move || Ok(broker.reconfigure(&settings)?)))
    }
}

/// `corim.signers`, and the files of the signers.
pub(crate) struct CorimSigners(pub(crate) Arc<ReferenceValues>);

impl Reloadable for CorimSigners {
    fn files(&self, settings: &Settings) -> Vec<PathBuf> {
        settings.corim.signers.clone()
    }

    fn prepare(&self, settings: &Settings) -> anyhow::Result<Step> {
        let trust = CorimTrust::new(corims(settings)?)?;
        let values = Arc::clone(&self.0);
        Ok(Box::new(move || {
            values.set_corim_trust(trust);
            Ok(())
        }))
    }
}

/// `access.clients`.
pub(crate) struct Clients(pub(crate) Arc<Authority>);

impl Reloadable for Clients {
    fn files(&self, _: &Settings) -> Vec<PathBuf> {
        Vec::new()
    }

    fn prepare(&self, settings: &Settings) -> anyhow::Result<Step> {
        let rules = settings.access.clients.clone();
        ClientRule::check(&rules)?;
        let authority = Arc::clone(&self.0);
        Ok(Box::new(move || Ok(authority.set_clients(rules)?)))
    }
}

/// The files of a listener's certificate and key, and of the authorities of its clients.
pub(crate) struct Tls {
    /// What the listener serves with.
    pub(crate) identity: Arc<TlsIdentity>,
    /// Its files.
    pub(crate) files: Vec<PathBuf>,
    /// Reads them as the start did, for the check before anything changes.
    pub(crate) load: fn(&Settings) -> anyhow::Result<Option<Arc<TlsIdentity>>>,
}

impl Reloadable for Tls {
    fn files(&self, _: &Settings) -> Vec<PathBuf> {
        self.files.clone()
    }

    fn prepare(&self, settings: &Settings) -> anyhow::Result<Step> {
        (self.load)(settings)?;
        let identity = Arc::clone(&self.identity);
        Ok(Box::new(move || Ok(identity.reload()?)))
    }
}
