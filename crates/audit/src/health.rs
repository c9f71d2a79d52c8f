//! Whether the log can be written at the moment.

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
pub(crate) struct Health(Mutex<State>);

impl Health {
    pub(crate) fn new() -> Self {
        Health(Mutex::new(State::Well))
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
