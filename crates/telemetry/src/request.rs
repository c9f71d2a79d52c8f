//! One request: its id, its span, its place in the caller's trace.

use std::future::Future;

use http::{HeaderMap, Method, StatusCode};
use opentelemetry::trace::TraceContextExt as _;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::traces::attribute;
use crate::{RequestId, TraceContext};

tokio::task_local! {
    static CURRENT: Current;
}

/// What outgoing calls and records want to know of the request that they are made for.
#[derive(Clone)]
struct Current {
    id: RequestId,
    caller: Option<TraceContext>,
}

/// The surroundings of one request.
pub struct RequestScope {
    current: Current,
    span: Span,
}

impl RequestScope {
    /// Takes id and trace from the caller's headers, where they are fit, and opens a span.
    ///
    /// `route` is the route as the router knows it, never the path: it has no bound.
    pub fn new(headers: &HeaderMap, method: &Method, route: &str) -> Self {
        let id = RequestId::of(headers);
        let caller = TraceContext::from_headers(headers);
        let span = tracing::info_span!("request", id = id.as_str(), %method, route);
        if let Some(caller) = &caller {
            let context = opentelemetry::Context::new().with_remote_span_context(caller.to_span_context());
            // It fails where nothing records.
            let _ = span.set_parent(context);
        }
        RequestScope { current: Current { id, caller }, span }
    }

    /// The request's id.
    pub fn id(&self) -> &RequestId {
        &self.current.id
    }

    /// The request's span, for what is logged about it outside of [`RequestScope::run`].
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Runs `work` for the request: in its span, with [`current_request_id`] set. Tasks that `work` spawns
    /// are on their own.
    pub fn run<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.current.clone(), work).instrument(self.span.clone())
    }

    /// Notes the outcome on the span, and the id on the answer. `code` is the error's, if it is one.
    pub fn answered(&self, status: StatusCode, code: Option<&'static str>, headers: &mut HeaderMap) {
        self.span.set_attribute(attribute::STATUS, i64::from(status.as_u16()));
        if let Some(code) = code {
            self.span.set_attribute(attribute::CODE, code);
        }
        if status.is_server_error() {
            self.span.set_status(opentelemetry::trace::Status::error(""));
        }
        self.current.id.write(headers);
    }
}

/// The id of the request that this task works for; `None` outside of one.
pub fn current_request_id() -> Option<RequestId> {
    CURRENT.try_with(|current| current.id.clone()).ok()
}

/// Notes on the current span of which TEE the evidence is.
pub fn note_tee(tee: &'static str) {
    Span::current().set_attribute(attribute::TEE, tee);
}

/// Notes on the current span the code of an error.
pub fn note_code(code: &'static str) {
    Span::current().set_attribute(attribute::CODE, code);
}

/// The place in a trace that a call made now has: the current span's; where nothing records, the caller's
/// own, passed on as it came.
pub(crate) fn current_trace() -> Option<TraceContext> {
    let context = Span::current().context();
    TraceContext::of_span(context.span().span_context())
        .or_else(|| CURRENT.try_with(|current| current.caller.clone()).ok().flatten())
}
