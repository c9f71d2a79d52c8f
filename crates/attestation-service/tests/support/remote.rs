//! A reference value provider on a socket, and the way to it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use assay_access::{AdminKeys, Authority, DEFAULT_AUDIENCE, Role};
use assay_audit::{AuditLog, AuditSettings};
use assay_listener::{Limits, Protocols};
use assay_reference_values::{
    Protocol, ProviderParts, ReferenceValues, RemoteReferenceValues, RemoteValuesSettings, router,
};
use assay_remote::RemoteSettings;
use assay_store::Store;
use assay_types::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves the values, and asks for each evaluation anew.
pub async fn remote(
    values: ReferenceValues,
    store: Store,
    clock: Arc<dyn Clock>,
    protocol: Protocol,
    folder: &Path,
) -> (RemoteReferenceValues, JoinHandle<()>) {
    let keys = Arc::new(AdminKeys::load(store.clone(), clock.clone()).await.unwrap());
    let token = keys
        .newest()
        .await
        .unwrap()
        .mint(Role::ReferenceValueWriter, 86_400, DEFAULT_AUDIENCE, clock.now())
        .unwrap();
    let token_file = folder.join("token");
    std::fs::write(&token_file, token).unwrap();
    let authority = Arc::new(Authority::new(keys, DEFAULT_AUDIENCE, Vec::new()).unwrap());
    let deadline = Duration::from_secs(20);
    let audit = AuditLog::open(store, clock.clone(), AuditSettings::default(), "test").await.unwrap();
    let router = router(ProviderParts { values, authority, audit, clock: clock.clone(), deadline }).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (both, never) = (Protocols::Http1And2, std::future::pending());
        assay_listener::serve(router, listener, None, both, Limits::default(), Arc::new(()), never).await;
    });
    let remote = RemoteSettings {
        token_file: Some(token_file),
        ..RemoteSettings::new(RemoteValuesSettings::PART, &address)
    };
    let settings =
        RemoteValuesSettings { cache: Duration::ZERO, ..RemoteValuesSettings::new(remote, protocol) };
    (RemoteReferenceValues::new(settings, clock).unwrap(), served)
}
