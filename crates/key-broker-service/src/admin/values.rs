//! Reference values: register, list, read, history, delete.

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
    let registered = broker.local()?.reference_values().register(&body).await?;
    for id in registered.ids {
        administrator.log("reference value registered", &id);
    }
    Ok(StatusCode::OK)
}

/// `GET /kbs/v0/reference-value`.
pub(crate) async fn list_reference_values(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
) -> Result<Json<Vec<ReferenceValueRecord>>, RequestError> {
    let records = broker.local()?.reference_values().list();
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
    let record = broker.local()?.reference_values().get(&id).filter(|record| !record.expired);
    record.map(|record| Json(record.value)).ok_or_else(|| RequestError::not_found(WHAT, &id))
}

/// `DELETE /kbs/v0/reference-value/<id>`.
pub(crate) async fn delete_reference_value(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<StatusCode, RequestError> {
    let id = rest_of_path(&uri, PREFIX)?;
    if !broker.local()?.reference_values().delete(&id).await? {
        return Err(RequestError::not_found(WHAT, &id));
    }
    administrator.log("reference value deleted", &id);
    Ok(StatusCode::OK)
}

/// `POST /kbs/v0/reference-value-expiry/<id>`: the value ends now, and stays in the list.
pub(crate) async fn expire_reference_value(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<StatusCode, RequestError> {
    let id = rest_of_path(&uri, "/kbs/v0/reference-value-expiry/")?;
    if !broker.local()?.reference_values().expire(&id).await? {
        return Err(RequestError::not_found(WHAT, &id));
    }
    administrator.log("reference value ended", &id);
    Ok(StatusCode::OK)
}

/// `GET /kbs/v0/reference-value-history/<id>`.
pub(crate) async fn reference_value_history(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<Json<Vec<ReferenceValueVersion>>, RequestError> {
    let id = rest_of_path(&uri, "/kbs/v0/reference-value-history/")?;
    let versions = broker.local()?.reference_values().history(&id).await?;
    if versions.is_empty() {
        return Err(RequestError::not_found(WHAT, &id));
    }
    Ok(Json(versions.into_iter().map(ReferenceValueVersion::from).collect()))
}
