//! Whether the service lives, and whether it can serve.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use crate::schemas::Readiness;
use crate::{KeyBroker, RequestError};

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: everything that the process needs answers, and it is not stopping.
pub(crate) async fn readyz(State(broker): State<KeyBroker>) -> Result<Json<Readiness>, RequestError> {
    let report = broker.operation().readiness.report().await;
    if report.stopping {
        return Err(RequestError::Draining);
    }
    if !report.is_ready() {
        return Err(RequestError::NotReady { failing: report.failing.clone() });
    }
    Ok(Json(Readiness { status: "ready".to_owned() }))
}
