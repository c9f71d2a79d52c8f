//! Whether the service lives, and whether it can serve.

use std::time::Duration;

use assay_secret_backends::BackendError;
use axum::Json;
use axum::extract::State;
use http::StatusCode;

use crate::schemas::Readiness;
use crate::{KeyBroker, RequestError};

/// How long the store, and the back ends of secrets, may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: the store answers, the back ends of secrets can serve, and the server is not stopping.
pub(crate) async fn readyz(State(broker): State<KeyBroker>) -> Result<Json<Readiness>, RequestError> {
    if broker.is_draining() {
        return Err(RequestError::Draining);
    }
    let store = tokio::time::timeout(PATIENCE, broker.store().ping());
    let secrets = tokio::time::timeout(PATIENCE, broker.secrets().check());
    let (store, secrets) = tokio::join!(store, secrets);
    store.map_err(|_| RequestError::StoreSilent)??;
    let silent = || Err(BackendError::Silent { backend: broker.secrets().name() });
    secrets.unwrap_or_else(|_| silent()).map_err(|error| match error.into() {
        RequestError::Backend(error) => RequestError::BackendNotReady(error),
        other => other,
    })?;
    Ok(Json(Readiness { status: "ready".to_owned() }))
}
