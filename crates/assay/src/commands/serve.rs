//! `assay serve`: the server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_listener::TlsIdentity;
use assay_telemetry::{Guard, Operation, ProcessMetrics, TelemetrySettings};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::reload::{self, Reloadable, Reloader};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::store_numbers::StoreNumbers;

pub(crate) fn run(args: &ServeArgs, out: Output) -> anyhow::Result<Exit> {
    let settings = settings(args)?;
    let args = args.clone();
    let config = args.config.clone();
    let read = move || self::settings(&args);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(settings, config, read, out))
}

/// The configuration file, the environment, then the options of the command line.
fn settings(args: &ServeArgs) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(args.config.as_deref())?;
    let server = &mut settings.server;
    if let Some(dir) = &args.data_dir {
        server.data_dir.clone_from(dir);
    }
    if let Some(listen) = args.listen {
        server.listen = listen;
    }
    server.http |= args.http;
    if args.tls_certificate.is_some() {
        server.tls_certificate.clone_from(&args.tls_certificate);
    }
    if args.tls_key.is_some() {
        server.tls_key.clone_from(&args.tls_key);
    }
    if args.offline_collateral.is_some() {
        settings.collateral.offline_folder.clone_from(&args.offline_collateral);
    }
    if args.danger_trust_emulator.is_some() {
        settings.danger.trust_emulator.clone_from(&args.danger_trust_emulator);
    }
    settings.danger.allow_sample |= args.danger_allow_sample;
    settings.danger.allow_unsigned_corim |= args.danger_allow_unsigned_corim;
    settings.danger.allow_test_keys |= args.danger_allow_test_keys;
    if !args.corim_signer.is_empty() {
        settings.corim.signers.clone_from(&args.corim_signer);
    }

    let server = &settings.server;
    if server.http {
        anyhow::ensure!(
            server.listen.ip().is_loopback(),
            "plain HTTP is served on loopback addresses only, not on {}; give --tls-certificate and --tls-key",
            server.listen
        );
        anyhow::ensure!(
            server.client_ca.is_none(),
            "server.client_ca: there are no client certificates without TLS"
        );
    } else {
        anyhow::ensure!(
            server.tls_certificate.is_some() && server.tls_key.is_some(),
            "HTTPS needs --tls-certificate and --tls-key (or --http, on a loopback address)"
        );
    }
    Ok(settings)
}

/// The longest wait for the last spans, and for the store to close when everything is cut off.
const LAST_WORDS: Duration = Duration::from_secs(2);

fn telemetry(settings: &Settings) -> anyhow::Result<Guard> {
    Ok(assay_telemetry::init(&TelemetrySettings {
        filter: settings.log.level.clone(),
        json: settings.log.json,
        traces: settings.telemetry.traces(settings.danger.telemetry_plain_http)?,
    })?)
}

/// The listener's certificate, if it speaks TLS.
fn tls(settings: &Settings) -> anyhow::Result<Option<Arc<TlsIdentity>>> {
    Ok(match (&settings.server.tls_certificate, &settings.server.tls_key) {
        (Some(certificate), Some(key)) if !settings.server.http => {
            Some(Arc::new(match &settings.server.client_ca {
                Some(authorities) => TlsIdentity::load_with_clients(certificate, key, authorities, false)?,
                None => TlsIdentity::load(certificate, key)?,
            }))
        }
        _ => None,
    })
}

async fn serve(
    settings: Settings,
    config: Option<PathBuf>,
    read: impl Fn() -> anyhow::Result<Settings> + Send + 'static,
    out: Output,
) -> anyhow::Result<Exit> {
    let guard = Arc::new(telemetry(&settings)?);
    let operation = Operation::default();
    let process = ProcessMetrics::new(&operation.metrics);
    process.watch_spans(guard.spans());
    // Before anything is said to be ready: whoever reads that may ask to stop or to reload at once.
    let delay = Duration::from_secs(settings.server.drain_delay_seconds);
    let shutdown = Shutdown::on_signals(operation.readiness.clone(), delay)?;
    let hangup = signal(SignalKind::hangup())?;
    let built = crate::server::build(&settings, &operation).await?;
    process.watch_store(Arc::new(StoreNumbers(built.store.clone())));
    let listener = TcpListener::bind(settings.server.listen)
        .await
        .with_context(|| format!("listening on {}", settings.server.listen))?;
    let addr = listener.local_addr()?;
    let tls = tls(&settings)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    if built.made_admin_key {
        out.line("made the admin key")?;
        out.line(format!(
            "mint a token with: assay admin token --data-dir {} --role admin",
            settings.server.data_dir.display()
        ))?;
    }
    out.line(format!("listening on {scheme}://{addr}"))?;
    // One line, so that a program that reads it need not wait for the end.
    if out.json {
        let line = json!({ "listening": addr, "scheme": scheme });
        crate::output::raw(format!("{line}\n").as_bytes())?;
    }
    let refresher = match settings.collateral.refresh_interval_seconds {
        0 => None,
        seconds => Some(built.collateral.spawn_refresher(Duration::from_secs(seconds))),
    };
    let broker = built.broker.clone();
    let following = built.followers.spawn(&built.store);
    let housekeeping = tokio::spawn(async move { broker.housekeeping().await });
    let mut parts: Vec<Box<dyn Reloadable>> = vec![
        Box::new(reload::Log(Arc::clone(&guard))),
        Box::new(reload::Sampling(Arc::clone(&guard))),
        Box::new(reload::Limits(built.broker.clone())),
        Box::new(reload::Clients(built.authority)),
    ];
    if let Some(values) = built.values {
        parts.push(Box::new(reload::CorimSigners(values)));
    }
    if let Some(identity) = &tls {
        let server = &settings.server;
        let files = [&server.tls_certificate, &server.tls_key, &server.client_ca].into_iter().flatten();
        let files = files.cloned().collect();
        // Last: its step reads the files once more, and so is the only one that can still fail.
        parts.push(Box::new(reload::Tls { identity: Arc::clone(identity), files, load: self::tls }));
    }
    let reloader = Reloader::new(read, config, settings, parts, process);
    let reloading = tokio::spawn(reloader.run(hangup));
    let serving = assay_key_broker_service::serve(&built.broker, listener, tls, shutdown.draining());
    tokio::select! {
        () = serving => {}
        () = shutdown.cut() => tracing::warn!("told twice to stop: requests under way are cut off"),
    }
    reloading.abort();
    housekeeping.abort();
    following.abort();
    drop(refresher);
    if let Err(error) = built.audit.close().await {
        tracing::error!(%error, "the end of the audit log could not be written");
    }
    // Requests that were cut off may still hold connections to the store.
    let closing = built.store.close();
    tokio::select! {
        () = closing => {}
        () = async { shutdown.cut().await; tokio::time::sleep(LAST_WORDS).await } => {}
    }
    tracing::info!("stopped");
    guard.shutdown(LAST_WORDS).await;
    Ok(Exit::Success)
}

/// SIGHUP: the certificate was renewed.
pub(crate) async fn reload_on_hangup(identity: Arc<TlsIdentity>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        match identity.reload() {
            Ok(()) => tracing::info!("the TLS files were read again"),
            Err(error) => {
                tracing::error!(%error, "the TLS files cannot be used; what was read before stays in use")
            }
        }
    }
}
