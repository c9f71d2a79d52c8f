//! The service: its parts put together, and its care.

use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_access::Authority;
use assay_attestation_service::{AttestationService, PolicySet};
use assay_audit::AuditLog;
use assay_secret_backends::SecretBackend;
use assay_store::Store;
use assay_telemetry::Operation;
use assay_token::TokenError;
use assay_types::{Clock, Coded, UnixTime};

use crate::challenge::CookieSealer;
use crate::limits::Limiters;
use crate::metrics::Metrics;
use crate::session::Sessions;
use crate::{RequestError, Settings};

/// What the service is made of.
pub struct Parts {
    /// The store.
    pub store: Store,
    /// Where the secrets of resources are kept; the same store, or elsewhere.
    pub secrets: Arc<dyn SecretBackend>,
    /// The attestation service; it also holds attestation policies, reference values and the keys
    /// that sign tokens.
    pub attestation: Arc<AttestationService>,
    /// The resource policies.
    pub resource_policies: Arc<PolicySet>,
    /// Who may administer.
    pub authority: Arc<Authority>,
    /// The audit log.
    pub audit: AuditLog,
    /// The settings.
    pub settings: Settings,
    /// What the service shares with the other parts of the process: readiness and metrics.
    pub operation: Operation,
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
    secrets: Arc<dyn SecretBackend>,
    attestation: Arc<AttestationService>,
    resource_policies: Arc<PolicySet>,
    audit: AuditLog,
    settings: ArcSwap<Settings>,
    operation: Operation,
    clock: Arc<dyn Clock>,
    authority: Arc<Authority>,
    sealer: CookieSealer,
    sessions: Sessions,
    limiters: ArcSwap<Limiters>,
    metrics: Metrics,
    openapi: String,
}

impl KeyBroker {
    /// Puts the parts together; reads the session-sealing keys, or makes the first.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn new(parts: Parts) -> Result<Self, StartError> {
        let Parts {
            store,
            secrets,
            attestation,
            resource_policies,
            authority,
            audit,
            settings,
            operation,
            clock,
        } = parts;
        settings.check()?;
        let sealer = CookieSealer::load(store.clone(), settings.session_seconds, clock.now())
            .await
            .map_err(StartError::Sealing)?;
        let asked = store.clone();
        operation.readiness.add("store", move || {
            let store = asked.clone();
            async move { store.ping().await }
        });
        let asked = Arc::clone(&attestation);
        operation.readiness.add("reference-values", move || {
            let attestation = Arc::clone(&asked);
            async move { attestation.reference_values().check().await }
        });
        let asked = Arc::clone(&secrets);
        operation.readiness.add("secret-backends", move || {
            let secrets = Arc::clone(&asked);
            async move { secrets.check().await }
        });
        let asked = audit.clone();
        operation.readiness.add("audit-log", move || {
            let audit = asked.clone();
            async move { audit.check() }
        });
        let inner = Inner {
            authority,
            sessions: Sessions::new(Arc::clone(&attestation), store.clone())?,
            store,
            secrets,
            attestation,
            resource_policies,
            audit,
            limiters: ArcSwap::from_pointee(Limiters::new(&settings)),
            settings: ArcSwap::from_pointee(settings),
            clock,
            sealer,
            metrics: Metrics::new(&operation.metrics),
            openapi: crate::openapi(),
            operation,
        };
        Ok(KeyBroker { inner: Arc::new(inner) })
    }

    /// Takes over what of `settings` can change while the service runs: the limits on bodies, times and rates,
    /// the bounds of challenge-response sessions, the proxies, the public address, the attestation policies
    /// that judge, how long verdicts are kept, the pace of housekeeping. All else stays as it was at the
    /// start. Rate limits that change begin to count anew.
    ///
    /// # Errors
    /// [`StartError::Setting`]; then nothing changes.
    pub fn reconfigure(&self, settings: &Settings) -> Result<(), StartError> {
        settings.check()?;
        let now = self.settings();
        let next = now.reconfigured(settings);
        if (next.auth_rate, next.attest_rate) != (now.auth_rate, now.attest_rate) {
            self.inner.limiters.store(Arc::new(Limiters::new(&next)));
        }
        self.inner.settings.store(Arc::new(next));
        Ok(())
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
        self.audit().reload_keys().await;
        let limiters = self.limiters();
        for limiter in [&limiters.auth, &limiters.attest].into_iter().flatten() {
            limiter.shrink();
        }
        self.sessions().shrink();
    }

    /// Reads the keys again that seal challenges: another process may have rotated them.
    ///
    /// # Errors
    /// When the store cannot be read; the keys in use stay in use then.
    pub async fn reload_sealing_keys(&self) -> Result<(), RequestError> {
        self.sealer().reload().await
    }

    /// From now on `/readyz` says that the server is stopping.
    pub fn start_draining(&self) {
        self.inner.operation.readiness.stop();
    }

    pub(crate) fn operation(&self) -> &Operation {
        &self.inner.operation
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.inner.clock.now()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn secrets(&self) -> &dyn SecretBackend {
        &*self.inner.secrets
    }

    pub(crate) fn attestation(&self) -> &AttestationService {
        &self.inner.attestation
    }

    pub(crate) fn resource_policies(&self) -> &Arc<PolicySet> {
        &self.inner.resource_policies
    }

    pub(crate) fn audit(&self) -> &AuditLog {
        &self.inner.audit
    }

    /// The settings in force. A request that needs more than one takes them once.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.inner.settings.load_full()
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

    pub(crate) fn limiters(&self) -> Arc<Limiters> {
        self.inner.limiters.load_full()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub(crate) fn openapi_text(&self) -> &str {
        &self.inner.openapi
    }
}
