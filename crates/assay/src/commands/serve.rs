//! `assay serve`: the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_listener::{Limits, TlsIdentity};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::{Part, ServeArgs};
use crate::doors::Door;
use crate::exit::Exit;
use crate::output::Output;
use crate::server::{self, BuiltService, Foundation};
use crate::settings::Settings;

pub(crate) fn run(args: &ServeArgs, out: Output) -> anyhow::Result<Exit> {
    let settings = settings(args)?;
    logging(&settings)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(&settings, args.part, out))
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
        Part::Rvps => {}
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

fn logging(settings: &Settings) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&settings.log.level).context("log.level")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if settings.log.json {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}

async fn serve(settings: &Settings, part: Part, out: Output) -> anyhow::Result<Exit> {
    // Before anything is said to be ready: whoever reads that may ask to stop at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    anyhow::ensure!(part != Part::Rvps, "this program cannot run the reference value provider alone yet");
    let foundation = server::foundation(settings).await?;
    let service = match part {
        Part::All | Part::As => Some(server::attestation_service(settings, &foundation).await?),
        Part::Kbs | Part::Rvps => None,
    };
    let doors = open(settings, part, &foundation, service.as_ref()).await?;
    if foundation.made_admin_key {
        out.line("made the admin key")?;
        out.line(format!(
            "mint a token with: assay admin token --data-dir {} --role admin",
            settings.server.data_dir.display()
        ))?;
    }
    let mut beside = JoinSet::new();
    for door in &doors {
        door.announce(out)?;
        if let Some(identity) = &door.tls {
            beside.spawn(reload_on_hangup(Arc::clone(identity), signal(SignalKind::hangup())?));
        }
        door.keep_house(&mut beside, doors.len() == 1);
    }
    let refresher = match (&service, settings.collateral.refresh_interval_seconds) {
        (Some(built), seconds @ 1..) => Some(built.collateral.spawn_refresher(Duration::from_secs(seconds))),
        _ => None,
    };
    let (stop, stopped) = watch::channel(());
    let limits = Limits {
        connections: settings.limits.connections,
        drain: Duration::from_secs(settings.server.drain_seconds),
        ..Limits::default()
    };
    let serving =
        futures_util::future::join_all(doors.into_iter().map(|door| door.serve(limits, stopped.clone())));
    let stopping = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        drop(stop);
    };
    tokio::join!(serving, stopping);
    beside.shutdown().await;
    drop(refresher);
    foundation.store.close().await;
    tracing::info!("stopped");
    Ok(Exit::Success)
}

/// Opens the doors of the part, that of the key broker first.
async fn open(
    settings: &Settings,
    part: Part,
    foundation: &Foundation,
    service: Option<&BuiltService>,
) -> anyhow::Result<Vec<Door>> {
    let mut doors = Vec::new();
    if matches!(part, Part::All | Part::Kbs) {
        let local = service.map(|built| Arc::clone(&built.service));
        let broker = server::key_broker(settings, foundation, local).await?;
        doors.push(Door::of_broker(settings, broker).await?);
    }
    let own = &settings.attestation_service;
    if let Some(built) = service
        && (part == Part::As || own.listen.is_some())
    {
        let faces = server::faces(settings, foundation, built).await?;
        doors.push(Door::of_service(own, faces).await?);
    }
    Ok(doors)
}

/// SIGHUP: the certificate was renewed.
async fn reload_on_hangup(identity: Arc<TlsIdentity>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        match identity.reload() {
            Ok(()) => tracing::info!("the TLS files were read again"),
            Err(error) => {
                tracing::error!(%error, "the TLS files cannot be used; what was read before stays in use")
            }
        }
    }
}
