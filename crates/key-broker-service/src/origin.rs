//! Where a request comes from, for the audit log.

use std::net::IpAddr;
use std::sync::Arc;

use assay_audit::{Event, Kind, Outcome};
use assay_types::Coded as _;
use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::limits::{client_address, connection_of};
use crate::{KeyBroker, RequestError};

/// The request's id, in its extensions.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// The client's address and the request's id.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    address: IpAddr,
    request: Option<RequestId>,
}

impl Origin {
    pub(crate) fn of(parts: &Parts, broker: &KeyBroker) -> Self {
        let peer = connection_of(parts).map(|connection| connection.peer.ip());
        let address = client_address(peer, &parts.headers, &broker.settings().trusted_proxies);
        Origin { address, request: parts.extensions.get::<RequestId>().cloned() }
    }

    /// What came from here, with the outcome of `result`.
    pub(crate) fn event<T>(&self, kind: Kind, result: &Result<T, RequestError>) -> Event {
        self.add_to(match result {
            Ok(_) => Event::new(kind, Outcome::Ok),
            Err(error) => Event::new(kind, Outcome::Refused).failed(error.fault(), error.code()),
        })
    }

    /// The event with where it came from.
    pub(crate) fn add_to(&self, event: Event) -> Event {
        let event = event.address(self.address);
        match &self.request {
            Some(RequestId(id)) => event.request(&**id),
            None => event,
        }
    }
}

impl FromRequestParts<KeyBroker> for Origin {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, broker: &KeyBroker) -> Result<Self, RequestError> {
        Ok(Origin::of(parts, broker))
    }
}
