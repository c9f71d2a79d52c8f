//! Several addresses of one service, and which of them is spoken to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::{Connection, Trouble, protocol};
use crate::error::Attempt;

/// The most addresses that one service may have.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// The addresses of one service, whose replicas share keys and store. The one that answered last is
/// asked first.
pub(crate) struct Addresses {
    connections: Vec<Connection>,
    current: AtomicUsize,
}

impl Addresses {
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        Addresses { connections, current: AtomicUsize::new(0) }
    }

    /// All base URLs, separated by commas.
    pub(crate) fn shown(&self) -> String {
        let urls: Vec<&str> = self.connections.iter().map(|one| one.base().as_str()).collect();
        urls.join(", ")
    }

    /// Does `once` at the address that answered last; at the next where it cannot be reached, cannot
    /// answer now or has no acceptable certificate, each address at most once and none after the
    /// deadline. Whatever else an address says is the answer: a denial is not taken elsewhere.
    ///
    /// Where all fail, their outcomes are reported together: as passing if one of them is.
    pub(crate) async fn at_one<'a, T, F>(
        &'a self,
        deadline: Instant,
        once: impl Fn(&'a Connection) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let count = self.connections.len();
        let first = self.current.load(Ordering::Relaxed);
        let mut failures = Failures::default();
        for (index, connection) in self.connections.iter().enumerate().cycle().skip(first).take(count) {
            if !failures.attempts.is_empty() && Instant::now() >= deadline {
                break;
            }
            match once(connection).await {
                Err(trouble @ (Trouble::Passing { .. } | Trouble::Certificate { .. })) => {
                    if count == 1 {
                        return Err(trouble);
                    }
                    failures.add(connection, trouble);
                }
                done => {
                    if index != first {
                        tracing::info!(url = connection.base().as_str(), "another address is used now");
                        self.current.store(index, Ordering::Relaxed);
                    }
                    return done;
                }
            }
        }
        Err(failures.into())
    }
}

/// How the addresses failed, in the order in which they were asked.
#[derive(Default)]
struct Failures {
    attempts: Vec<Attempt>,
    passing: bool,
    retry_after: Option<Duration>,
}

impl Failures {
    fn add(&mut self, connection: &Connection, trouble: Trouble) {
        let url = connection.base().as_str();
        let at = |what: String| format!("{what} at {url}");
        match trouble {
            Trouble::Passing { attempts, retry_after } => {
                self.passing = true;
                // What each of them asks for is kept to by waiting for the longest.
                self.retry_after = self.retry_after.max(retry_after);
                let attempts = attempts.into_iter();
                self.attempts.extend(attempts.map(|one| Attempt { what: at(one.what), ..one }));
            }
            Trouble::Certificate { what, detail } => {
                tracing::warn!(url, detail, "this address is passed over");
                self.attempts.push(Attempt { what: at(what), outcome: detail });
            }
            Trouble::Unauthenticated { .. } | Trouble::Final(_) => {}
        }
    }
}

impl From<Failures> for Trouble {
    fn from(failures: Failures) -> Self {
        let Failures { attempts, passing, retry_after } = failures;
        if passing {
            return Trouble::Passing { attempts, retry_after };
        }
        // Only certificates: waiting makes none of them better.
        let all: Vec<String> =
            attempts.iter().map(|attempt| format!("{}: {}", attempt.what, attempt.outcome)).collect();
        protocol("every address", all.join("; ")).into()
    }
}
