//! The session in use: one attestation at a time, renewed ahead of its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_types::UnixTime;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use crate::error::ClientError;
use crate::evidence::EvidenceError;
use crate::handshake::{Guest, Session};
use crate::retry::{RetryPolicy, Waiting, retrying};

/// How long a renewal that failed is not tried again while the old token is still valid.
const RENEWAL_PAUSE: i64 = 10;
/// How old a session is at least, in seconds, before a denial makes the next call attest anew.
const DENIAL_PAUSE: i64 = 10;
/// The longest total deadline; a longer one would be none.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3600);

/// How fresh a session must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// Valid now is enough: it is used at once. A renewal that is due runs meanwhile.
    Valid,
    /// A renewal that is due is waited for: the token is handed on. When it fails, the old token
    /// still does, unless the guest was denied.
    Ahead,
}

type Flight = Shared<BoxFuture<'static, Result<Arc<Session>, ClientError>>>;

/// Attests and remembers.
pub(crate) struct Sessions {
    pub(crate) guest: Guest,
    pub(crate) policy: RetryPolicy,
    pub(crate) waiting: Arc<dyn Waiting>,
    /// How long before a token's end it is renewed, at most; a quarter of its life where that is less.
    pub(crate) refresh_ahead: Duration,
    pub(crate) state: Mutex<State>,
}

/// An attestation that callers wait for together.
struct UnderWay {
    number: u64,
    flight: Flight,
    gives_up: Instant,
}

#[derive(Default)]
pub(crate) struct State {
    session: Option<Arc<Session>>,
    /// The attestation under way.
    flight: Option<UnderWay>,
    /// How many were begun; the number of the last one.
    flights: u64,
    /// Counts the times that everything so far was forgotten: what was begun before does not count after.
    generation: u64,
    renew_not_before: Option<UnixTime>,
}

impl Sessions {
    /// The end of a call that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.policy.deadline.min(LONGEST_DEADLINE)
    }

    /// A session that is as wanted and not `refused`, which a server did not accept.
    pub(crate) async fn get(
        self: &Arc<Self>,
        want: Want,
        refused: Option<&Arc<Session>>,
    ) -> Result<Arc<Session>, ClientError> {
        let (flight, valid) = {
            let mut state = self.state();
            let now = self.guest.clock.now();
            let valid = state
                .session
                .clone()
                .filter(|session| refused.is_none_or(|refused| !Arc::ptr_eq(refused, session)))
                .filter(|session| now < session.token.ends());
            if let Some(session) = &valid {
                let paused = state.renew_not_before.is_some_and(|time| now < time);
                if now < self.renewal(session) || paused {
                    return Ok(Arc::clone(session));
                }
            }
            let generation = state.generation;
            // One that is about to give up is for those who wait already.
            let flight = match &state.flight {
                Some(under_way) if Instant::now() < under_way.gives_up => under_way.flight.clone(),
                _ => {
                    let number = state.flights.wrapping_add(1);
                    let flight = self.begin(generation, number);
                    let gives_up = self.deadline();
                    state.flights = number;
                    state.flight = Some(UnderWay { number, flight: flight.clone(), gives_up });
                    flight
                }
            };
            (flight, valid)
        };
        match (want, valid) {
            (Want::Valid, Some(session)) => Ok(session),
            (_, Some(session)) => match flight.await {
                Err(error) if !matches!(error, ClientError::Denied { .. }) => Ok(session),
                renewed => renewed,
            },
            (_, None) => flight.await,
        }
    }

    /// A new session, by a handshake of its own.
    pub(crate) async fn attest(&self) -> Result<Arc<Session>, ClientError> {
        let (deadline, generation) = (self.deadline(), self.state().generation);
        let attempt = || self.guest.attest(deadline);
        let session = Arc::new(retrying(&self.policy, &*self.waiting, deadline, attempt).await?);
        let mut state = self.state();
        if state.generation == generation {
            state.session = Some(Arc::clone(&session));
        }
        Ok(session)
    }

    /// Forgets the session, and one that is under way: the guest is no longer what they say. Whoever waits
    /// already still gets the latter.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.generation = state.generation.wrapping_add(1);
        state.session = None;
        state.flight = None;
        state.renew_not_before = None;
    }

    /// Forgets this session after a policy said no to it, unless it is new: the next call asks with fresh
    /// evidence, as what the server knows of the guest may have changed. A caller that asks on and on causes
    /// no more than one attestation in [`DENIAL_PAUSE`] seconds.
    pub(crate) fn forget_denied(&self, session: &Arc<Session>) {
        let mut state = self.state();
        let old = session.token.asked().plus(DENIAL_PAUSE) <= self.guest.clock.now();
        if old && state.session.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, session)) {
            state.session = None;
        }
    }

    /// Begins the attestation that all callers share. It runs as a task of its own, so that a caller
    /// that goes away does not end it for the others.
    fn begin(self: &Arc<Self>, generation: u64, number: u64) -> Flight {
        let sessions = Arc::clone(self);
        let task = tokio::spawn(async move {
            let landing = Landing(&sessions, number);
            let result = landing.0.attest().await;
            let mut state = landing.0.state();
            if state.generation != generation {
                return result;
            }
            state.renew_not_before = None;
            match &result {
                Ok(_) => {}
                // What the guest is now is not acceptable: what it was before does not count.
                Err(ClientError::Denied { .. }) => state.session = None,
                Err(_) => state.renew_not_before = Some(landing.0.guest.clock.now().plus(RENEWAL_PAUSE)),
            }
            drop(state);
            result
        });
        async move {
            task.await.unwrap_or_else(|error| {
                Err(ClientError::Evidence(EvidenceError::new(format!(
                    "the attestation was cut off: {error}"
                ))))
            })
        }
        .boxed()
        .shared()
    }

    fn renewal(&self, session: &Session) -> UnixTime {
        let ahead = i64::try_from(self.refresh_ahead.as_secs()).unwrap_or(i64::MAX);
        session.token.ends().plus(ahead.min(session.token.lifetime() / 4).saturating_neg())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the next caller begin a new attestation, however this one ends.
struct Landing<'a>(&'a Arc<Sessions>, u64);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        // The one there may be a later one.
        if state.flight.as_ref().is_some_and(|under_way| under_way.number == self.1) {
            state.flight = None;
        }
    }
}
