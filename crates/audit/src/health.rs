//! Whether the log can be written at the moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::AuditError;

#[derive(Debug)]
enum State {
    Well,
    /// Since when, and why.
    Failing(Instant, String),
    /// Nothing but a new chain helps.
    Taken,
}

/// What the writer says of itself.
#[derive(Debug)]
pub(crate) struct Health {
    state: Mutex<State>,
    records: AtomicU64,
    failures: AtomicU64,
}

impl Health {
    pub(crate) fn new() -> Self {
        Health { state: Mutex::new(State::Well), records: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }

    /// That many records were written.
    pub(crate) fn wrote(&self, records: usize) {
        self.records.fetch_add(u64::try_from(records).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many records were written, and how many attempts failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.records.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// A flush succeeded. True when one had failed before.
    pub(crate) fn well(&self) -> bool {
        let mut state = self.state();
        let failed = matches!(*state, State::Failing(..));
        *state = State::Well;
        failed
    }

    /// A flush failed. True when it is the first failure in a row.
    pub(crate) fn failing(&self, why: String) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let since = match &*state {
            State::Failing(since, _) => *since,
            State::Taken => return false,
            State::Well => Instant::now(),
        };
        let first = matches!(*state, State::Well);
        *state = State::Failing(since, why);
        first
    }

    pub(crate) fn taken(&self) {
        *self.state() = State::Taken;
    }

    /// Whether appends make sense: no failure, or none that lasts longer than `grace`.
    pub(crate) fn check(&self, grace: Duration) -> Result<(), AuditError> {
        match &*self.state() {
            State::Failing(since, why) if since.elapsed() >= grace => {
                Err(AuditError::Unavailable { why: why.clone() })
            }
            State::Taken => Err(AuditError::ChainTaken),
            State::Well | State::Failing(..) => Ok(()),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
