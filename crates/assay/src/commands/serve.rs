//! `assay serve`: the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_listener::TlsIdentity;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) fn run(args: &ServeArgs, out: Output) -> anyhow::Result<Exit> {
    let settings = settings(args)?;
    logging(&settings)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(&settings, out))
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

async fn serve(settings: &Settings, out: Output) -> anyhow::Result<Exit> {
    // Before anything is said to be ready: whoever reads that may ask to stop at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let built = crate::server::build(settings).await?;
    let listener = TcpListener::bind(settings.server.listen)
        .await
        .with_context(|| format!("listening on {}", settings.server.listen))?;
    let addr = listener.local_addr()?;
    let tls = match (&settings.server.tls_certificate, &settings.server.tls_key) {
        (Some(certificate), Some(key)) if !settings.server.http => {
            Some(Arc::new(match &settings.server.client_ca {
                Some(authorities) => TlsIdentity::load_with_clients(certificate, key, authorities, false)?,
                None => TlsIdentity::load(certificate, key)?,
            }))
        }
        _ => None,
    };
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
    if let Some(identity) = &tls {
        tokio::spawn(reload_on_hangup(Arc::clone(identity), signal(SignalKind::hangup())?));
    }
    let refresher = match settings.collateral.refresh_interval_seconds {
        0 => None,
        seconds => Some(built.collateral.spawn_refresher(Duration::from_secs(seconds))),
    };
    let broker = built.broker.clone();
    let housekeeping = tokio::spawn(async move { broker.housekeeping().await });
    assay_key_broker_service::serve(&built.broker, listener, tls, shutdown).await;
    housekeeping.abort();
    drop(refresher);
    built.store.close().await;
    tracing::info!("stopped");
    Ok(Exit::Success)
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
