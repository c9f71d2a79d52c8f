//! The explanation of a token.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Uri, header};

use crate::admin::Administrator;
use crate::resource::rest_of_path;
use crate::session::Attested;
use crate::{KeyBroker, RequestError};

/// `GET /kbs/v0/verdict`: the guest's own.
pub(crate) async fn own_verdict(
    State(broker): State<KeyBroker>,
    guest: Arc<Attested>,
) -> Result<Response, RequestError> {
    verdict(&broker, guest.jti()).await
}

/// `GET /kbs/v0/verdict/<jti>`.
pub(crate) async fn verdict_by_token_id(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<Response, RequestError> {
    verdict(&broker, &rest_of_path(&uri, "/kbs/v0/verdict/")?).await
}

async fn verdict(broker: &KeyBroker, jti: &str) -> Result<Response, RequestError> {
    let text = broker.store().verdict(jti).await?;
    let text = text.ok_or_else(|| RequestError::not_found("verdict", jti))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
