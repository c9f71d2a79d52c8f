//! The device's thread: everything that touches the platform happens on it, one call after the other, with a
//! deadline for each, so that no request waits on a device inside the runtime and no two disturb each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use assay_attester::Attester;
use tokio::sync::oneshot;

use crate::error::AgentError;
use crate::measurement::Measurements;

/// The greatest number of calls that wait for the device.
const MAX_WAITING: usize = 64;
/// A call that has less time left than this is not begun.
const LEAST: Duration = Duration::from_millis(20);
/// What a caller waits longer than the device is given, so that the device's own error arrives.
const SLACK: Duration = Duration::from_secs(2);

/// What the thread owns.
pub struct Platform {
    /// The attester.
    pub attester: Box<dyn Attester>,
    /// The event log, where it is turned on and the platform has registers.
    pub measurements: Option<Measurements>,
}

type Job = Box<dyn FnOnce(&mut Platform) + Send>;

/// The way to the device's thread. Clones share it.
#[derive(Clone)]
pub struct Device {
    jobs: SyncSender<Job>,
    /// When the call that runs now began.
    busy_since: Arc<Mutex<Option<Instant>>>,
    /// How long a device may take.
    timeout: Duration,
    /// How long a caller waits.
    patience: Duration,
}

impl Device {
    /// Starts the thread. It ends when the last clone is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(platform: Platform, timeout: Duration) -> std::io::Result<Self> {
        Self::start_with(platform, timeout, timeout + SLACK)
    }

    fn start_with(mut platform: Platform, timeout: Duration, patience: Duration) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(MAX_WAITING);
        let busy_since = Arc::new(Mutex::new(None));
        let busy = Arc::clone(&busy_since);
        thread::Builder::new().name("device".to_owned()).spawn(move || {
            for job in queue {
                set(&busy, Some(Instant::now()));
                // A defect in one call must not take the device from all later ones.
                if catch_unwind(AssertUnwindSafe(|| job(&mut platform))).is_err() {
                    tracing::error!("a call of the device panicked; its caller gets an internal error");
                }
                set(&busy, None);
            }
        })?;
        Ok(Device { jobs, busy_since, timeout, patience })
    }

    /// Does `work` on the thread and waits for its result. `work` gets the deadline to hand on.
    ///
    /// # Errors
    /// [`AgentError::DeviceBusy`] when the call was not begun: too many wait, or an earlier one takes too long.
    /// [`AgentError::DeviceLate`] when it was begun and did not end in time. [`AgentError::DeviceGone`], [`AgentError::Internal`] when `work` panicked.
    pub async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Platform, Instant) -> T + Send + 'static,
    ) -> Result<T, AgentError> {
        let deadline = Instant::now() + self.timeout;
        let (answer, answered) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let job: Job = Box::new(move |platform| {
            // Whoever has given up waiting gets nothing done: nobody would learn of it. And what can hardly
            // end in time only keeps the next one waiting.
            if !answer.is_closed() && Instant::now() + LEAST < deadline {
                begins.store(true, Ordering::SeqCst);
                let _ = answer.send(work(platform, deadline));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => self.busy(what),
            TrySendError::Disconnected(_) => AgentError::DeviceGone,
        })?;
        match tokio::time::timeout(self.patience, answered).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) if begun.load(Ordering::SeqCst) => {
                Err(AgentError::Internal(format!("{what}: the call of the device was cut off")))
            }
            Err(_) if begun.load(Ordering::SeqCst) => Err(self.late(what)),
            Ok(Err(_)) | Err(_) => Err(self.busy(what)),
        }
    }

    /// How long the call that runs now has been running, in whole seconds.
    pub fn busy_seconds(&self) -> Option<u64> {
        let since = *self.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed().as_secs())
    }

    fn late(&self, what: &'static str) -> AgentError {
        AgentError::DeviceLate { what, seconds: self.timeout.as_secs() }
    }

    fn busy(&self, what: &'static str) -> AgentError {
        AgentError::DeviceBusy { what, seconds: self.busy_seconds().unwrap_or(0) }
    }
}

fn set(busy: &Mutex<Option<Instant>>, since: Option<Instant>) {
    *busy.lock().unwrap_or_else(PoisonError::into_inner) = since;
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use assay_attester::{AttesterError, EvidenceRequest, InitDataBinding};
    use assay_types::{Digest, Tee};
    use serde_json::{Value, json};

    use super::*;

    struct Fixed;

    impl Attester for Fixed {
        fn tee(&self) -> Tee {
            Tee::Sample
        }

        fn evidence(&mut self, _: &EvidenceRequest<'_>) -> Result<Value, AttesterError> {
            Ok(json!({}))
        }

        fn bind_init_data(&mut self, _: &Digest, _: Instant) -> Result<InitDataBinding, AttesterError> {
            Ok(InitDataBinding::Unbound { why: "a double".into() })
        }
    }

    fn device(timeout: Duration) -> Device {
        let platform = Platform { attester: Box::new(Fixed), measurements: None };
        Device::start_with(platform, timeout, timeout).unwrap()
    }

    #[tokio::test]
    async fn calls_run_one_after_the_other_in_order() {
        let device = device(Duration::from_secs(30));
        let order = Arc::new(Mutex::new(Vec::new()));
        let calls = (0..20).map(|number| {
            let order = Arc::clone(&order);
            device.call("a call", move |_, _| {
                let mut order = order.try_lock().unwrap();
                order.push(number);
            })
        });
        futures_util::future::try_join_all(calls).await.unwrap();
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_panic_costs_only_its_own_call() {
        let device = device(Duration::from_secs(30));
        let broken = device.call("a call", |_, _| panic!("a defect")).await;
        let broken: Result<(), _> = broken;
        assert!(matches!(broken, Err(AgentError::Internal(_))));
        assert_eq!(device.call("a call", |platform, _| platform.attester.tee()).await.unwrap(), Tee::Sample);
    }

    #[tokio::test]
    async fn a_device_that_hangs_is_reported_and_what_nobody_waits_for_is_not_done() {
        let device = device(Duration::from_millis(50));
        let (release, hold) = channel::<()>();
        let (said, heard) = channel::<()>();
        let hanging = device.call("hanging", move |_, _| {
            let _ = hold.recv();
        });
        assert!(matches!(hanging.await, Err(AgentError::DeviceLate { what: "hanging", .. })));
        assert!(device.busy_seconds().is_some());
        let late = device.call("late", move |_, _| said.send(()).unwrap());
        assert!(matches!(late.await, Err(AgentError::DeviceBusy { what: "late", .. })));
        release.send(()).unwrap();
        // The thread is free again and went past the late call without doing it.
        while device.call("again", |_, _| ()).await.is_err() {}
        assert!(heard.try_recv().is_err());
        assert!(device.busy_seconds().is_none() || device.busy_seconds() == Some(0));
    }

    #[tokio::test]
    async fn no_more_than_so_many_wait() {
        let device = device(Duration::from_millis(200));
        let (release, hold) = channel::<()>();
        let first = device.call("first", move |_, _| {
            let _ = hold.recv();
        });
        let rest: Vec<_> = (0..MAX_WAITING + 8).map(|_| device.call("one more", |_, _| ())).collect();
        let (first, rest) = tokio::join!(first, futures_util::future::join_all(rest));
        assert!(first.is_err());
        assert!(rest.iter().all(Result::is_err));
        release.send(()).unwrap();
    }
}
