//! Whether everything that the process needs is there.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use assay_types::{Coded, Fault};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long an answer is good: probes, however many, cannot be used to make load.
const REMEMBERED: Duration = Duration::from_secs(1);

/// How long one dependency may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// A dependency that is not there, in words for everybody: no address, no message of anybody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unready {
    /// The dependency's name.
    pub name: &'static str,
    /// The code of its error.
    pub code: &'static str,
    /// What is the matter.
    pub reason: &'static str,
}

/// What was found when all were asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every dependency that is not there, in the order in which they were added. Empty when ready.
    pub failing: Vec<Unready>,
    /// Whether the process is about to end.
    pub stopping: bool,
}

impl Report {
    /// Whether requests may come.
    pub fn is_ready(&self) -> bool {
        self.failing.is_empty() && !self.stopping
    }
}

/// The outcome of one check: the code of its error and who is at fault.
type Outcome = Result<(), (&'static str, Fault)>;
type Asking = Pin<Box<dyn Future<Output = Outcome> + Send>>;

struct Check {
    name: &'static str,
    ask: Box<dyn Fn() -> Asking + Send + Sync>,
}

struct Inner {
    checks: RwLock<Vec<Arc<Check>>>,
    stopping: AtomicBool,
    remembered: Duration,
    deadline: Duration,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
}

/// The dependencies of a process, asked together. A clone is another handle of the same.
#[derive(Clone)]
pub struct Readiness {
    inner: Arc<Inner>,
}

impl Default for Readiness {
    /// Answers are good for one second; a dependency may take two.
    fn default() -> Self {
        Readiness::new(REMEMBERED, DEADLINE)
    }
}

impl Readiness {
    /// With answers that are good for `remembered`, and `deadline` for each dependency.
    pub fn new(remembered: Duration, deadline: Duration) -> Self {
        let inner = Inner {
            checks: RwLock::default(),
            stopping: AtomicBool::new(false),
            remembered,
            deadline,
            last: Mutex::new(None),
        };
        Readiness { inner: Arc::new(inner) }
    }

    /// Asks `check` too from now on. Its error goes into the log in full; callers learn its code.
    pub fn add<F, A, E>(&self, name: &'static str, check: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), E>> + Send + 'static,
        E: Coded + Send,
    {
        let ask = move || -> Asking {
            let asking = check();
            Box::pin(async move {
                asking.await.map_err(|error| {
                    tracing::debug!(name, code = error.code(), %error, "a dependency is not ready");
                    (error.code(), error.fault())
                })
            })
        };
        let mut checks = self.inner.checks.write().unwrap_or_else(PoisonError::into_inner);
        checks.push(Arc::new(Check { name, ask: Box::new(ask) }));
    }

    /// The process is about to end: never ready from now on.
    pub fn stop(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether [`Readiness::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Relaxed)
    }

    /// Asks every dependency, all at once; or gives the answer of a moment ago. Who comes while they are
    /// being asked waits for that answer.
    pub async fn report(&self) -> Arc<Report> {
        if self.is_stopping() {
            return Arc::new(Report { failing: Vec::new(), stopping: true });
        }
        let mut last = self.inner.last.lock().await;
        if let Some((when, report)) = last.as_ref()
            && when.elapsed() < self.inner.remembered
        {
            return Arc::clone(report);
        }
        let checks = self.inner.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = checks.iter().map(|check| ask(check, self.inner.deadline));
        let failing = join_all(asked).await.into_iter().flatten().collect();
        let report = Arc::new(Report { failing, stopping: false });
        let before = last.replace((Instant::now(), Arc::clone(&report)));
        if before.is_none_or(|(_, before)| before.failing != report.failing) {
            tell(&report);
        }
        report
    }
}

/// One line in the log for each change.
fn tell(report: &Report) {
    if report.failing.is_empty() {
        tracing::info!("ready: every dependency answers");
    }
    for Unready { name, code, reason } in &report.failing {
        tracing::warn!(name, code, reason, "not ready");
    }
}

async fn ask(check: &Check, deadline: Duration) -> Option<Unready> {
    let (code, reason) = match timeout(deadline, (check.ask)()).await {
        Ok(Ok(())) => return None,
        Ok(Err((code, fault))) => (code, reason(fault)),
        Err(_) => ("TEL-006", "did not answer in time"),
    };
    Some(Unready { name: check.name, code, reason })
}

fn reason(fault: Fault) -> &'static str {
    match fault {
        Fault::Unavailable | Fault::CollateralTransient => "is not available",
        Fault::Unauthenticated | Fault::Forbidden => "does not let this service in",
        _ => "does not work",
    }
}
