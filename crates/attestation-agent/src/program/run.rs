//! Serving.

use std::io::IsTerminal as _;
use std::process::ExitCode;

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
    runtime.block_on(async {
        // Before anything can be told to end, the ear for it stands.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let (stop, stopped) = watch::channel(false);
        let serving = start::serve(&settings, stopped).await?;
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map(|()| ExitCode::SUCCESS),
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        tracing::info!("ending");
        notify::stopping();
        stop.send_replace(true);
        serving.await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn log(config: &LogConfig) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.level)
        .map_err(|error| anyhow::anyhow!("log.level is {:?}: {error}", config.level))?;
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
