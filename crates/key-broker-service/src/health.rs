//! Whether the service lives, and whether it can serve.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use crate::schemas::Readiness;
use crate::{KeyBroker, RequestError};

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: the store and the parts elsewhere answer, and the server is not stopping.
pub(crate) async fn readyz(State(broker): State<KeyBroker>) -> Result<Json<Readiness>, RequestError> {
    if broker.is_draining() {
        return Err(RequestError::Draining);
    }
    tokio::time::timeout(PATIENCE, broker.store().ping()).await.map_err(|_| RequestError::StoreSilent)??;
    broker.others_ready().await?;
    Ok(Json(Readiness { status: "ready".to_owned() }))
}
