//! The whole set of a remote provider, followed in the background.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assay_remote::RemoteEndpoint;
use assay_types::{Coded as _, ReferenceValueSnapshot as _};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::read::SetReader;
use crate::ReferenceValueError;
use crate::proto::assay_v1::GetSetRequest;
use crate::snapshot::Snapshot;

/// A set that follows the provider's as long as this lives.
pub(super) struct WholeSet {
    shared: Arc<Shared>,
    follower: AbortHandle,
}

struct Shared {
    endpoint: RemoteEndpoint,
    max_age: Duration,
    held: watch::Sender<Held>,
    /// Numbers the questions in the order in which they begin.
    questions: AtomicU64,
}

/// What is held. An answer counts only if its question began after that of the set which is held.
#[derive(Default)]
struct Held {
    set: Option<Arc<Snapshot>>,
    /// When the last question that confirmed the set began, and its number.
    confirmed: Option<Instant>,
    question: u64,
    /// How many questions came to an end.
    finished: u64,
    /// What came of the last, where it failed.
    error: Option<ReferenceValueError>,
}

impl fmt::Debug for WholeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeSet").field("set", &self.shared.held.borrow().set).finish_non_exhaustive()
    }
}

impl Drop for WholeSet {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl WholeSet {
    /// Asks every `poll` whether the set has changed.
    pub(super) fn follow(endpoint: RemoteEndpoint, poll: Duration, max_age: Duration) -> Self {
        let (held, questions) = (watch::Sender::default(), AtomicU64::new(0));
        let shared = Arc::new(Shared { endpoint, max_age, held, questions });
        let follower = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut failing = false;
            loop {
                let error = follower.refresh().await.err();
                match &error {
                    Some(error) if !failing => {
                        tracing::warn!(code = error.code(), %error, "the reference values cannot be confirmed");
                    }
                    None if failing => tracing::info!("the reference values are confirmed again"),
                    _ => {}
                }
                failing = error.is_some();
                sleep(poll).await;
            }
        });
        WholeSet { shared, follower: task.abort_handle() }
    }

    /// The set, confirmed no longer ago than allowed. Where it is not, the question under way is waited for.
    pub(super) async fn current(&self) -> Result<Arc<Snapshot>, ReferenceValueError> {
        let mut held = self.shared.held.subscribe();
        let finished = held.borrow().finished;
        let deadline = self.shared.endpoint.settings().deadline;
        let ready = |held: &Held| self.shared.usable(held).is_some() || held.finished > finished;
        let waited = timeout(deadline, held.wait_for(ready)).await.is_ok_and(|wait| wait.is_ok());
        if !waited {
            tracing::debug!("no question for the reference values ended in time");
        }
        self.shared.usable_or_why(&self.shared.held.borrow())
    }

    /// Whether there is a set to work with.
    pub(super) fn check(&self) -> Result<(), ReferenceValueError> {
        self.shared.usable_or_why(&self.shared.held.borrow()).map(|_| ())
    }

    /// The set as it is at the provider now.
    pub(super) async fn newest(&self) -> Result<Arc<Snapshot>, ReferenceValueError> {
        self.shared.refresh().await?;
        self.current().await
    }

    /// The set as it is at the provider now, with versions and origins, which its digest does not cover.
    pub(super) async fn all(&self) -> Result<Arc<Snapshot>, ReferenceValueError> {
        let set = self.shared.fetch(Vec::new()).await?;
        set.ok_or_else(|| self.shared.endpoint.unusable("there is no set").into())
    }

    /// After a change at the provider: what is held has it, if that can be had at once.
    pub(super) async fn catch_up(&self) {
        if let Err(error) = self.shared.refresh().await {
            tracing::debug!(%error, "the change at the provider is not here yet");
        }
    }
}

impl Shared {
    fn usable(&self, held: &Held) -> Option<Arc<Snapshot>> {
        let fresh = held.confirmed.is_some_and(|confirmed| confirmed.elapsed() <= self.max_age);
        held.set.as_ref().filter(|_| fresh).map(Arc::clone)
    }

    fn usable_or_why(&self, held: &Held) -> Result<Arc<Snapshot>, ReferenceValueError> {
        self.usable(held).ok_or_else(|| ReferenceValueError::Stale {
            age: held.confirmed.map(|confirmed| confirmed.elapsed()),
            limit: self.max_age,
            why: held.error.as_ref().map_or_else(
                || "it is being asked for the first time".to_owned(),
                |error| format!("{}: {error}", error.code()),
            ),
        })
    }

    /// Asks whether the set has changed, and takes what has.
    async fn refresh(&self) -> Result<(), ReferenceValueError> {
        let began = Instant::now();
        let question = self.questions.fetch_add(1, Ordering::SeqCst) + 1;
        let known = self.held.borrow().set.clone();
        let digest = known.as_ref().map_or_else(Vec::new, |set| set.digest().as_bytes().to_vec());
        let answer = self.fetch(digest).await;
        let result = answer.as_ref().map(|_| ()).map_err(Clone::clone);
        self.held.send_modify(|held| {
            held.finished += 1;
            match answer {
                Ok(_) if question < held.question => {}
                Ok(set) => {
                    held.set = set.or(known);
                    held.confirmed = Some(began);
                    held.question = question;
                    held.error = None;
                }
                Err(error) => held.error = Some(error),
            }
        });
        result
    }

    /// The set, unless it is the one of the digest `known`.
    async fn fetch(&self, known: Vec<u8>) -> Result<Option<Arc<Snapshot>>, ReferenceValueError> {
        let call = |service| {
            let request = GetSetRequest { known_digest: known.clone() };
            async move { super::assay(service).get_set(request).await }
        };
        let mut parts = self.endpoint.call(true, call).await?;
        let unusable = |why: String| ReferenceValueError::from(self.endpoint.unusable(why));
        let mut reader = SetReader::default();
        while let Some(part) = self.endpoint.next(parts.message()).await? {
            reader.add(part).map_err(unusable)?;
        }
        Ok(reader.finish(&known).map_err(unusable)?.map(Arc::new))
    }
}
