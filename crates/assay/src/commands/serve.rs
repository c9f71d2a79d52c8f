//! `assay serve`: the server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_listener::Limits;
use assay_telemetry::{Guard, Operation, ProcessMetrics, TelemetrySettings};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::cli::{Part, ServeArgs};
use crate::doors::Door;
use crate::exit::Exit;
use crate::follow::Followers;
use crate::numbers::{AuditNumbers, StoreNumbers};
use crate::output::Output;
use crate::reload::{self, Reloadable, Reloader};
use crate::server::{self, BuiltService, Foundation};
use crate::settings::Settings;
use crate::shutdown::Shutdown;

pub(crate) fn run(args: &ServeArgs, out: Output) -> anyhow::Result<Exit> {
    let settings = settings(args)?;
    let part = args.part;
    let args = args.clone();
    let config = args.config.clone();
    let read = move || self::settings(&args);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(settings, part, config, read, out))
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

    match args.part {
        Part::All | Part::Kbs => check_server(&settings)?,
        Part::As => move_options(args, &mut settings),
        Part::Rvps => settings.rvps.listen = args.listen.unwrap_or(settings.rvps.listen),
    }
    Ok(settings)
}

/// The options of the command line say where the one part listens that is run.
fn move_options(args: &ServeArgs, settings: &mut Settings) {
    let door = &mut settings.attestation_service;
    door.listen = args.listen.or(door.listen);
    if args.tls_certificate.is_some() {
        door.tls_certificate.clone_from(&args.tls_certificate);
    }
    if args.tls_key.is_some() {
        door.tls_key.clone_from(&args.tls_key);
    }
}

fn check_server(settings: &Settings) -> anyhow::Result<()> {
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
    Ok(())
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

async fn serve(
    settings: Settings,
    part: Part,
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
    let foundation = server::foundation(&settings, operation).await?;
    process.watch_store(Arc::new(StoreNumbers(foundation.store.clone())));
    process.watch_audit(Arc::new(AuditNumbers(foundation.audit.clone())));
    let mut followers = Followers::default();
    followers.authority(&foundation.authority);
    followers.audit(&foundation.audit);
    let service = match part {
        Part::All | Part::As => {
            Some(server::attestation_service(&settings, &foundation, &mut followers).await?)
        }
        Part::Kbs | Part::Rvps => None,
    };
    let mut doors = open(&settings, part, &foundation, service.as_ref(), &mut followers).await?;
    let mut values = service.as_ref().and_then(|built| built.values.clone());
    if part == Part::Rvps {
        let (router, own) = crate::rvps::provider(&settings, &foundation, &mut followers).await?;
        doors.push(Door::of_provider(&settings, router).await?);
        values = Some(own);
    }
    if foundation.made_admin_key {
        out.line("made the admin key")?;
        out.line(format!(
            "mint a token with: assay admin token --data-dir {} --role admin",
            settings.server.data_dir.display()
        ))?;
    }
    let refresher = match (&service, settings.collateral.refresh_interval_seconds) {
        (Some(built), seconds @ 1..) => Some(built.collateral.spawn_refresher(Duration::from_secs(seconds))),
        _ => None,
    };
    let mut beside = JoinSet::new();
    let mut parts: Vec<Box<dyn Reloadable>> = vec![
        Box::new(reload::Log(Arc::clone(&guard))),
        Box::new(reload::Sampling(Arc::clone(&guard))),
        Box::new(reload::Clients(Arc::clone(&foundation.authority))),
    ];
    if let Some(values) = values {
        parts.push(Box::new(reload::CorimSigners(values)));
    }
    for door in &doors {
        door.announce(out)?;
        door.keep_house(&mut beside, doors.len() == 1);
        parts.extend(door.limits());
    }
    // Last: their steps read the files once more, and so are the only ones that can still fail.
    parts.extend(doors.iter().filter_map(|door| door.tls_parts(&settings)));
    let following = followers.spawn(&foundation.store);
    let limits = Limits {
        connections: settings.limits.connections,
        drain: Duration::from_secs(settings.server.drain_seconds),
        ..Limits::default()
    };
    let reloader = Reloader::new(read, config, settings, parts, process);
    let reloading = tokio::spawn(reloader.run(hangup));
    let serving =
        futures_util::future::join_all(doors.into_iter().map(|door| door.serve(limits, shutdown.draining())));
    tokio::select! {
        _ = serving => {}
        () = shutdown.cut() => tracing::warn!("told twice to stop: requests under way are cut off"),
    }
    reloading.abort();
    beside.shutdown().await;
    following.abort();
    drop(refresher);
    if let Err(error) = foundation.audit.close().await {
        tracing::error!(%error, "the end of the audit log could not be written");
    }
    // Requests that were cut off may still hold connections to the store.
    let closing = foundation.store.close();
    tokio::select! {
        () = closing => {}
        () = async { shutdown.cut().await; tokio::time::sleep(LAST_WORDS).await } => {}
    }
    tracing::info!("stopped");
    guard.shutdown(LAST_WORDS).await;
    Ok(Exit::Success)
}

/// Opens the doors of the part, that of the key broker first.
async fn open(
    settings: &Settings,
    part: Part,
    foundation: &Foundation,
    service: Option<&BuiltService>,
    followers: &mut Followers,
) -> anyhow::Result<Vec<Door>> {
    let mut doors = Vec::new();
    if matches!(part, Part::All | Part::Kbs) {
        let local = service.map(|built| Arc::clone(&built.service));
        let broker = server::key_broker(settings, foundation, local, followers).await?;
        doors.push(Door::of_broker(settings, broker).await?);
    }
    let own = &settings.attestation_service;
    if let Some(built) = service
        && (part == Part::As || own.listen.is_some())
    {
        let faces = server::faces(settings, foundation, built).await?;
        doors.push(Door::of_service(settings, faces).await?);
    }
    Ok(doors)
}
