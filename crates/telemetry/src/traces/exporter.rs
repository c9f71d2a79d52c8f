use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::{TelemetryError, TraceSettings};

/// The longest wait for a connection to the collector.
const CONNECT: std::time::Duration = std::time::Duration::from_secs(5);

/// The connection to the collector; it is made when the first span is sent, and again when it is lost.
pub(crate) fn exporter(settings: &TraceSettings) -> Result<SpanExporter, TelemetryError> {
    settings.check()?;
    let failed = |why: String| TelemetryError::Exporter { why };
    let mut endpoint = Endpoint::from_shared(settings.endpoint.clone())
        .map_err(|error| failed(error.to_string()))?
        .connect_timeout(CONNECT)
        .timeout(settings.deadline);
    if let Some(authority) = &settings.ca_certificate
        && endpoint.uri().scheme_str() == Some("https")
    {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
        endpoint = endpoint.tls_config(tls).map_err(|error| failed(error.to_string()))?;
    }
    SpanExporter::builder()
        .with_tonic()
        .with_channel(endpoint.connect_lazy())
        .with_timeout(settings.deadline)
        .build()
        .map_err(|error| failed(error.to_string()))
}
