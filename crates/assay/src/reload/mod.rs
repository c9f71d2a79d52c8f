//! What is taken up while the server runs: on SIGHUP, and when the content of the configuration or of a file
//! that it names has changed.
//!
//! A reload is all or nothing: everything is read and checked first, then put in force. Keys that cannot
//! change while the server runs are named in a warning and keep their value. Whatever is wrong is said, and
//! nothing changes.

mod keys;
mod parts;
#[cfg(test)]
mod tests;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use assay_telemetry::ProcessMetrics;
use tokio::signal::unix::Signal;

use crate::settings::Settings;

pub(crate) use keys::is_hot;
pub(crate) use parts::{Clients, CorimSigners, Limits, Log, Sampling, Tls};

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// What is left to do when everything was found good.
pub(crate) type Step = Box<dyn FnOnce() -> anyhow::Result<()> + Send>;

/// Something that can change while the server runs.
pub(crate) trait Reloadable: Send {
    /// The files it is read from, beside the configuration.
    fn files(&self, settings: &Settings) -> Vec<PathBuf>;

    /// Reads and checks; nothing changes until the step is taken.
    ///
    /// # Errors
    /// Whatever is wrong, with the name of the file or the key.
    fn prepare(&self, settings: &Settings) -> anyhow::Result<Step>;
}

/// The configuration and files of a running server.
pub(crate) struct Reloader {
    read: Box<dyn Fn() -> anyhow::Result<Settings> + Send>,
    file: Option<PathBuf>,
    in_force: Settings,
    parts: Vec<Box<dyn Reloadable>>,
    metrics: ProcessMetrics,
    watch: watch::Watch,
}

impl Reloader {
    /// `read` reads the configuration again, as it was read at the start; `file` is the file of it, if there
    /// is one, and `in_force` what was read.
    pub(crate) fn new(
        read: impl Fn() -> anyhow::Result<Settings> + Send + 'static,
        file: Option<PathBuf>,
        in_force: Settings,
        parts: Vec<Box<dyn Reloadable>>,
        metrics: ProcessMetrics,
    ) -> Self {
        let mut reloader =
            Reloader { read: Box::new(read), file, in_force, parts, metrics, watch: watch::Watch::default() };
        reloader.note();
        reloader
    }

    /// Reloads on each SIGHUP, and when a file has changed; never ends.
    pub(crate) async fn run(mut self, mut hangup: Signal) {
        loop {
            let asked = tokio::select! {
                asked = hangup.recv() => asked.is_some(),
                () = tokio::time::sleep(INTERVAL) => false,
            };
            // Files are read, and keys: not on a thread that serves requests.
            let work = tokio::task::spawn_blocking(move || {
                if asked || self.watch.has_changed() {
                    // What is wrong is in the log.
                    let _ = self.reload();
                }
                self
            });
            match work.await {
                Ok(reloader) => self = reloader,
                Err(_) => {
                    return tracing::error!("reloading ended: from now on only a restart takes up changes");
                }
            }
        }
    }

    /// One reload; what is wrong is returned and stands in the log.
    fn reload(&mut self) -> anyhow::Result<()> {
        // Before anything is read: what changes meanwhile is found changed next time.
        self.note();
        let result = self.take_up();
        self.metrics.reloaded(result.is_ok());
        match &result {
            Ok(()) => tracing::info!("the configuration and the files that it names were read again"),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the reload failed; everything stays as it was");
            }
        }
        // Other files, perhaps.
        self.note();
        result
    }

    fn take_up(&mut self) -> anyhow::Result<()> {
        let found = (self.read)()?;
        let (next, cold) = keys::merged(&self.in_force, &found)?;
        next.check()?;
        let steps: Vec<Step> =
            self.parts.iter().map(|part| part.prepare(&next)).collect::<anyhow::Result<_>>()?;
        for key in cold {
            tracing::warn!(key, "was changed; that takes effect at the next start");
        }
        for step in steps {
            step().context("a step of the reload that had been checked")?;
        }
        self.in_force = next;
        Ok(())
    }

    fn note(&mut self) {
        let files = self.parts.iter().flat_map(|part| part.files(&self.in_force));
        self.watch.note(self.file.iter().cloned().chain(files));
    }
}
