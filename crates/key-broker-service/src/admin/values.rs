//! Reference values: register, list, read, history, delete.

use assay_reference_values::ReferenceValueError;
use assay_reference_values::ReferenceValueSource;
use assay_types::Digest;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::{StatusCode, Uri};
use serde_json::Value;

use super::Administrator;
use crate::limits::read_body;
use crate::resource::rest_of_path;
use crate::schemas::{ReferenceValueRecord, ReferenceValueVersion};
use crate::{KeyBroker, RequestError};

const WHAT: &str = "reference value";
const PREFIX: &str = "/kbs/v0/reference-value/";

/// `POST /kbs/v0/reference-value`.
pub(crate) async fn register_reference_values(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    body: Body,
) -> Result<StatusCode, RequestError> {
    let body = read_body(body, broker.settings().body_bytes, broker.settings().body_timeout).await?;
    let values = broker.attestation().reference_values();
    let registered = values.register(&body).await.map_err(RequestError::from);
    let mut action = administrator.action("reference values registered", &registered);
    if let Ok(registered) = &registered {
        let names = registered.ids.iter().chain(&registered.deleted).cloned();
        action = action.values(set_digest(values.as_ref()).await, names);
    }
    administrator.recorded(&broker, action, registered).await?;
    Ok(StatusCode::OK)
}

/// The digest of the set as it is now, for the audit log; `None` where a provider elsewhere keeps it.
pub(crate) async fn set_digest(values: &dyn ReferenceValueSource) -> Option<Digest> {
    let questions = values.consult().await.ok()?;
    questions.is_complete().then(|| questions.digest(&mut std::iter::empty()))
}

/// `GET /kbs/v0/reference-value`.
pub(crate) async fn list_reference_values(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
) -> Result<Json<Vec<ReferenceValueRecord>>, RequestError> {
    let records = broker.attestation().reference_values().list().await?;
    Ok(Json(records.into_iter().map(ReferenceValueRecord::from).collect()))
}

/// `GET /kbs/v0/reference-value/<id>`: the value alone, as Trustee answers. An expired one is not
/// there: a policy would not find it either.
pub(crate) async fn get_reference_value(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<Json<Value>, RequestError> {
    let id = rest_of_path(&uri, PREFIX)?;
    let value = broker.attestation().reference_values().value(&id).await?;
    value.map(Json).ok_or_else(|| RequestError::not_found(WHAT, &id))
}

/// `DELETE /kbs/v0/reference-value/<id>`.
pub(crate) async fn delete_reference_value(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<StatusCode, RequestError> {
    let id = rest_of_path(&uri, PREFIX)?;
    let deleted = broker.attestation().reference_values().delete(&id).await;
    changed(&broker, administrator, "reference value deleted", &id, deleted).await
}

/// `POST /kbs/v0/reference-value-expiry/<id>`: the value ends now, and stays in the list.
pub(crate) async fn expire_reference_value(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<StatusCode, RequestError> {
    let id = rest_of_path(&uri, "/kbs/v0/reference-value-expiry/")?;
    let ended = broker.attestation().reference_values().expire(&id).await;
    changed(&broker, administrator, "reference value ended", &id, ended).await
}

/// Records what was done to a value, if there was one.
async fn changed(
    broker: &KeyBroker,
    administrator: Administrator,
    what: &'static str,
    id: &str,
    result: Result<bool, ReferenceValueError>,
) -> Result<StatusCode, RequestError> {
    let result = match result {
        Ok(true) => Ok(StatusCode::OK),
        Ok(false) => Err(RequestError::not_found(WHAT, id)),
        Err(error) => Err(error.into()),
    };
    let action = administrator.action(what, &result).target(id);
    administrator.recorded(broker, action, result).await
}

/// `GET /kbs/v0/reference-value-history/<id>`.
pub(crate) async fn reference_value_history(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<Json<Vec<ReferenceValueVersion>>, RequestError> {
    let id = rest_of_path(&uri, "/kbs/v0/reference-value-history/")?;
    let versions = broker.attestation().reference_values().history(&id).await?;
    if versions.is_empty() {
        return Err(RequestError::not_found(WHAT, &id));
    }
    Ok(Json(versions.into_iter().map(ReferenceValueVersion::from).collect()))
}
