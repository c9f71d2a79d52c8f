//! Operation, the same in all parts: logs, traces and request ids across them, metrics, readiness.
//!
//! ```text
//! caller ──x-request-id, traceparent──▶ KBS ──the same id, a child span──▶ AS ──▶ RVPS
//!                                        │                                 │        │
//!                                        └────────── spans by OTLP/gRPC ───┴────────┴──▶ collector
//! ```
//! - [`init`] starts logs and, if asked to, the export of spans; its [`Guard`] changes filter and sampling
//!   ratio while the program runs, and sends what is left at the end.
//! - [`RequestScope`] surrounds one request: its id, its span, its place in the caller's trace.
//!   [`Face`] with [`surround`] does that, and metrics, for a whole router.
//! - [`PassOn`], [`outgoing_headers`] and [`inject`] hand id and trace on to the next part;
//!   [`current_request_id`] tells the id to whoever writes a record.
//! - [`MetricSet`] is the metrics of one part, [`MetricsPage`] what `/metrics` shows, [`ProcessMetrics`] what
//!   a process counts whatever its parts.
//! - [`Readiness`] asks everything that the process needs whether it is there.
//!
//! A span that leaves the program has the attributes of [`SPAN_ATTRIBUTES`] and no others, whatever was
//! noted on it for the log.

mod error;
mod face;
mod init;
mod metrics;
mod operation;
mod outgoing;
mod readiness;
mod request;
mod request_id;
mod settings;
mod trace_context;
mod traces;

pub use error::TelemetryError;
pub use face::{ErrorCode, Face, healthz, metrics_page, readyz, surround};
pub use init::{Guard, build, init};
pub use metrics::{
    AuditMetrics, FaceMetrics, MetricEntry, MetricSet, MetricsPage, OPENMETRICS, ProcessMetrics, StoreMetrics,
};
pub use operation::Operation;
pub use outgoing::{PassOn, calling, inject, outgoing_headers};
pub use readiness::{Readiness, Report, Unready};
pub use request::{RequestScope, current_request_id, note_code, note_tee};
pub use request_id::{REQUEST_ID, RequestId};
pub use settings::{TelemetrySettings, TraceSettings};
pub use trace_context::{MAX_TRACESTATE, TRACEPARENT, TRACESTATE, TraceContext};
pub use traces::{SPAN_ATTRIBUTES, SpanCounts};
