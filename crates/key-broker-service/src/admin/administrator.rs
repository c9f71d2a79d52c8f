//! Who may do what: the caller, checked against the table of endpoints, and what is recorded of both.

use assay_access::{AccessError, Caller, bearer};
use assay_audit::{Event, Kind};
use axum::extract::{FromRequestParts, MatchedPath};
use http::Method;
use http::request::Parts;

use crate::endpoints::allows;
use crate::limits::connection_of;
use crate::origin::Origin;
use crate::{KeyBroker, RequestError};

/// A caller whose roles may do what the request asks for. A handler that takes one cannot be reached
/// otherwise.
pub(crate) struct Administrator {
    caller: Caller,
    origin: Origin,
}

impl Administrator {
    /// What was done, or tried, for the audit log.
    pub(crate) fn action<T>(&self, action: &'static str, result: &Result<T, RequestError>) -> Event {
        self.origin.event(Kind::Admin, result).action(action).who(self.caller.name())
    }

    /// Puts the event into the audit log and gives back the result of what was done: nothing is answered
    /// that is not recorded.
    pub(crate) async fn recorded<T>(
        &self,
        broker: &KeyBroker,
        event: Event,
        result: Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        tracing::info!(
            action = event.action,
            target = event.resource.as_ref().or(event.target.as_ref()),
            outcome = event.outcome.as_str(),
            by = event.who,
            "administration"
        );
        broker.audit().append(event).await?;
        result
    }
}

impl FromRequestParts<KeyBroker> for Administrator {
    type Rejection = RequestError;

    /// Whoever is refused is recorded, within bounds. A change is not even begun while it could not be
    /// recorded.
    async fn from_request_parts(parts: &mut Parts, broker: &KeyBroker) -> Result<Self, RequestError> {
        let origin = Origin::of(parts, broker);
        let permitted = permitted(parts, broker);
        if permitted.is_err() {
            let what = format!("{} {}", parts.method, parts.uri.path());
            broker.audit().append_occasional(origin.event(Kind::Access, &permitted).target(what)).await;
        }
        let caller = permitted?;
        if !parts.method.is_safe() {
            broker.audit().check()?;
        }
        Ok(Administrator { caller, origin })
    }
}

/// The caller, if his roles may do this.
fn permitted(parts: &Parts, broker: &KeyBroker) -> Result<Caller, RequestError> {
    let client = connection_of(parts).and_then(|connection| connection.client.as_deref());
    let caller = broker.authority().identify(bearer(&parts.headers), client, broker.now())?;
    // Axum answers HEAD with the handler of GET.
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    if !allows(caller.roles(), method.as_str(), path) {
        let method: String = method.as_str().chars().take(16).collect();
        return Err(AccessError::forbidden(&caller, &format!("use {method} on this path")).into());
    }
    Ok(caller)
}
