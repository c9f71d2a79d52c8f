//! `assay emulate vault`: a double of HashiCorp Vault.

use std::sync::Arc;

use anyhow::Context as _;
use assay_vault::double::{Double, DoubleSettings};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::EmulateVaultArgs;
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run(args: &EmulateVaultArgs, out: Output) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        args.listen.ip().is_loopback(),
        "{} is no loopback address: whoever reaches the double can read and control it",
        args.listen
    );
    let settings = DoubleSettings {
        token: args.token.clone(),
        role_id: args.role_id.clone(),
        secret_id: args.secret_id.clone(),
        kubernetes_role: args.kubernetes_role.clone(),
        kubernetes_jwt: args.kubernetes_jwt.clone(),
        kv1_mount: args.kv1_mount.clone(),
        kv2_mount: args.kv2_mount.clone(),
        transit_mount: args.transit_mount.clone(),
        transit_keys: args.transit_keys.clone(),
        namespace: args.namespace.clone(),
    };
    let double = Double::new(settings, Arc::new(SystemClock)).map_err(anyhow::Error::msg)?;
    double.behave(|behaviour| behaviour.lease_seconds = args.lease_seconds.into());
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(args, &double, out))
}

async fn serve(args: &EmulateVaultArgs, double: &Double, out: Output) -> anyhow::Result<Exit> {
    // Before anything is said to be ready: whoever reads that may ask to stop at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener =
        TcpListener::bind(args.listen).await.with_context(|| format!("listening on {}", args.listen))?;
    let addr = listener.local_addr()?;
    out.line(format!("listening on http://{addr}"))?;
    if out.json {
        crate::output::raw(format!("{}\n", json!({ "listening": addr, "scheme": "http" })).as_bytes())?;
    }
    tokio::select! {
        served = axum::serve(listener, double.router()) => served?,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(Exit::Success)
}
