//! Policies: set, read, list, delete. Setting one admits it first.

use std::sync::Arc;

use assay_attestation_service::{PolicyListing, PolicySet, RESOURCE_POLICY_ID};
use assay_types::Digest;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use http::{StatusCode, Uri, header};

use super::Administrator;
use crate::limits::{read_body, read_json};
use crate::resource::rest_of_path;
use crate::schemas::{SetAttestationPolicy, SetResourcePolicy};
use crate::{KeyBroker, RequestError};

/// `POST /kbs/v0/attestation-policy`.
pub(crate) async fn set_attestation_policy(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    body: Body,
) -> Result<StatusCode, RequestError> {
    let message: SetAttestationPolicy = read_json(&body_of(&broker, body).await?)?;
    if let Some(found) = message.policy_type.filter(|found| found != "rego") {
        return Err(RequestError::PolicyType { found: RequestError::shown(&found) });
    }
    let policies = broker.attestation().policies();
    set(&broker, administrator, "attestation policy set", policies, message.policy_id, &message.policy).await
}

/// `POST /kbs/v0/resource-policy`.
pub(crate) async fn set_resource_policy(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    body: Body,
) -> Result<StatusCode, RequestError> {
    let message: SetResourcePolicy = read_json(&body_of(&broker, body).await?)?;
    let id = message.policy_id.unwrap_or_else(|| RESOURCE_POLICY_ID.to_owned());
    set(&broker, administrator, "resource policy set", broker.resource_policies(), id, &message.policy).await
}

/// `GET /kbs/v0/attestation-policy`.
pub(crate) async fn list_attestation_policies(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
) -> Json<Vec<PolicyListing>> {
    Json(broker.attestation().policies().list())
}

/// `GET /kbs/v0/resource-policy`: the ids alone, as Trustee answers.
pub(crate) async fn list_resource_policies(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
) -> Json<Vec<String>> {
    Json(broker.resource_policies().list().into_iter().map(|policy| policy.id).collect())
}

/// `GET /kbs/v0/attestation-policy/<id>`.
pub(crate) async fn get_attestation_policy(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<Response, RequestError> {
    let id = rest_of_path(&uri, "/kbs/v0/attestation-policy/")?;
    text("attestation policy", broker.attestation().policies(), &id)
}

/// `GET /kbs/v0/resource-policy/<id>`.
pub(crate) async fn get_resource_policy(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<Response, RequestError> {
    let id = rest_of_path(&uri, "/kbs/v0/resource-policy/")?;
    text("resource policy", broker.resource_policies(), &id)
}

/// `DELETE /kbs/v0/attestation-policy/<id>`.
pub(crate) async fn delete_attestation_policy(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<StatusCode, RequestError> {
    let id = rest_of_path(&uri, "/kbs/v0/attestation-policy/")?;
    delete(&broker, administrator, "attestation policy", broker.attestation().policies(), id).await
}

/// `DELETE /kbs/v0/resource-policy/<id>`.
pub(crate) async fn delete_resource_policy(
    administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<StatusCode, RequestError> {
    let id = rest_of_path(&uri, "/kbs/v0/resource-policy/")?;
    delete(&broker, administrator, "resource policy", broker.resource_policies(), id).await
}

async fn body_of(broker: &KeyBroker, body: Body) -> Result<Bytes, RequestError> {
    read_body(body, broker.settings().body_bytes, broker.settings().body_timeout).await
}

async fn set(
    broker: &KeyBroker,
    administrator: Administrator,
    action: &'static str,
    policies: &Arc<PolicySet>,
    id: String,
    encoded: &str,
) -> Result<StatusCode, RequestError> {
    let text =
        BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| RequestError::Base64 { member: "policy" })?;
    let text = String::from_utf8(text).map_err(|_| RequestError::PolicyNotText)?;
    let (broker, policies) = (broker.clone(), Arc::clone(policies));
    to_the_end(async move {
        let set = policies.set(&id, &text).await.map(|_| StatusCode::OK).map_err(RequestError::from);
        let digest = Digest::sha384(text.as_bytes());
        let version = policies.get(&id).map_or(0, |policy| policy.version);
        let action = administrator.action(action, &set).target(id.as_str());
        let action = action.policy(&id, if set.is_ok() { version } else { 0 }, Some(digest));
        administrator.recorded(&broker, action, set).await
    })
    .await
}

async fn delete(
    broker: &KeyBroker,
    administrator: Administrator,
    what: &'static str,
    policies: &Arc<PolicySet>,
    id: String,
) -> Result<StatusCode, RequestError> {
    let (broker, policies) = (broker.clone(), Arc::clone(policies));
    to_the_end(async move {
        let deleted = match policies.delete(&id).await {
            Ok(true) => Ok(StatusCode::OK),
            Ok(false) => Err(RequestError::not_found(what, &id)),
            Err(error) => Err(error.into()),
        };
        let action = administrator.action("policy deleted", &deleted).target(format!("{what} {id}"));
        administrator.recorded(&broker, action, deleted).await
    })
    .await
}

fn text(what: &'static str, policies: &PolicySet, id: &str) -> Result<Response, RequestError> {
    let policy = policies.get(id).ok_or_else(|| RequestError::not_found(what, id))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], policy.text.to_string()).into_response())
}

/// Runs a change in a task of its own: a caller who goes away half-way must not leave a policy in the
/// store that is not in force.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, RequestError>> + Send + 'static,
) -> Result<T, RequestError> {
    tokio::spawn(change).await.map_err(|_| RequestError::internal("a change of policies was interrupted"))?
}
