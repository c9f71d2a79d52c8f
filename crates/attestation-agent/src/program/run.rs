//! Serving.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::cli::AgentArgs;
use super::start;
use crate::notify;
use crate::settings::LogConfig;

/// Threads of the runtime. The agent waits more than it computes.
const WORKERS: usize = 2;

pub(super) fn run(args: &AgentArgs) -> anyhow::Result<ExitCode> {
    let settings = start::settings(args)?;
    log(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let done = runtime.block_on(async {
        // Before anything can be told to end, the ear for it stands.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let (stop, stopped) = watch::channel(false);
        let told = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {}
            }
        };
        tokio::pin!(told);
        let serving = tokio::select! {
            serving = start::serve(&settings, stopped) => serving?,
            // Devices may take their time at the start, too.
            () = &mut told => return Ok(ExitCode::SUCCESS),
        };
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map(|()| ExitCode::SUCCESS),
            () = &mut told => {}
        }
        tracing::info!("ending");
        notify::stopping();
        stop.send_replace(true);
        serving.await?;
        Ok(ExitCode::SUCCESS)
    });
    // A look-up of a name, or a device, may hang on: the end does not wait for it.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

fn log(config: &LogConfig) -> anyhow::Result<()> {
    // As with the agent that this one replaces, the variable wins over the key.
    let level = std::env::var("RUST_LOG").unwrap_or_else(|_| config.level.clone());
    let filter = tracing_subscriber::EnvFilter::try_new(&level)
        .map_err(|error| anyhow::anyhow!("log.level (or RUST_LOG) is {level:?}: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if config.json {
        builder.json().flatten_event(true).init();
    } else {
        builder.init();
    }
    Ok(())
}
