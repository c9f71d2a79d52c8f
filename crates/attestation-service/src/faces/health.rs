//! Whether the service lives, and whether it can serve: by HTTP, and by `grpc.health.v1`.

use std::pin::Pin;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::{Stream, stream};
use http::StatusCode;
use serde_json::{Value, json};
use tonic::server::NamedService as _;
use tonic::{Request, Response, Status, async_trait};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{FaceError, Faces};
use crate::proto::attestation_service_server::AttestationServiceServer;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a watched status is looked at.
const WATCH: Duration = Duration::from_secs(5);

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: the store answers, and the server is not stopping.
pub(crate) async fn readyz(State(faces): State<Faces>) -> Result<Json<Value>, FaceError> {
    faces.ready().await?;
    Ok(Json(json!({ "status": "ready" })))
}

impl Faces {
    async fn ready(&self) -> Result<(), FaceError> {
        if self.is_draining() {
            return Err(FaceError::Draining);
        }
        let ping = tokio::time::timeout(PATIENCE, self.inner.store.ping()).await;
        ping.map_err(|_| FaceError::StoreSilent)??;
        Ok(())
    }

    async fn serving(&self) -> ServingStatus {
        match self.ready().await {
            Ok(()) => ServingStatus::Serving,
            Err(error) => {
                tracing::debug!(%error, "not serving");
                ServingStatus::NotServing
            }
        }
    }
}

/// `grpc.health.v1` for the service of that name and for the server as a whole (the empty name).
#[derive(Clone)]
pub(crate) struct Checks(pub(crate) Faces);

fn known(name: &str) -> Result<(), Status> {
    if name.is_empty() || name == AttestationServiceServer::<Faces>::NAME {
        return Ok(());
    }
    Err(Status::not_found("no such service"))
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[async_trait]
impl Health for Checks {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        known(&request.get_ref().service)?;
        Ok(Response::new(answer(self.0.serving().await)))
    }

    /// The status, and again whenever it has changed.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        known(&request.get_ref().service)?;
        let changes = stream::unfold((self.0.clone(), None), |(faces, last)| async move {
            loop {
                let status = faces.serving().await;
                if Some(status) != last {
                    return Some((Ok(answer(status)), (faces, Some(status))));
                }
                tokio::time::sleep(WATCH).await;
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
