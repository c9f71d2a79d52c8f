//! The gate before the methods of a part: who calls, and may it?

use std::fmt;
use std::sync::Arc;

use assay_access::{AccessError, Authority, Role, bearer};
use assay_listener::Connection;
use assay_types::{Clock, Coded, Fault};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::status;

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Anybody, without credentials: health checks.
    Nothing,
    /// Whoever has a role, whichever.
    AnyRole,
    /// Whoever has one of these roles, or is administrator.
    OneOf {
        /// The roles.
        roles: &'static [Role],
        /// What it is that they may, such as `register reference values`.
        action: &'static str,
    },
}

/// A method, as the path of its requests (`/package.Service/Method`), or a whole service
/// (`/package.Service/`), and who may call it.
pub type Method = (&'static str, Need);

/// The gate. [`admit`] is the middleware that it makes.
#[derive(Clone)]
pub struct Gate {
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    methods: &'static [Method],
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("methods", &self.methods).finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate before these methods. What is not among them needs a role.
    pub fn new(authority: Arc<Authority>, clock: Arc<dyn Clock>, methods: &'static [Method]) -> Self {
        Gate { authority, clock, methods }
    }

    fn need(&self, path: &str) -> Need {
        let is = |method: &str| path == method || (method.ends_with('/') && path.starts_with(method));
        self.methods.iter().find(|(method, _)| is(method)).map_or(Need::AnyRole, |(_, need)| *need)
    }
}

/// The middleware before gRPC methods: a request comes through with its
/// [`Caller`](assay_access::Caller) in the extensions, or is answered `UNAUTHENTICATED` or
/// `PERMISSION_DENIED`; its body is not read before.
pub async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let need = gate.need(request.uri().path());
    if need == Need::Nothing {
        return next.run(request).await;
    }
    let client = request.extensions().get::<Connection>().and_then(|connection| connection.client.clone());
    let found = gate.authority.identify(bearer(request.headers()), client.as_deref(), gate.clock.now());
    let caller = match found {
        Ok(caller) => caller,
        Err(error) => return refusal(&error),
    };
    if let Need::OneOf { roles, action } = need
        && let Err(error) = caller.require(roles, action)
    {
        return refusal(&NotAllowed { error, roles });
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn refusal(error: &impl Coded) -> Response {
    status(error).into_http::<Body>()
}

/// A caller without a role that the method takes, and which it would take.
#[derive(Debug, thiserror::Error)]
#[error("{error}; {} may", names(roles))]
struct NotAllowed {
    error: AccessError,
    roles: &'static [Role],
}

fn names(roles: &[Role]) -> String {
    let mut names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    names.push(Role::Admin.as_str());
    names.join(", ")
}

impl Coded for NotAllowed {
    fn code(&self) -> &'static str {
        self.error.code()
    }

    fn fault(&self) -> Fault {
        self.error.fault()
    }
}
