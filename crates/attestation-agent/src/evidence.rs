//! Evidence, by way of the device's thread: for callers and for the agent's own attestations.

use std::sync::Arc;
use std::time::Instant;

use assay_attester::EvidenceRequest;
use assay_client::{EvidenceError, EvidenceProvider};
use assay_types::{Digest, InitDataMessage, Tee, workload_report_data};
use async_trait::async_trait;
use serde_json::Value;

use crate::api::MAX_RUNTIME_DATA;
use crate::caller::EvidenceForm;
use crate::device::Device;
use crate::error::AgentError;
use crate::measurement::Measurements;
use crate::metrics::Metrics;
use crate::state::LogHealth;

/// The source of evidence of this guest.
#[derive(Clone)]
pub struct Evidence {
    tee: Tee,
    device: Device,
    init_data: Option<InitDataMessage>,
    metrics: Arc<Metrics>,
    log_health: LogHealth,
}

impl Evidence {
    /// Evidence of `tee`, with the init data to be sent along.
    pub fn new(
        tee: Tee,
        device: Device,
        init_data: Option<InitDataMessage>,
        metrics: Arc<Metrics>,
        log_health: LogHealth,
    ) -> Self {
        Evidence { tee, device, init_data, metrics, log_health }
    }

    /// The TEE.
    pub fn tee(&self) -> Tee {
        self.tee
    }

    /// Evidence with these bytes as report data. The event log in it is the one at the moment of the quote.
    ///
    /// # Errors
    /// The attester's, and those of the device's thread.
    pub async fn bound_to(&self, report_data: Vec<u8>) -> Result<Value, AgentError> {
        let (metrics, health) = (Arc::clone(&self.metrics), self.log_health.clone());
        self.device
            .call("evidence", move |platform, deadline| {
                // An event that is extended but not yet in the file is in the register already.
                if let (Some(log), Some(registers)) = (&mut platform.measurements, platform.attester.registers()) {
                    if let Err(error) = log.settle(registers) {
                        tracing::warn!(%error, "an event is still half done; the evidence has what is known of it");
                    }
                    health.set(log.state());
                }
                let aael = platform.measurements.as_ref().map_or(&[][..], Measurements::log);
                let request = EvidenceRequest { report_data: &report_data, aael, deadline };
                let began = Instant::now();
                let evidence = platform.attester.evidence(&request);
                metrics.device_took(began.elapsed());
                evidence
            })
            .await?
            .map_err(AgentError::from)
    }
}

/// The report data for a caller's runtime data.
///
/// # Errors
/// [`AgentError::RuntimeDataTooLong`].
pub fn report_data(form: EvidenceForm, runtime_data: &[u8]) -> Result<Vec<u8>, AgentError> {
    if runtime_data.len() > MAX_RUNTIME_DATA {
        return Err(AgentError::RuntimeDataTooLong { found: runtime_data.len(), max: MAX_RUNTIME_DATA });
    }
    Ok(match form {
        EvidenceForm::AsGiven => runtime_data.to_vec(),
        EvidenceForm::Workload => workload_report_data(runtime_data).as_bytes().to_vec(),
    })
}

#[async_trait]
impl EvidenceProvider for Evidence {
    fn tee(&self) -> Tee {
        self.tee
    }

    async fn evidence(&self, runtime_digest: &Digest) -> Result<Value, EvidenceError> {
        self.bound_to(runtime_digest.as_bytes().to_vec())
            .await
            .map_err(|error| EvidenceError::with_source(error.to_string(), error))
    }

    fn init_data(&self) -> Option<InitDataMessage> {
        self.init_data.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_cannot_choose_the_report_data_and_too_much_is_refused() {
        let chosen = vec![7; 48];
        assert_eq!(report_data(EvidenceForm::AsGiven, &chosen).unwrap(), chosen);
        assert_ne!(report_data(EvidenceForm::Workload, &chosen).unwrap(), chosen);
        assert_eq!(report_data(EvidenceForm::Workload, b"").unwrap().len(), 48);
        let long = vec![0; MAX_RUNTIME_DATA + 1];
        for form in [EvidenceForm::AsGiven, EvidenceForm::Workload] {
            assert!(matches!(report_data(form, &long), Err(AgentError::RuntimeDataTooLong { .. })));
        }
    }
}
