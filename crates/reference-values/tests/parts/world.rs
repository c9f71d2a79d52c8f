//! A provider with its store, served on a socket, and clients of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_access::{AdminKeys, Authority, DEFAULT_AUDIENCE, Role};
use assay_audit::{AuditLog, AuditSettings};
use assay_listener::{Limits, Protocols};
use assay_reference_values::{
    CorimSettings, Protocol, ProviderParts, ReferenceValueError, ReferenceValueSource, ReferenceValues,
    RemoteReferenceValues, RemoteValuesSettings, router,
};
use assay_remote::RemoteSettings;
use assay_store::{KeyEncryptionKey, Store, StoreOptions};
use assay_types::{Clock as _, FixedClock, UnixTime};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);

pub(crate) struct Part {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Store,
    pub(crate) values: ReferenceValues,
    pub(crate) keys: Arc<AdminKeys>,
    pub(crate) audit: AuditLog,
}

impl Part {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::new(NOW));
        let store = Store::open(StoreOptions {
            database: folder.path().join("assay.db"),
            key_encryption_key: KeyEncryptionKey::from_bytes([1; 32]),
        })
        .await
        .unwrap();
        let corims = CorimSettings { danger_allow_unsigned: true, ..CorimSettings::default() };
        let values = ReferenceValues::load_with(store.clone(), clock.clone(), corims).await.unwrap();
        let keys = Arc::new(AdminKeys::load(store.clone(), clock.clone()).await.unwrap());
        let audit =
            AuditLog::open(store.clone(), clock.clone(), AuditSettings::default(), "test").await.unwrap();
        Part { folder, clock, store, values, keys, audit }
    }

    pub(crate) fn router(&self) -> axum::Router {
        let authority = Authority::new(Arc::clone(&self.keys), DEFAULT_AUDIENCE, Vec::new()).unwrap();
        router(ProviderParts {
            values: self.values.clone(),
            authority: Arc::new(authority),
            audit: self.audit.clone(),
            clock: self.clock.clone(),
            deadline: Duration::from_secs(20),
        })
        .unwrap()
    }

    pub(crate) async fn serve(&self) -> Served {
        Served::new(self.router(), None).await
    }

    pub(crate) async fn token(&self, role: Role) -> String {
        self.keys.newest().await.unwrap().mint(role, 900, DEFAULT_AUDIENCE, self.clock.now()).unwrap()
    }

    /// A file with the token of a role.
    pub(crate) async fn token_file(&self, role: Role) -> PathBuf {
        let file = self.folder.path().join(format!("{role}.token"));
        std::fs::write(&file, self.token(role).await).unwrap();
        file
    }

    pub(crate) async fn settings(
        &self,
        at: SocketAddr,
        protocol: Protocol,
        role: Role,
    ) -> RemoteValuesSettings {
        let token_file = Some(self.token_file(role).await);
        let remote = RemoteSettings { token_file, ..settings(at) };
        RemoteValuesSettings {
            poll: Duration::from_millis(50),
            ..RemoteValuesSettings::new(remote, protocol)
        }
    }

    pub(crate) async fn client(&self, at: SocketAddr, protocol: Protocol) -> RemoteReferenceValues {
        let settings = self.settings(at, protocol, Role::ReferenceValueWriter).await;
        RemoteReferenceValues::new(settings, self.clock.clone()).unwrap()
    }
}

pub(crate) fn settings(at: SocketAddr) -> RemoteSettings {
    RemoteSettings::new(RemoteValuesSettings::PART, &format!("http://{at}"))
}

/// A client without credentials, for doubles.
pub(crate) fn client_of(at: SocketAddr, protocol: Protocol, deadline: Duration) -> RemoteReferenceValues {
    let remote = RemoteSettings { deadline, ..settings(at) };
    let poll = Duration::from_millis(50);
    let settings = RemoteValuesSettings { poll, ..RemoteValuesSettings::new(remote, protocol) };
    RemoteReferenceValues::new(settings, Arc::new(FixedClock::new(NOW))).unwrap()
}

/// A router on a socket, until this is dropped or stopped.
pub(crate) struct Served {
    pub(crate) at: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Served {
    /// On this address, or on any port of the loopback.
    pub(crate) async fn new(router: axum::Router, at: Option<SocketAddr>) -> Self {
        let at = at.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = TcpListener::bind(at).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
        let task = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            assay_listener::serve(
                router,
                listener,
                None,
                Protocols::Http1And2,
                limits,
                Arc::new(()),
                stopped,
            )
            .await;
        });
        Served { at, stop, task }
    }

    /// Ends it; its port is free then.
    pub(crate) async fn stop(self) -> SocketAddr {
        let _ = self.stop.send(());
        self.task.await.unwrap();
        self.at
    }
}

pub(crate) fn message(values: &Value) -> Vec<u8> {
    let payload = BASE64_STANDARD.encode(values.to_string());
    json!({ "version": "0.1.0", "type": "sample", "payload": payload }).to_string().into_bytes()
}

/// Asks again until it is `Ok`: what comes by itself, but not at once.
pub(crate) async fn in_the_end<T, E: std::fmt::Debug>(mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    for _ in 0..400 {
        if let Ok(found) = ask().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    ask().await.expect("it should have come by itself")
}

/// What a policy would find.
pub(crate) async fn found(
    source: &impl ReferenceValueSource,
    id: &str,
) -> Result<Value, ReferenceValueError> {
    let mut consultation = source.consult().await?;
    loop {
        let found = consultation.values().query(id, NOW).to_policy_value();
        if !consultation.learn().await? {
            return Ok(found);
        }
    }
}
