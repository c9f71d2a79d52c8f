//! The way into the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use assay_store::Store;
use assay_types::Clock;
use tokio::sync::{mpsc, oneshot};

use crate::backend::{Backend, InStore};
use crate::health::Health;
use crate::occasional::Occasional;
use crate::writer::{self, Command, Entry};
use crate::{AuditError, ChainId, Event, Kind, Outcome};

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// How many records may wait to be written. 4096.
    pub queue: usize,
    /// How long to wait for a place in the queue, and for a record to be durable. 10 seconds.
    pub patience: Duration,
    /// How long the store may fail before appends fail at once and [`AuditLog::check`] says so. 5 seconds.
    pub grace: Duration,
    /// How long records that nobody waits for are gathered. 100 milliseconds.
    pub linger: Duration,
    /// How long one attempt to write may take before it is made again. 15 seconds.
    pub attempt: Duration,
    /// How often the heads of other chains are quoted, if they have grown. One hour.
    pub quote: Duration,
    /// Whether [`AuditLog::append_decision`] waits until the record is durable. No.
    pub decisions_wait: bool,
    /// How many events of [`AuditLog::append_occasional`] are recorded a minute. 60.
    pub occasional_per_minute: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        AuditSettings {
            queue: 4096,
            patience: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            linger: Duration::from_millis(100),
            attempt: Duration::from_secs(15),
            quote: Duration::from_secs(3600),
            decisions_wait: false,
            occasional_per_minute: 60,
        }
    }
}

/// A log that is being written. A clone is another handle of the same chain.
///
/// Dropping the last handle writes what waits and ends the chain without a word; [`AuditLog::close`]
/// ends it in good order.
#[derive(Clone)]
pub struct AuditLog {
    inner: Arc<Inner>,
}

/// The numbers of an audit log since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCounts {
    /// Records written.
    pub records: u64,
    /// Records that wait to be written.
    pub waiting: u64,
    /// Attempts to write that failed.
    pub failures: u64,
}

struct Inner {
    chain: ChainId,
    queue: mpsc::Sender<Command>,
    health: Arc<Health>,
    settings: AuditSettings,
    clock: Arc<dyn Clock>,
    occasional: Occasional,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditLog({})", self.inner.chain)
    }
}

impl AuditLog {
    /// Begins a chain of its own for this process, which quotes the heads of all others. `process` says
    /// what it is, such as `assay 0.1.0 kbs`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the store cannot be read or written: nothing is done that cannot be recorded.
    pub async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        settings: AuditSettings,
        process: &str,
    ) -> Result<AuditLog, AuditError> {
        let backend = InStore { store, clock: Arc::clone(&clock) };
        AuditLog::start(Arc::new(backend), clock, settings, process).await
    }

    pub(crate) async fn start<B: Backend>(
        backend: Arc<B>,
        clock: Arc<dyn Clock>,
        settings: AuditSettings,
        process: &str,
    ) -> Result<AuditLog, AuditError> {
        let health = Arc::new(Health::new());
        let begun =
            writer::begin(backend, Arc::clone(&clock), settings, process, Arc::clone(&health)).await?;
        let inner = Inner {
            chain: begun.chain,
            queue: begun.queue,
            health,
            settings,
            clock,
            occasional: Occasional::new(settings.occasional_per_minute),
        };
        Ok(AuditLog { inner: Arc::new(inner) })
    }

    /// The chain of this process.
    pub fn chain(&self) -> ChainId {
        self.inner.chain
    }

    /// Records the event; returns once the record is durable.
    ///
    /// # Errors
    /// Whatever the error, what was to be recorded must not take effect. The record may be written yet
    /// ([`AuditError::TooSlow`]).
    pub async fn append(&self, event: Event) -> Result<(), AuditError> {
        let (done, is_done) = oneshot::channel();
        self.enqueue(event, Some(done)).await?;
        let patience = self.inner.settings.patience;
        match tokio::time::timeout(patience, is_done).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(AuditError::Closed),
            Err(_) => Err(AuditError::TooSlow { seconds: patience.as_secs() }),
        }
    }

    /// Records the event; returns once the record has a place in the queue. It is written at once when
    /// nothing else is, else after a tenth of a second at the latest. The death of the process in
    /// between loses it.
    ///
    /// # Errors
    /// As [`AuditLog::append`].
    pub async fn append_soon(&self, event: Event) -> Result<(), AuditError> {
        self.enqueue(event, None).await
    }

    /// Records a release or denial: as [`AuditLog::append`] or [`AuditLog::append_soon`], as the
    /// settings say.
    ///
    /// # Errors
    /// As [`AuditLog::append`].
    pub async fn append_decision(&self, event: Event) -> Result<(), AuditError> {
        if self.inner.settings.decisions_wait {
            self.append(event).await
        } else {
            self.append_soon(event).await
        }
    }

    /// Records an event that strangers can cause as often as they like: so many a minute, and the next
    /// record says how many were left out. It is about something refused already, so an error is only
    /// logged.
    pub async fn append_occasional(&self, event: Event) {
        let Some(suppressed) = self.inner.occasional.pass(Instant::now()) else { return };
        if let Err(error) = self.append_soon(Event { suppressed, ..event }).await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    /// Whether records are taken, for readiness.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), AuditError> {
        if self.inner.queue.is_closed() {
            return Err(AuditError::Closed);
        }
        self.inner.health.check(self.inner.settings.grace)?;
        if self.inner.queue.capacity() == 0 { Err(AuditError::QueueFull) } else { Ok(()) }
    }

    /// How many records were written, how many wait, and how many attempts to write failed.
    pub fn counts(&self) -> AuditCounts {
        let (records, failures) = self.inner.health.counts();
        let waiting = self.inner.queue.max_capacity().saturating_sub(self.inner.queue.capacity());
        AuditCounts { records, waiting: u64::try_from(waiting).unwrap_or(u64::MAX), failures }
    }

    /// Reads the signing key again: it was rotated. Returns when the writer knows.
    pub async fn reload_keys(&self) {
        let _closed = self.inner.queue.send_timeout(Command::ReloadKey, self.inner.settings.patience).await;
    }

    /// Writes what waits and ends the chain. Later appends fail with [`AuditError::Closed`].
    ///
    /// # Errors
    /// When what waits could not be written in time; it is lost then.
    pub async fn close(&self) -> Result<(), AuditError> {
        let stopped = self.append(Event::new(Kind::ChainStop, Outcome::Ok)).await;
        let (done, is_done) = oneshot::channel();
        let patience = self.inner.settings.patience;
        if self.inner.queue.send_timeout(Command::Close(done), patience).await.is_ok() {
            let _ended = tokio::time::timeout(patience, is_done).await;
        }
        stopped
    }

    async fn enqueue(
        &self,
        event: Event,
        done: Option<oneshot::Sender<Result<(), AuditError>>>,
    ) -> Result<(), AuditError> {
        let Inner { queue, health, settings, clock, .. } = &*self.inner;
        health.check(settings.grace)?;
        let command = Command::Append(Entry { event: Box::new(event), time: clock.now(), done });
        queue.send_timeout(command, settings.patience).await.map_err(|error| match error {
            mpsc::error::SendTimeoutError::Timeout(_) => AuditError::QueueFull,
            mpsc::error::SendTimeoutError::Closed(_) => AuditError::Closed,
        })
    }
}
