//! The service: its parts put together, and its care.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_access::Authority;
use assay_attestation_service::{AttestationService, PolicySet};
use assay_store::Store;
use assay_token::TokenError;
use assay_types::{Clock, Coded, UnixTime};

use crate::challenge::CookieSealer;
use crate::limits::{AddressLimiter, Limiters};
use crate::metrics::Metrics;
use crate::session::Sessions;
use crate::{RequestError, Settings};

/// What the service is made of.
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The attestation service; it also holds attestation policies, reference values and the keys
    /// that sign tokens.
    pub attestation: Arc<AttestationService>,
    /// The resource policies.
    pub resource_policies: Arc<PolicySet>,
    /// Who may administer.
    pub authority: Arc<Authority>,
    /// The settings.
    pub settings: Settings,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys that seal cookies cannot be read or made.
    #[error("the session-sealing keys: {0}")]
    Sealing(RequestError),
    /// The keys that verify tokens cannot be used.
    #[error("the token keys: {0}")]
    Token(#[from] TokenError),
    /// A setting that cannot be.
    #[error("the setting {name} {why}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// The key broker service. A clone is another handle of the same.
#[derive(Clone)]
pub struct KeyBroker {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    attestation: Arc<AttestationService>,
    resource_policies: Arc<PolicySet>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    authority: Arc<Authority>,
    sealer: CookieSealer,
    sessions: Sessions,
    limiters: Limiters,
    metrics: Metrics,
    openapi: String,
    draining: AtomicBool,
}

impl KeyBroker {
    /// Puts the parts together; reads the session-sealing keys, or makes the first.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn new(parts: Parts) -> Result<Self, StartError> {
        let Parts { store, attestation, resource_policies, authority, settings, clock } = parts;
        check(&settings)?;
        let sealer = CookieSealer::load(store.clone(), settings.session_seconds, clock.now())
            .await
            .map_err(StartError::Sealing)?;
        let limiters = Limiters {
            auth: settings.auth_rate.map(AddressLimiter::new),
            attest: settings.attest_rate.map(AddressLimiter::new),
        };
        let inner = Inner {
            authority,
            sessions: Sessions::new(Arc::clone(&attestation), store.clone())?,
            store,
            attestation,
            resource_policies,
            settings,
            clock,
            sealer,
            limiters,
            metrics: Metrics::new(),
            openapi: crate::openapi(),
            draining: AtomicBool::new(false),
        };
        Ok(KeyBroker { inner: Arc::new(inner) })
    }

    /// Sweeps sessions, rotates keys that are due, forgets idle rate limit counters; again and again.
    /// Never ends: spawn it beside the server. What fails is logged and tried again.
    pub async fn housekeeping(&self) {
        loop {
            tokio::time::sleep(self.settings().housekeeping_interval).await;
            self.keep_house().await;
        }
    }

    /// One round of [`KeyBroker::housekeeping`].
    pub async fn keep_house(&self) {
        let now = self.now();
        match self.store().sweep(now).await {
            Ok(swept) => self.metrics().swept(swept),
            Err(error) => tracing::error!(%error, code = error.code(), "sweeping sessions failed"),
        }
        let keys = self.attestation().keys();
        match keys.rotate_if_due().await {
            Ok(true) => tracing::info!("the token-signing key was rotated"),
            Ok(false) => {
                if let Err(error) = keys.reload().await {
                    tracing::error!(%error, "reading the token-signing keys failed");
                }
            }
            Err(error) => tracing::error!(%error, "rotating the token-signing key failed"),
        }
        match self.sealer().rotate_if_due(now).await {
            Ok(true) => tracing::info!("the session-sealing key was rotated"),
            Ok(false) => {
                if let Err(error) = self.sealer().reload().await {
                    tracing::error!(%error, "reading the session-sealing keys failed");
                }
            }
            Err(error) => tracing::error!(%error, "rotating the session-sealing key failed"),
        }
        if let Err(error) = self.authority().keys().reload().await {
            tracing::error!(%error, code = error.code(), "reading the admin keys failed");
        }
        for limiter in [&self.limiters().auth, &self.limiters().attest].into_iter().flatten() {
            limiter.shrink();
        }
        self.sessions().shrink();
    }

    /// From now on `/readyz` says that the server is stopping.
    pub fn start_draining(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.inner.clock.now()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn attestation(&self) -> &AttestationService {
        &self.inner.attestation
    }

    pub(crate) fn resource_policies(&self) -> &Arc<PolicySet> {
        &self.inner.resource_policies
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.inner.authority
    }

    pub(crate) fn sealer(&self) -> &CookieSealer {
        &self.inner.sealer
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    pub(crate) fn limiters(&self) -> &Limiters {
        &self.inner.limiters
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub(crate) fn openapi_text(&self) -> &str {
        &self.inner.openapi
    }
}

/// What types do not say.
fn check(settings: &Settings) -> Result<(), StartError> {
    let wrong = |name, why| Err(StartError::Setting { name, why });
    if !(1..=86_400).contains(&settings.session_seconds) {
        return wrong("session_seconds", "must be 1 to 86400");
    }
    if !(0..=86_400).contains(&settings.verdict_seconds) {
        return wrong("verdict_seconds", "must be 0 to 86400");
    }
    if !(1..=86_400).contains(&settings.challenge_response_seconds) {
        return wrong("challenge_response_seconds", "must be 1 to 86400");
    }
    if settings.challenge_response_sessions == 0 {
        return wrong("challenge_response_sessions", "must not be 0");
    }
    if settings.header_bytes < 8192 {
        return wrong("header_bytes", "must be at least 8192");
    }
    if settings.connections == 0 {
        return wrong("connections", "must not be 0");
    }
    Ok(())
}
