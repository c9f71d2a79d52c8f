//! The clients of the services that the settings name.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_client::{EvidenceError, EvidenceProvider, KbsClient, PassportClient, RetryPolicy};
use assay_types::{Clock, Digest, Tee};
use async_trait::async_trait;
use serde_json::Value;

use crate::clock::GuestClock;
use crate::settings::{KbsConfig, Settings};

/// The client of the key broker; `None` without one.
pub(super) fn key_broker(
    settings: &Settings,
    evidence: Arc<dyn EvidenceProvider>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Option<KbsClient>> {
    let urls = settings.kbs_urls()?;
    if urls.is_empty() {
        tracing::warn!("no key broker service is configured: there will be no secrets and no tokens of one");
        return Ok(None);
    }
    let config = &settings.token_configs.kbs;
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let build = || {
        let mut builder = KbsClient::builder_of(&urls)?
            .evidence_provider(evidence)
            .clock(Arc::clone(clock))
            .key_algorithm(settings.key_algorithm()?)
            .refresh_ahead(Duration::from_secs(config.refresh_ahead_seconds))
            .retry(retries(config));
        if let Some(pem) = certificate(config.cert.as_deref(), config.cert_file.as_deref())? {
            builder = builder.ca_certificate(&pem)?;
        }
        if config.passport {
            let service = &settings.token_configs.coco_as;
            let urls = settings.as_urls()?;
            let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
            let roots = certificate(service.cert.as_deref(), service.cert_file.as_deref())?;
            builder = builder.passport_of(&urls, roots.as_deref())?;
        }
        if config.plain_http_danger {
            builder = builder.allow_plain_http_to_remote_hosts_danger();
        }
        anyhow::Ok(builder.build()?)
    };
    build().context("the key broker service ([token_configs.kbs], plain_http_danger)").map(Some)
}

/// The client of the attestation service; `None` without one.
pub(super) fn attestation_service(
    settings: &Settings,
    evidence: Arc<dyn EvidenceProvider>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Option<PassportClient>> {
    let (config, urls) = (&settings.token_configs.coco_as, settings.as_urls()?);
    if urls.is_empty() {
        return Ok(None);
    }
    let kbs = &settings.token_configs.kbs;
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let build = || {
        let mut builder = PassportClient::builder_of(&urls)?
            .evidence_provider(evidence)
            .clock(Arc::clone(clock))
            .key_algorithm(settings.key_algorithm()?)
            .refresh_ahead(Duration::from_secs(kbs.refresh_ahead_seconds))
            .retry(retries(kbs));
        if let Some(pem) = certificate(config.cert.as_deref(), config.cert_file.as_deref())? {
            builder = builder.ca_certificate(&pem)?;
        }
        if config.plain_http_danger {
            builder = builder.allow_plain_http_to_remote_hosts_danger();
        }
        anyhow::Ok(builder.build()?)
    };
    build().context("the attestation service ([token_configs.coco_as], plain_http_danger)").map(Some)
}

/// Whether clients can be made of these settings at all; nothing is sent.
pub(super) fn check(settings: &Settings) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(GuestClock::start());
    key_broker(settings, Arc::new(NoEvidence), &clock)?;
    attestation_service(settings, Arc::new(NoEvidence), &clock)?;
    Ok(())
}

fn retries(config: &KbsConfig) -> RetryPolicy {
    RetryPolicy { deadline: Duration::from_secs(config.deadline_seconds), ..RetryPolicy::default() }
}

/// The only certificate authorities, from the configuration or a file.
fn certificate(text: Option<&str>, file: Option<&Path>) -> anyhow::Result<Option<Vec<u8>>> {
    match (text, file) {
        (Some(text), _) => Ok(Some(text.as_bytes().to_vec())),
        (None, Some(file)) => {
            std::fs::read(file).with_context(|| format!("the certificate {}", file.display())).map(Some)
        }
        (None, None) => Ok(None),
    }
}

/// A guest that is only asked whether its settings are good.
struct NoEvidence;

#[async_trait]
impl EvidenceProvider for NoEvidence {
    fn tee(&self) -> Tee {
        Tee::Sample
    }

    async fn evidence(&self, _: &Digest) -> Result<Value, EvidenceError> {
        Err(EvidenceError::new("this client was made to check settings"))
    }
}
