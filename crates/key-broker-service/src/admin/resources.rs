//! Resources: store, list, delete. Reading one is the guest's affair.

use assay_types::SecretBytes;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri, header};
use serde_json::Value;

use super::Administrator;
use crate::limits::read_body;
use crate::resource::{query, resource_path};
use crate::schemas::ResourceListing;
use crate::{KeyBroker, RequestError};

/// `POST /kbs/v0/resource/<repository>/<type>/<tag>`: the body is the secret.
pub(crate) async fn set_resource(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
    body: Body,
) -> Result<Response, RequestError> {
    let path = resource_path(&uri)?;
    let settings = broker.settings();
    let body = read_body(body, settings.body_bytes, settings.body_timeout).await?;
    // Wiped when dropped. What the connection's own buffer held, the next request overwrites.
    let value = SecretBytes::new(Vec::from(body));
    let stored = broker.secrets().put(&path, &value).await.map_err(RequestError::from);
    let action = administrator.action("resource stored", &stored).resource(path.as_str());
    let version = administrator.recorded(&broker, action, stored).await?;
    broker.metrics().resource_written();
    Ok(match version {
        Some(version) => (StatusCode::OK, [(header::ETAG, format!("\"{version}\""))]).into_response(),
        // A back end without versions has no number to give.
        None => StatusCode::OK.into_response(),
    })
}

/// `DELETE /kbs/v0/resource/<repository>/<type>/<tag>`: all versions.
pub(crate) async fn delete_resource(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<StatusCode, RequestError> {
    let path = resource_path(&uri)?;
    let deleted = match broker.secrets().delete(&path).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(RequestError::not_found("resource", path.as_str())),
        Err(error) => Err(error.into()),
    };
    let action = administrator.action("resource deleted", &deleted).resource(path.as_str());
    administrator.recorded(&broker, action, deleted).await?;
    broker.metrics().resource_deleted();
    Ok(StatusCode::OK)
}

/// `GET /kbs/v0/resources?prefix=`.
pub(crate) async fn list_resources(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<Json<Vec<ResourceListing>>, RequestError> {
    let query = query(uri.query().unwrap_or_default())?;
    let prefix = query.get("prefix").and_then(Value::as_str);
    let resources = broker.secrets().list(prefix).await?;
    Ok(Json(resources.into_iter().map(ResourceListing::from).collect()))
}
