//! Calls that may hang in the kernel.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::AttesterError;

/// How long a call may overrun its deadline to put its things away.
const GRACE: Duration = Duration::from_millis(250);

/// How often it is looked whether an abandoned call has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// The most that a call may take, whatever is configured.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs the calls of one device on a thread of their own, one at a time, so that a device that does not
/// answer cannot hold its caller. A call that is late is left behind: nothing can interrupt it. No further
/// one is begun before it has ended, so however often a dead device is asked, one thread waits for it.
#[derive(Debug)]
pub struct DeviceThread {
    timeout: Duration,
    abandoned: Option<JoinHandle<()>>,
}

impl DeviceThread {
    /// A device whose calls may take this long, as [`crate::Host::device_timeout`] says; at most a day.
    pub fn new(timeout: Duration) -> Self {
        DeviceThread { timeout: timeout.min(A_DAY), abandoned: None }
    }

    /// When a call that begins now must have ended.
    pub fn limit(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Runs `call` and waits for it until `deadline`, or until [`DeviceThread::limit`] if that is earlier. The
    /// call is given that time, and is to watch it itself where it can.
    ///
    /// # Errors
    /// What the call gives; [`AttesterError::Deadline`], naming `what`, when it or an earlier one does not
    /// come back; [`AttesterError::Device`] when there is no thread to be had; [`AttesterError::Malformed`]
    /// when the call panics.
    pub fn run<T: Send + 'static>(
        &mut self,
        what: &str,
        deadline: Instant,
        call: impl FnOnce(Instant) -> Result<T, AttesterError> + Send + 'static,
    ) -> Result<T, AttesterError> {
        let (started, deadline) = (Instant::now(), deadline.min(self.limit()));
        while let Some(earlier) = self.abandoned.take_if(|earlier| !earlier.is_finished()) {
            self.abandoned = Some(earlier);
            if Instant::now() >= deadline {
                return Err(AttesterError::late(format!("{what} (an earlier call)"), started));
            }
            sleep(PAUSE);
        }
        let (sender, receiver) = sync_channel(1);
        let thread = Builder::new()
            .name("device".to_owned())
            .spawn(move || {
                // Nobody listens any more when the call was late.
                let _ = sender.send(call(deadline));
            })
            .map_err(|error| AttesterError::device("starting a thread for", what, error))?;
        let patience = deadline.saturating_duration_since(Instant::now()).saturating_add(GRACE);
        match receiver.recv_timeout(patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                self.abandoned = Some(thread);
                Err(AttesterError::late(what, started))
            }
            Err(RecvTimeoutError::Disconnected) => {
                let why = "the call ended without an answer: a fault of this program".to_owned();
                Err(AttesterError::Malformed { what: what.to_owned(), why })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn answers_and_errors_come_through() {
        let mut thread = DeviceThread::new(Duration::MAX);
        assert_eq!(thread.run("d", far(), |_| Ok(7)).unwrap(), 7);
        let error = thread.run::<()>("d", far(), |_| Err(AttesterError::late("x", Instant::now())));
        assert!(matches!(error, Err(AttesterError::Deadline { what, .. }) if what == "x"));
    }

    #[test]
    fn a_call_that_hangs_is_left_behind_and_no_second_one_begun() {
        let mut thread = DeviceThread::new(Duration::MAX);
        let (release, hold) = mpsc::channel::<()>();
        let hang = thread.run::<()>("d", soon(), move |_| {
            let _ = hold.recv();
            Ok(())
        });
        assert!(matches!(hang, Err(AttesterError::Deadline { what, .. }) if what == "d"));
        let second = thread.run::<()>("d", soon(), |_| panic!("must not begin"));
        assert!(matches!(second, Err(AttesterError::Deadline { what, .. }) if what.contains("earlier")));
        drop(release);
        assert_eq!(thread.run("d", far(), |_| Ok(1)).unwrap(), 1);
    }

    #[test]
    fn a_panic_is_an_error() {
        let mut thread = DeviceThread::new(Duration::MAX);
        let error = thread.run::<()>("d", far(), |_| panic!("on purpose")).unwrap_err();
        assert!(matches!(error, AttesterError::Malformed { .. }));
    }

    #[test]
    fn the_limit_of_the_device_holds_too() {
        let mut thread = DeviceThread::new(Duration::ZERO);
        let (begun, earlier) = (Instant::now(), far());
        let given = thread.run("d", earlier, Ok).unwrap();
        assert!(given >= begun && given < earlier);
        let given = DeviceThread::new(Duration::MAX).run("d", earlier, Ok).unwrap();
        assert_eq!(given, earlier);
    }
}
