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

#[derive(Default)]
pub(crate) struct State {
    session: Option<Arc<Session>>,
    flight: Option<Flight>,
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
            let flight = state.flight.get_or_insert_with(|| self.begin()).clone();
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
        let deadline = self.deadline();
        let attempt = || self.guest.attest(deadline);
        let session = Arc::new(retrying(&self.policy, &*self.waiting, deadline, attempt).await?);
        self.state().session = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Begins the attestation that all callers share. It runs as a task of its own, so that a caller
    /// that goes away does not end it for the others.
    fn begin(self: &Arc<Self>) -> Flight {
        let sessions = Arc::clone(self);
        let task = tokio::spawn(async move {
            let landing = Landing(&sessions);
            let result = landing.0.attest().await;
            let mut state = landing.0.state();
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
struct Landing<'a>(&'a Arc<Sessions>);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.state().flight = None;
    }
}
