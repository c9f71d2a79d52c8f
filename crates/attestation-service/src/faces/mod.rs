//! The attestation service's own door: gRPC as Trustee's `attestation.proto` has it, and the REST interface
//! of Trustee's RESTful service, on one port.
//!
//! Closed by default: every method needs a client certificate or a bearer token whose roles may use it. Only
//! the keys, and whether the service lives, are everybody's. Guests may be let in by a setting: then a caller
//! without credentials gets a challenge and, once for each, a token ([`Passports`](crate::Passports)).

mod answer;
mod error;
mod grpc;
mod guard;
mod health;
mod metrics;
mod rest;
mod surround;
mod wellknown;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assay_access::Authority;
use assay_audit::AuditLog;
use assay_listener::Observer;
use assay_store::Store;
use assay_types::Clock;
use axum::Router;

pub use answer::http_status;
pub use error::FaceError;
pub use wellknown::{Discovery, requested_base};

use self::metrics::Metrics;
use crate::AttestationService;
use crate::challenge::{ChallengeError, ChallengeSealer};
use crate::housekeeping::{Kept, keep_house};
use crate::passport::{PassportSettings, Passports};
use crate::rate_limit::{AddressLimiter, Rate};

/// How the faces behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceSettings {
    /// Whether guests without credentials get challenges and tokens.
    pub guests: bool,
    /// How often one address of a guest may ask for a challenge, and for a token; without limit when `None`.
    pub guest_rate: Option<Rate>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Challenges, and the policies that judge what guests bring.
    pub passports: PassportSettings,
    /// The largest request, in bytes.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take altogether.
    pub request_timeout: Duration,
    /// The address that relying parties use, for OpenID discovery; the request's `Host` when `None`.
    pub public_url: Option<String>,
    /// How long to wait between two rounds of housekeeping.
    pub housekeeping_interval: Duration,
}

/// What the faces are made of.
pub struct FaceParts {
    /// The service behind them.
    pub service: Arc<AttestationService>,
    /// Where used challenges and verdicts are kept.
    pub store: Store,
    /// Who may do what.
    pub authority: Arc<Authority>,
    /// Where verdicts, refusals and changes are recorded.
    pub audit: AuditLog,
    /// The settings.
    pub settings: FaceSettings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// More gRPC services for the same port, each behind its own checks.
    pub beside: Router,
    /// The descriptions of the messages of those services, for reflection.
    pub descriptors: Vec<&'static [u8]>,
}

/// The faces of an attestation service. A clone is another handle of the same.
#[derive(Clone)]
pub struct Faces {
    inner: Arc<Inner>,
}

struct Inner {
    service: Arc<AttestationService>,
    store: Store,
    authority: Arc<Authority>,
    audit: AuditLog,
    passports: Passports,
    sealer: Arc<ChallengeSealer>,
    challenge_limiter: Option<AddressLimiter>,
    attestation_limiter: Option<AddressLimiter>,
    settings: FaceSettings,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    beside: Router,
    descriptors: Vec<&'static [u8]>,
    draining: AtomicBool,
}

impl Faces {
    /// Puts the parts together; reads the keys that seal challenges, or makes the first.
    ///
    /// # Errors
    /// [`ChallengeError`] when the keys cannot be had.
    pub async fn new(parts: FaceParts) -> Result<Self, ChallengeError> {
        let FaceParts { service, store, authority, audit, settings, clock, beside, descriptors } = parts;
        let seconds = settings.passports.challenge_seconds;
        let sealer = Arc::new(ChallengeSealer::load(store.clone(), seconds, clock.now()).await?);
        let passports = Passports::new(
            Arc::clone(&service),
            store.clone(),
            Arc::clone(&sealer),
            settings.passports.clone(),
            Arc::clone(&clock),
        );
        let inner = Inner {
            service,
            store,
            authority,
            audit,
            passports,
            sealer,
            challenge_limiter: settings.guest_rate.map(AddressLimiter::new),
            attestation_limiter: settings.guest_rate.map(AddressLimiter::new),
            settings,
            clock,
            metrics: Metrics::new(),
            beside,
            descriptors,
            draining: AtomicBool::new(false),
        };
        Ok(Faces { inner: Arc::new(inner) })
    }

    /// Both faces as one router, for HTTP/1.1 and HTTP/2. Whoever serves it puts a
    /// [`Connection`](assay_listener::Connection) into the extensions of each request.
    pub fn router(&self) -> Router {
        let services = grpc::services(self).merge(self.inner.beside.clone());
        let rest = rest::routes().with_state(self.clone());
        rest.merge(services)
            .fallback(surround::no_endpoint)
            .method_not_allowed_fallback(surround::no_method)
            .layer(axum::middleware::from_fn_with_state(self.clone(), surround::surround))
    }

    /// Sweeps used challenges, rotates keys that are due; again and again. Never ends: spawn it beside the
    /// server. What fails is logged and tried again.
    pub async fn housekeeping(&self) {
        loop {
            tokio::time::sleep(self.inner.settings.housekeeping_interval).await;
            let now = self.inner.clock.now();
            let kept = Kept {
                store: &self.inner.store,
                keys: Some(self.inner.service.keys()),
                sealer: &self.inner.sealer,
                admin_keys: self.inner.authority.keys(),
            };
            keep_house(&kept, now).await;
            let limiters = [&self.inner.challenge_limiter, &self.inner.attestation_limiter];
            limiters.into_iter().flatten().for_each(AddressLimiter::shrink);
        }
    }

    fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }
}

impl Observer for Faces {
    fn connected(&self) {
        self.inner.metrics.connected();
    }

    fn disconnected(&self) {
        self.inner.metrics.disconnected();
    }

    fn draining(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
    }
}
