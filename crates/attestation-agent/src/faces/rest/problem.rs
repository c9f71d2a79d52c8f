//! Errors as problem details (RFC 9457).

use std::time::Duration;

use assay_client::ClientError;
use assay_types::{Coded, Fault};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::Value;

use crate::error::AgentError;
use crate::faces::Outcome;

/// How long to wait, in seconds, before an agent that cannot answer now is asked again.
const RETRY_AFTER: u64 = 2;

/// Why a REST request has no good answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum RestError {
    /// The agent's.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// No such path.
    #[error("URL NOT FOUND: there is nothing at {path}")]
    NotFound { path: String },
    /// The path is of a feature that is off.
    #[error("{feature} Feature Not Enabled")]
    NotEnabled { feature: &'static str },
    /// The path exists, not with this method.
    #[error("{path} is asked with {allowed}, not {found}")]
    Method { path: String, allowed: &'static str, found: String },
    /// From a browser.
    #[error("requests of browsers are refused; this one has the header `{header}`")]
    Browser { header: &'static str },
    /// To another host.
    #[error("the Host header is to name localhost, 127.0.0.1 or [::1]; found: {found}")]
    ForeignHost { found: String },
    /// The body is too long.
    #[error("the body is longer than {max} bytes")]
    BodyTooLong { max: usize },
    /// The body does not arrive.
    #[error("the body did not arrive within {millis} ms")]
    BodyLate { millis: u128 },
}

impl Coded for RestError {
    fn code(&self) -> &'static str {
        match self {
            RestError::Agent(error) => error.code(),
            RestError::NotFound { .. } | RestError::NotEnabled { .. } => "AGT-016",
            RestError::Method { .. } => "AGT-017",
            RestError::Browser { .. } | RestError::ForeignHost { .. } => "AGT-018",
            RestError::BodyTooLong { .. } => "AGT-019",
            RestError::BodyLate { .. } => "AGT-020",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            RestError::Agent(error) => error.fault(),
            RestError::NotFound { .. } | RestError::NotEnabled { .. } => Fault::NotFound,
            RestError::Method { .. } => Fault::MethodNotAllowed,
            RestError::Browser { .. } | RestError::ForeignHost { .. } => Fault::Forbidden,
            RestError::BodyTooLong { .. } => Fault::TooLarge,
            RestError::BodyLate { .. } => Fault::RequestTimeout,
        }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: String,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a Value>,
}

impl RestError {
    fn status(&self) -> StatusCode {
        match self {
            RestError::Agent(error) => Outcome::of(error).http(),
            RestError::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            RestError::BodyLate { .. } => StatusCode::REQUEST_TIMEOUT,
            other => Outcome::of_fault(other.fault()).http(),
        }
    }

    /// The answer. Where the key broker's verdict is the cause, its type and findings are passed on.
    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let status = self.status();
        let told = match self {
            RestError::Agent(AgentError::Client(error)) => error.problem(),
            _ => None,
        };
        let problem = Problem {
            kind: told
                .map(|told| told.error_type.as_str())
                .filter(|kind| !kind.is_empty())
                .unwrap_or("about:blank"),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
            findings: told.and_then(|told| told.more.get("findings")),
        };
        // A struct of texts, numbers and JSON always has a JSON form.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let RestError::Method { allowed, .. } = self {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after()));
        }
        response
    }

    fn retry_after(&self) -> u64 {
        match self {
            RestError::Agent(AgentError::Client(ClientError::Unavailable {
                retry_after: Some(wait),
                ..
            })) => {
                // Whole seconds, not fewer than the server said.
                wait.saturating_add(Duration::from_millis(999)).as_secs()
            }
            _ => RETRY_AFTER,
        }
    }
}
