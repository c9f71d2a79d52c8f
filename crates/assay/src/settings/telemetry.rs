//! `[telemetry]`: where spans go.

use std::path::PathBuf;

use anyhow::Context as _;
use assay_telemetry::TraceSettings;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) otlp_ca_certificate: Option<PathBuf>,
    pub(crate) service_name: String,
    pub(crate) instance: Option<String>,
    pub(crate) sample_ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            otlp_endpoint: None,
            otlp_ca_certificate: None,
            service_name: "assay".into(),
            instance: None,
            sample_ratio: 1.0,
        }
    }
}

/// Every key with its meaning.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "telemetry.otlp_endpoint",
        "The OTLP/gRPC collector that gets the spans: https, or http to a loopback address. None are sent when absent.",
    ),
    ("telemetry.otlp_ca_certificate", "The certificate authority to trust for it (PEM); needed with https."),
    ("telemetry.service_name", "The resource attribute service.name of the spans."),
    (
        "telemetry.instance",
        "The resource attribute service.instance.id; a new random one at each start when absent.",
    ),
    (
        "telemetry.sample_ratio",
        "The share (0 to 1) of requests that are traced; a caller that has decided already is followed.",
    ),
];

impl Telemetry {
    /// What types do not say.
    pub(super) fn check(&self, plain_http: bool) -> anyhow::Result<()> {
        anyhow::ensure!(
            (0.0..=1.0).contains(&self.sample_ratio),
            "telemetry.sample_ratio is {}; expected 0 to 1",
            self.sample_ratio
        );
        // Whether the file can be read is found out at the start.
        let authority = self.otlp_ca_certificate.as_ref().map(|_| Vec::new());
        match self.settings(authority, plain_http) {
            Some(settings) => settings.check().context("telemetry.otlp_endpoint"),
            None => Ok(()),
        }
    }

    /// The export of spans, if there is one.
    ///
    /// # Errors
    /// Those of reading the certificate authority.
    pub(crate) fn traces(&self, plain_http: bool) -> anyhow::Result<Option<TraceSettings>> {
        let authority = self.otlp_ca_certificate.as_deref().map(crate::output::read).transpose()?;
        Ok(self.settings(authority, plain_http))
    }

    fn settings(&self, ca_certificate: Option<Vec<u8>>, plain_http: bool) -> Option<TraceSettings> {
        let endpoint = self.otlp_endpoint.as_deref()?;
        Some(TraceSettings {
            ca_certificate,
            instance: self.instance.clone(),
            sample_ratio: self.sample_ratio,
            danger_plain_http: plain_http,
            ..TraceSettings::new(endpoint, &self.service_name)
        })
    }
}
