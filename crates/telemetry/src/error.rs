use assay_types::{Coded, Fault};

/// Why logs and traces cannot start or be changed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The text is no filter of the log.
    #[error("the log filter {filter:?} cannot be read: {why}")]
    Filter {
        /// The text.
        filter: String,
        /// Why.
        why: String,
    },
    /// Something else takes the logs of this process already.
    #[error("logs are taken by another subscriber already")]
    Taken,
    /// The address of the collector cannot be used.
    #[error("the OTLP endpoint {endpoint:?} {why}")]
    Endpoint {
        /// The address as given.
        endpoint: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The connection to the collector cannot be set up.
    #[error("the OTLP exporter cannot be made: {why}")]
    Exporter {
        /// Why.
        why: String,
    },
    /// The share of requests that are traced is out of range.
    #[error("the sampling ratio is {ratio}; expected 0 to 1")]
    Ratio {
        /// The ratio as given.
        ratio: f64,
    },
}

impl Coded for TelemetryError {
    fn code(&self) -> &'static str {
        match self {
            TelemetryError::Filter { .. } => "TEL-001",
            TelemetryError::Taken => "TEL-002",
            TelemetryError::Endpoint { .. } => "TEL-003",
            TelemetryError::Exporter { .. } => "TEL-004",
            TelemetryError::Ratio { .. } => "TEL-005",
        }
    }

    fn fault(&self) -> Fault {
        Fault::Internal
    }
}
