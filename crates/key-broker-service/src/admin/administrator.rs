//! Who may do what: the caller, checked against the table of endpoints.

use assay_access::{AccessError, Caller, bearer};
use axum::extract::{FromRequestParts, MatchedPath};
use http::Method;
use http::request::Parts;

use crate::endpoints::allows;
use crate::limits::connection_of;
use crate::{KeyBroker, RequestError};

/// A caller whose roles may do what the request asks for. A handler that takes one cannot be reached
/// otherwise.
pub(crate) struct Administrator(Caller);

impl Administrator {
    /// Notes in the log what was done, to what, by whom.
    pub(crate) fn log(&self, action: &'static str, name: &str) {
        tracing::info!(name, by = self.0.name(), roles = ?self.0.roles(), "{action}");
    }
}

impl FromRequestParts<KeyBroker> for Administrator {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, broker: &KeyBroker) -> Result<Self, RequestError> {
        let client = connection_of(parts).and_then(|connection| connection.client.as_deref());
        let caller = broker.authority().identify(bearer(&parts.headers), client, broker.now())?;
        // Axum answers HEAD with the handler of GET.
        let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
        let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
        if !allows(caller.roles(), method.as_str(), path) {
            let method: String = method.as_str().chars().take(16).collect();
            return Err(AccessError::forbidden(&caller, &format!("use {method} on this path")).into());
        }
        Ok(Administrator(caller))
    }
}
