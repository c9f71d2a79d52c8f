//! The provider as a part of its own: gRPC, with health and reflection, and a few pages over HTTP.
//!
//! | path | who may |
//! |---|---|
//! | `reference.ReferenceValueProviderService/QueryReferenceValue` | `reference-value-reader`, `reference-value-writer`, `evaluator`, `auditor` |
//! | `…/RegisterReferenceValue` | `reference-value-writer` |
//! | `assay.reference_values.v1.ReferenceValues/GetSet`, `GetHistory` | as `QueryReferenceValue` |
//! | `…/Register`, `RegisterCorim`, `Expire`, `Delete` | `reference-value-writer` |
//! | `grpc.reflection.…` | whoever has a role |
//! | `grpc.health.v1.Health`, `/healthz`, `/readyz`, `/metrics` | everybody |
//!
//! `admin` may everything. Without credentials the answer is `UNAUTHENTICATED`, with others
//! `PERMISSION_DENIED`.

mod changes;
mod health;
mod metrics;
mod pages;
mod trustee;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use assay_access::{Authority, Role};
use assay_audit::{AuditLog, Event, Kind, Outcome};
use assay_remote::{Gate, Method, Need, admit};
use assay_telemetry::{Face, surround};
use assay_types::{Clock, Coded, ReferenceValueSnapshot as _};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Extension, Router};
use tonic::Status;
use tonic::service::Routes;

use crate::ReferenceValues;
use crate::message::MAX_MESSAGE_LEN;
use crate::proto::DESCRIPTORS;
use crate::proto::assay_v1::reference_values_server::ReferenceValuesServer;
use crate::proto::reference::reference_value_provider_service_server::ReferenceValueProviderServiceServer;

/// The largest request: a message, and what is around it.
const MAX_REQUEST: usize = MAX_MESSAGE_LEN + (4 << 10);

const READ: Need = Need::OneOf {
    roles: &[Role::ReferenceValueReader, Role::ReferenceValueWriter, Role::Evaluator, Role::Auditor],
    action: "read reference values",
};

const WRITE: Need = Need::OneOf { roles: &[Role::ReferenceValueWriter], action: "change reference values" };

/// Who may call what. What does not stand here needs a role.
const METHODS: &[Method] = &[
    ("/reference.ReferenceValueProviderService/QueryReferenceValue", READ),
    ("/reference.ReferenceValueProviderService/RegisterReferenceValue", WRITE),
    ("/assay.reference_values.v1.ReferenceValues/GetSet", READ),
    ("/assay.reference_values.v1.ReferenceValues/GetHistory", READ),
    ("/assay.reference_values.v1.ReferenceValues/Register", WRITE),
    ("/assay.reference_values.v1.ReferenceValues/RegisterCorim", WRITE),
    ("/assay.reference_values.v1.ReferenceValues/Expire", WRITE),
    ("/assay.reference_values.v1.ReferenceValues/Delete", WRITE),
    ("/grpc.health.v1.Health/", Need::Nothing),
];

/// The names that spans and the log have for requests; all others are `other`.
const ROUTES: &[&str] = &[
    "/reference.ReferenceValueProviderService/QueryReferenceValue",
    "/reference.ReferenceValueProviderService/RegisterReferenceValue",
    "/assay.reference_values.v1.ReferenceValues/GetSet",
    "/assay.reference_values.v1.ReferenceValues/GetHistory",
    "/assay.reference_values.v1.ReferenceValues/Register",
    "/assay.reference_values.v1.ReferenceValues/RegisterCorim",
    "/assay.reference_values.v1.ReferenceValues/Expire",
    "/assay.reference_values.v1.ReferenceValues/Delete",
    "/healthz",
    "/readyz",
    "/metrics",
];

/// What the provider's interface needs.
#[derive(Clone)]
pub struct ProviderParts {
    /// The values.
    pub values: ReferenceValues,
    /// Who may do what.
    pub authority: Arc<Authority>,
    /// Where changes are noted, before they are answered.
    pub audit: AuditLog,
    /// The clock that credentials are judged by.
    pub clock: Arc<dyn Clock>,
    /// How long a call may take.
    pub deadline: Duration,
}

impl fmt::Debug for ProviderParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderParts").field("values", &self.values).finish_non_exhaustive()
    }
}

/// What the services work with.
#[derive(Clone)]
struct Provider {
    values: ReferenceValues,
    audit: AuditLog,
    deadline: Duration,
}

/// The interface of a provider: gRPC and the pages, on one port. Works within a Tokio runtime only.
///
/// # Errors
/// None but that of a broken build: the descriptions of the services cannot be read.
pub fn router(parts: ProviderParts) -> Result<Router, tonic_reflection::server::Error> {
    let ProviderParts { values, authority, audit, clock, deadline } = parts;
    let provider = Provider { values: values.clone(), audit, deadline };
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (health, probe) = health::service(values.clone());
    let metrics = Arc::new(metrics::Metrics::new(values.clone()));
    let trustee = ReferenceValueProviderServiceServer::new(provider.clone());
    let changes = ReferenceValuesServer::new(provider);
    let grpc = Routes::new(trustee.max_decoding_message_size(MAX_REQUEST))
        .add_service(changes.max_decoding_message_size(MAX_REQUEST))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .into_axum_router()
        .layer(from_fn_with_state(Gate::new(authority, clock, METHODS), admit))
        .layer(from_fn_with_state(Arc::clone(&metrics), metrics::count))
        .layer(Extension(Arc::new(probe)));
    let pages = Router::new()
        .route("/healthz", get(pages::healthz))
        .route("/readyz", get(pages::readyz).with_state(values))
        .route("/metrics", get(pages::metrics).with_state(metrics));
    let face = Face::without_metrics(ROUTES);
    let router = pages.merge(grpc).layer(from_fn(pages::no_other_pages));
    Ok(router.layer(from_fn_with_state(face, surround)))
}

/// The provider's gRPC services alone, for a port that has health and reflection of its own.
pub fn services(parts: ProviderParts) -> Router {
    let ProviderParts { values, authority, audit, clock, deadline } = parts;
    let provider = Provider { values, audit, deadline };
    let trustee = ReferenceValueProviderServiceServer::new(provider.clone());
    let changes = ReferenceValuesServer::new(provider);
    Router::new()
        .route_service(
            "/reference.ReferenceValueProviderService/{*rest}",
            trustee.max_decoding_message_size(MAX_REQUEST),
        )
        .route_service(
            "/assay.reference_values.v1.ReferenceValues/{*rest}",
            changes.max_decoding_message_size(MAX_REQUEST),
        )
        .layer(from_fn_with_state(Gate::new(authority, clock, METHODS), admit))
}

impl Provider {
    /// What comes of `work`, in time.
    /// A change, with its record in the audit log before the answer. `names` are those of the values it is
    /// about, as far as the outcome tells.
    async fn changed<T, E: Coded>(
        &self,
        who: &str,
        action: &'static str,
        work: impl Future<Output = Result<T, E>> + Send,
        names: impl Fn(&T) -> Vec<String> + Send,
    ) -> Result<T, Status> {
        let noted = async {
            let outcome = work.await;
            let event = match &outcome {
                Ok(done) => Event::new(Kind::Admin, Outcome::Ok)
                    .values(Some(self.values.snapshot().digest()), names(done)),
                Err(error) => Event::new(Kind::Admin, Outcome::Ok).failed(error.fault(), error.code()),
            };
            let mut event = event.who(who).action(action);
            if let Some(id) = assay_telemetry::current_request_id() {
                event = event.request(id.as_str());
            }
            (outcome, self.audit.append(event).await)
        };
        let deadline = || {
            Status::deadline_exceeded(format!(
                "there was no result within {} ms; a change may still be made",
                self.deadline.as_millis()
            ))
        };
        let (outcome, kept) = tokio::time::timeout(self.deadline, noted).await.map_err(|_| deadline())?;
        // What is not in the log is not answered as done.
        kept.map_err(|error| assay_remote::status(&error))?;
        outcome.map_err(|error| assay_remote::status(&error))
    }

    async fn within<T, E: Coded>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, Status> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(result) => result.map_err(|error| assay_remote::status(&error)),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "there was no result within {} ms; a change may still be made",
                self.deadline.as_millis()
            ))),
        }
    }
}

/// Who called, for the log.
fn caller<T>(request: &tonic::Request<T>) -> String {
    let caller = request.extensions().get::<assay_access::Caller>();
    caller.map_or_else(|| "nobody".to_owned(), |caller| caller.name().to_owned())
}
