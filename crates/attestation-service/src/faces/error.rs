//! Everything that can go wrong with a request at the faces.

use assay_access::AccessError;
use assay_audit::AuditError;
use assay_store::StoreError;
use assay_types::{Coded, Fault, Finding};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

use super::answer::http_status;
use crate::messages::FormError;
use crate::passport::PassportError;
use crate::policy_set::PolicySetError;

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaceError {
    /// The caller shows no credentials, none that hold, or may not do this.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The body is not the JSON that it must be.
    #[error("the body is not the JSON expected here: {detail}")]
    Json {
        /// What the parser says.
        detail: String,
    },
    /// A text in the request is not of its form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// There is no token.
    #[error(transparent)]
    Passport(#[from] PassportError),
    /// The policy was not taken.
    #[error(transparent)]
    PolicySet(#[from] PolicySetError),
    /// There is no such policy.
    #[error("there is no attestation policy {id:?}")]
    NoPolicy {
        /// Its id, cut after 256 characters.
        id: String,
    },
    /// The body is too large.
    #[error("the body is larger than {limit} bytes, the most that is taken here")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive within {seconds} seconds")]
    BodyTimeout {
        /// The time allowed.
        seconds: u64,
    },
    /// The body ended before it was complete.
    #[error("the body was cut off")]
    BodyCutOff,
    /// The work took too long.
    #[error("the request took longer than {seconds} seconds")]
    TookTooLong {
        /// The time allowed.
        seconds: u64,
    },
    /// Too many requests from this address.
    #[error("too many requests from this address; try again in {retry_after} seconds")]
    RateLimited {
        /// How long to wait, in seconds, at least 1.
        retry_after: u64,
    },
    /// The service is about to stop.
    #[error("the server is stopping")]
    Draining,
    /// The store does not answer in time.
    #[error("the store does not answer")]
    StoreSilent,
    /// Nothing has this path.
    #[error("nothing is served at this path")]
    NoEndpoint,
    /// The path is served, but not with this method.
    #[error("this path is not served with the method {method}")]
    Method {
        /// The method, cut after 16 characters.
        method: String,
    },
    /// The request has no `Host` that an address could be made of.
    #[error("there is no usable Host header")]
    Host,
    /// It cannot be recorded, so it does not happen.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What must not happen.
    #[error("{what}")]
    Internal {
        /// What happened.
        what: String,
    },
}

impl FaceError {
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        FaceError::Internal { what: what.into() }
    }

    /// The findings behind it.
    pub(crate) fn findings(&self) -> &[Finding] {
        match self {
            FaceError::Passport(PassportError::Evaluation(error)) => error.findings(),
            _ => &[],
        }
    }

    /// Whether its text speaks of the inside of the service.
    pub(crate) fn is_inside(&self) -> bool {
        !matches!(self, FaceError::Draining | FaceError::StoreSilent | FaceError::TookTooLong { .. })
    }
}

impl Coded for FaceError {
    fn code(&self) -> &'static str {
        match self {
            FaceError::Access(error) => error.code(),
            FaceError::Json { .. } => "AS-040",
            FaceError::Form(error) => error.code(),
            FaceError::Passport(error) => error.code(),
            FaceError::PolicySet(error) => error.code(),
            FaceError::NoPolicy { .. } => "AS-061",
            FaceError::BodyTooLarge { .. } => "AS-062",
            FaceError::BodyTimeout { .. } => "AS-063",
            FaceError::BodyCutOff => "AS-064",
            FaceError::TookTooLong { .. } => "AS-065",
            FaceError::RateLimited { .. } => "AS-066",
            FaceError::Draining => "AS-067",
            FaceError::StoreSilent => "AS-068",
            FaceError::NoEndpoint => "AS-069",
            FaceError::Method { .. } => "AS-070",
            FaceError::Host => "AS-071",
            FaceError::Audit(error) => error.code(),
            FaceError::Store(error) => error.code(),
            FaceError::Internal { .. } => "AS-072",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            FaceError::Access(error) => error.fault(),
            FaceError::Json { .. } | FaceError::BodyCutOff | FaceError::Host => Fault::BadRequest,
            FaceError::Form(error) => error.fault(),
            FaceError::Passport(error) => error.fault(),
            FaceError::PolicySet(error) => error.fault(),
            FaceError::NoPolicy { .. } | FaceError::NoEndpoint => Fault::NotFound,
            FaceError::BodyTooLarge { .. } => Fault::TooLarge,
            FaceError::BodyTimeout { .. } => Fault::RequestTimeout,
            FaceError::RateLimited { .. } => Fault::RateLimited,
            FaceError::TookTooLong { .. } | FaceError::Draining | FaceError::StoreSilent => {
                Fault::Unavailable
            }
            FaceError::Method { .. } => Fault::MethodNotAllowed,
            FaceError::Audit(error) => error.fault(),
            FaceError::Store(error) => error.fault(),
            FaceError::Internal { .. } => Fault::Internal,
        }
    }
}

/// An error on its way to the place where its body is written.
#[derive(Clone)]
struct Pending(Arc<FaceError>);

impl IntoResponse for FaceError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = http_status(self.fault());
        response.extensions_mut().insert(Pending(Arc::new(self)));
        response
    }
}

/// The error of a response whose body is not written yet.
pub(crate) fn pending(response: &Response) -> Option<Arc<FaceError>> {
    response.extensions().get::<Pending>().map(|pending| Arc::clone(&pending.0))
}
