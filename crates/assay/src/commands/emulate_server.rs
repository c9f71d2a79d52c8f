//! What the doubles have in common that are servers: a listener, a line that says so, an end.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::Router;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::output::Output;

/// Serves plain HTTP until it is told to stop.
pub(super) fn run(listen: SocketAddr, router: Router, out: Output) -> anyhow::Result<Exit> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(listen, router, out))
}

async fn serve(listen: SocketAddr, router: Router, out: Output) -> anyhow::Result<Exit> {
    // Before anything is said to be ready: whoever reads that may ask to stop at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    let addr = listener.local_addr()?;
    out.line(format!("listening on http://{addr}"))?;
    // One line, so that a program that reads it need not wait for the end.
    if out.json {
        crate::output::raw(format!("{}\n", json!({ "listening": addr, "scheme": "http" })).as_bytes())?;
    }
    // Answers that still wait are given up: nobody is served by them.
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(Exit::Success)
}
