//! The end of a server: first it is not ready any more, then it takes no new connections and finishes what is
//! under way, then it is over.

use std::future::Future;
use std::time::Duration;

use assay_telemetry::Readiness;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Cut,
}

/// How far the end has come.
pub(crate) struct Shutdown {
    phase: watch::Receiver<Phase>,
}

impl Shutdown {
    /// Listens to SIGTERM and SIGINT from now on. With the first one `readiness` says no; `delay` later no new
    /// connections are taken. The second one ends everything at once.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn on_signals(readiness: Readiness, delay: Duration) -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (told, signals) = mpsc::channel(2);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                // A third one has nothing to add.
                let _ = told.try_send(());
            }
        });
        Ok(Shutdown::on(signals, readiness, delay))
    }

    fn on(mut signals: mpsc::Receiver<()>, readiness: Readiness, delay: Duration) -> Self {
        let (told, phase) = watch::channel(Phase::Serving);
        tokio::spawn(async move {
            if signals.recv().await.is_none() {
                return;
            }
            readiness.stop();
            tracing::info!(
                seconds = delay.as_secs(),
                "not ready any more; connections are taken a little longer"
            );
            tokio::select! {
                () = tokio::time::sleep(delay) => {
                    let _ = told.send(Phase::Draining);
                    let _ = signals.recv().await;
                }
                _ = signals.recv() => {}
            }
            let _ = told.send(Phase::Cut);
        });
        Shutdown { phase }
    }

    /// Ready when no more connections are to be taken.
    pub(crate) fn draining(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.reached(Phase::Draining)
    }

    /// Ready when everything is to end at once.
    pub(crate) fn cut(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.reached(Phase::Cut)
    }

    fn reached(&self, wanted: Phase) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut phase = self.phase.clone();
        async move {
            // Nobody is left who could tell: it never comes.
            if phase.wait_for(|phase| *phase >= wanted).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    async fn until_stopping(readiness: &Readiness) {
        while !readiness.is_stopping() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn not_ready_comes_before_the_drain_and_the_second_signal_cuts() {
        let readiness = Readiness::default();
        let (signal, signals) = mpsc::channel(2);
        let shutdown = Shutdown::on(signals, readiness.clone(), Duration::ZERO);
        assert!(!readiness.is_stopping());
        assert!(shutdown.draining().now_or_never().is_none());
        signal.send(()).await.unwrap();
        shutdown.draining().await;
        assert!(readiness.is_stopping());
        assert!(shutdown.cut().now_or_never().is_none());
        signal.send(()).await.unwrap();
        shutdown.cut().await;
        // And what asks later is told too.
        shutdown.draining().await;
    }

    #[tokio::test]
    async fn during_the_delay_connections_are_still_taken() {
        let readiness = Readiness::default();
        let (signal, signals) = mpsc::channel(2);
        let shutdown = Shutdown::on(signals, readiness.clone(), LONG);
        signal.send(()).await.unwrap();
        until_stopping(&readiness).await;
        assert!(shutdown.draining().now_or_never().is_none());
        // The second signal does not wait for the delay.
        signal.send(()).await.unwrap();
        shutdown.cut().await;
        shutdown.draining().await;
    }
}
