//! The reference value provider: as a part of its own, and as a part that is elsewhere.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_access::{AdminKeys, Authority};
use assay_listener::{Limits, Protocols, TlsIdentity};
use assay_reference_values::{
    ProviderParts, ReferenceValueSource, ReferenceValues, RemoteReferenceValues, router,
};
use assay_store::{Store, Topic};
use assay_types::Clock;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::output::Output;
use crate::settings::{RvpsDoor, Settings};

/// The reference values of a process.
pub(crate) struct Values {
    pub(crate) source: Arc<dyn ReferenceValueSource>,
    /// Those of the store, where they come from there.
    pub(crate) local: Option<Arc<ReferenceValues>>,
}

/// The values that evaluations use: those of the store, or of a provider elsewhere.
pub(crate) async fn source(
    settings: &Settings,
    store: &Store,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Values> {
    let danger = settings.danger.plaintext_reference_values;
    let Some(remote) = settings.reference_values.remote(danger) else {
        let corims = crate::server::corims(settings)?;
        let local = Arc::new(ReferenceValues::load_with(store.clone(), clock, corims).await?);
        return Ok(Values {
            source: Arc::clone(&local) as Arc<dyn ReferenceValueSource>,
            local: Some(local),
        });
    };
    if danger {
        tracing::warn!(
            "DANGER: reference values may come over plain HTTP; whoever is on the way chooses them"
        );
    }
    tracing::info!(address = remote.remote.address, "reference values come from a provider elsewhere");
    Ok(Values { source: Arc::new(RemoteReferenceValues::new(remote, clock)?), local: None })
}

/// `assay serve rvps`: the provider alone, until it is told to stop.
pub(crate) async fn serve_rvps(settings: &Settings, out: Output) -> anyhow::Result<Exit> {
    // Before anything is said to be ready: whoever reads that may ask to stop at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = crate::store::open(settings, true).await?;
    let admin_keys = Arc::new(crate::admin::keys(settings, &store, Arc::clone(&clock)).await?);
    let made_admin_key = admin_keys.made();
    let clients = settings.access.clients.clone();
    let authority = Arc::new(Authority::new(Arc::clone(&admin_keys), &settings.access.audience, clients)?);
    let corims = crate::server::corims(settings)?;
    let values = ReferenceValues::load_with(store.clone(), Arc::clone(&clock), corims).await?;
    let deadline = Duration::from_secs(settings.limits.request_seconds);
    let following = tokio::spawn(follow(store.clone(), values.clone(), Arc::clone(&admin_keys)));
    let router = router(ProviderParts { values, authority, clock, deadline })?;

    let tls = identity(&settings.rvps)?;
    let listen = settings.rvps.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    let addr = listener.local_addr()?;
    if made_admin_key {
        out.line("made the admin key")?;
        out.line(format!(
            "mint a token with: assay admin token --data-dir {} --role reference-value-writer",
            settings.server.data_dir.display()
        ))?;
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    out.line(format!("listening on {scheme}://{addr}"))?;
    // One line, so that a program that reads it need not wait for the end.
    if out.json {
        let line = json!({ "listening": addr, "scheme": scheme, "part": "rvps" });
        crate::output::raw(format!("{line}\n").as_bytes())?;
    }
    if let Some(identity) = &tls {
        tokio::spawn(crate::commands::serve::reload_on_hangup(
            Arc::clone(identity),
            signal(SignalKind::hangup())?,
        ));
    }
    let limits = Limits {
        connections: settings.limits.connections,
        drain: Duration::from_secs(settings.server.drain_seconds),
        ..Limits::default()
    };
    assay_listener::serve(router, listener, tls, Protocols::Http1And2, limits, Arc::new(()), shutdown).await;
    following.abort();
    store.close().await;
    tracing::info!("stopped");
    Ok(Exit::Success)
}

/// Takes up what other processes change in the store.
async fn follow(store: Store, values: ReferenceValues, keys: Arc<AdminKeys>) {
    let mut feed = store.follow();
    loop {
        for topic in feed.next().await {
            let (what, error) = match topic {
                Topic::ReferenceValues => {
                    ("reference values", values.reload().await.err().map(|e| e.to_string()))
                }
                Topic::Keys => ("admin keys", keys.reload().await.err().map(|e| e.to_string())),
                _ => continue,
            };
            if let Some(error) = error {
                tracing::error!(what, error, "what another process changed could not be read");
            }
        }
    }
}

fn identity(door: &RvpsDoor) -> anyhow::Result<Option<Arc<TlsIdentity>>> {
    let (Some(certificate), Some(key)) = (&door.tls_certificate, &door.tls_key) else { return Ok(None) };
    Ok(Some(Arc::new(match &door.client_ca {
        Some(authorities) => TlsIdentity::load_with_clients(certificate, key, authorities, false)?,
        None => TlsIdentity::load(certificate, key)?,
    })))
}
