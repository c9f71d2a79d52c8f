//! Runtime measurements: events, their log, the register they extend.

use assay_types::{Coded, Fault};

/// Why an event was not measured.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasurementError {
    /// The text of an event cannot be written.
    #[error("{0}")]
    Event(String),
}

impl Coded for MeasurementError {
    fn code(&self) -> &'static str {
        match self {
            MeasurementError::Event(_) => "AEL-001",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            MeasurementError::Event(_) => Fault::BadRequest,
        }
    }
}
