//! What stands at which path.

use assay_types::SecretBytes;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use super::Face;
use super::problem::RestError;
use super::query::{EvidenceQuery, TokenQuery};
use crate::api::{Extended, RuntimeEvent};
use crate::caller::Caller;
use crate::error::AgentError;
use crate::faces::{Readiness, RestExtras};

const BYTES: &str = "application/octet-stream";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is asked for.
pub(super) enum Route {
    Info,
    Token(String),
    Evidence(String),
    AdditionalEvidence(String),
    Extend,
    /// The URI of the resource.
    Resource(String),
    Health,
    Ready(RestExtras),
    Metrics(RestExtras),
}

/// Finds what a request asks for. Paths are compared as they are written: none of them needs an escape.
pub(super) fn find(face: &Face, method: &Method, uri: &Uri) -> Result<Route, RestError> {
    let services = face.shared.services;
    let path = uri.path();
    let query = || uri.query().unwrap_or_default().to_owned();
    let shown = || path.chars().take(256).collect::<String>();
    let extras = face.extras.clone();
    let route = match (path, extras) {
        ("/info", _) => Route::Info,
        ("/healthz", _) => Route::Health,
        ("/readyz", Some(extras)) => Route::Ready(extras),
        ("/metrics", Some(extras)) => Route::Metrics(extras),
        ("/aa/token", _) => Route::Token(query()),
        ("/aa/evidence", _) => Route::Evidence(query()),
        ("/aa/additional-evidence", _) => Route::AdditionalEvidence(query()),
        ("/aa/aael", _) => Route::Extend,
        _ => match path.strip_prefix("/cdh/resource/") {
            Some(path) if !path.is_empty() => Route::Resource(match uri.query() {
                Some(query) => format!("kbs:///{path}?{query}"),
                None => format!("kbs:///{path}"),
            }),
            _ => return Err(RestError::NotFound { path: shown() }),
        },
    };
    if path.starts_with("/aa/") && !services.attestation() {
        return Err(RestError::NotEnabled { feature: "Attestation" });
    }
    if path.starts_with("/cdh/") && !services.resource() {
        return Err(RestError::NotEnabled { feature: "Resource" });
    }
    let allowed = if matches!(route, Route::Extend) { "POST" } else { "GET" };
    if method.as_str() != allowed {
        let found = method.as_str().chars().take(32).collect();
        return Err(RestError::Method { path: shown(), allowed, found });
    }
    Ok(route)
}

#[derive(Serialize)]
struct Info<'a> {
    version: &'a str,
    tee: &'a str,
    additional_tees: Vec<&'a str>,
    feature: &'a str,
}

/// An unknown member is refused: it may be one that the caller counts on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    domain: String,
    operation: String,
    content: String,
}

/// The truth is a text, as in the interface.
#[derive(Serialize)]
struct Extension<'a> {
    success: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    detail: &'a str,
}

impl Route {
    /// Whether it is more than a look at the agent itself.
    pub(super) const fn is_work(&self) -> bool {
        !matches!(self, Route::Info | Route::Health | Route::Ready(_) | Route::Metrics(_))
    }

    /// Answers.
    pub(super) async fn answer(
        self,
        face: &Face,
        caller: Caller,
        body: Bytes,
    ) -> Result<Response<Full<Bytes>>, AgentError> {
        let api = &*face.shared.api;
        match self {
            Route::Info => {
                let info = api.info();
                json(&Info {
                    version: &info.version,
                    tee: info.tee.as_str(),
                    additional_tees: info.additional_tees.iter().map(|tee| tee.as_str()).collect(),
                    feature: face.shared.services.feature(),
                })
            }
            Route::Token(query) => {
                let query = TokenQuery::parse(&query)?;
                Ok(secret(api.token(&caller, query.kind).await?))
            }
            Route::Evidence(query) => {
                let query = EvidenceQuery::parse(&query)?;
                Ok(response(BYTES, api.evidence(&caller, &query.runtime_data).await?.into()))
            }
            Route::AdditionalEvidence(query) => {
                let query = EvidenceQuery::parse(&query)?;
                Ok(response(BYTES, api.additional_evidence(&caller, &query.runtime_data).await?.into()))
            }
            Route::Extend => {
                let event: Event = serde_json::from_slice(&body).map_err(|error| {
                    AgentError::BadRequest(format!(
                        "the body is to be JSON {{\"domain\",\"operation\",\"content\"}}: {error}"
                    ))
                })?;
                drop(body);
                let Event { domain, operation, content } = event;
                let event = RuntimeEvent { domain, operation, content, pcr: None };
                let (success, message) = match api.extend(&caller, event).await? {
                    Extended::Done => ("true", None),
                    Extended::NotSupported => {
                        ("false", Some("this platform has no register that can be extended at run time"))
                    }
                    Extended::NotEnabled => ("false", Some("the event log is turned off")),
                };
                json(&Extension { success, message })
            }
            Route::Resource(uri) => Ok(secret(api.resource(&caller, &uri.parse()?).await?)),
            Route::Health => Ok(response(TEXT, Bytes::from_static(b"ok\n"))),
            Route::Ready(extras) => {
                let Readiness { ready, detail } = (extras.ready)();
                let mut response = json(&Ready { ready, detail: &detail })?;
                if !ready {
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                Ok(response)
            }
            Route::Metrics(extras) => Ok(response(METRICS, (extras.metrics)().into())),
        }
    }
}

fn response(kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // Evidence, tokens and secrets are for one caller, now.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn json(body: &impl Serialize) -> Result<Response<Full<Bytes>>, AgentError> {
    let body = serde_json::to_vec(body).map_err(|error| AgentError::Internal(error.to_string()))?;
    Ok(response(JSON, body.into()))
}

/// Wiped when the answer is written. What the kernel and HTTP's own buffer hold is beyond us.
struct Wiped(SecretBytes);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

fn secret(secret: SecretBytes) -> Response<Full<Bytes>> {
    response(BYTES, Bytes::from_owner(Wiped(secret)))
}
