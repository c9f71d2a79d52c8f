//! gRPC's health service; its answers follow the store.

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tonic::server::NamedService as _;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::Provider;
use crate::ReferenceValues;
use crate::proto::assay_v1::reference_values_server::ReferenceValuesServer;
use crate::proto::reference::reference_value_provider_service_server::ReferenceValueProviderServiceServer;

/// The pause between two questions to the store, and how long it may take to answer.
const PAUSE: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(2);

/// The task that asks the store; it ends with this.
pub(super) struct Probe(AbortHandle);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The service, and the task that tells it what to answer.
pub(super) fn service(values: ReferenceValues) -> (HealthServer<impl Health>, Probe) {
    let (reporter, service) = tonic_health::server::health_reporter();
    let task = tokio::spawn(async move {
        loop {
            let status =
                if answers(&values).await { ServingStatus::Serving } else { ServingStatus::NotServing };
            for name in [
                "",
                ReferenceValueProviderServiceServer::<Provider>::NAME,
                ReferenceValuesServer::<Provider>::NAME,
            ] {
                reporter.set_service_status(name, status).await;
            }
            sleep(PAUSE).await;
        }
    });
    (service, Probe(task.abort_handle()))
}

/// Whether the store answers in time.
pub(super) async fn answers(values: &ReferenceValues) -> bool {
    timeout(ANSWER, values.check()).await.is_ok_and(|check| check.is_ok())
}
