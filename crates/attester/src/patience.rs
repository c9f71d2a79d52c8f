//! Asking a busy kernel again, until a deadline.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::AttesterError;

/// The pause before a call is made again.
const PAUSE: Duration = Duration::from_millis(10);

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    started: Instant,
    deadline: Instant,
}

impl Patience {
    pub(crate) fn until(deadline: Instant) -> Self {
        Patience { started: Instant::now(), deadline }
    }

    /// Makes a call on `path`, and makes it again while the kernel is busy (`EBUSY`, `EINTR`, `EAGAIN`).
    ///
    /// # Errors
    /// [`AttesterError::Deadline`]; [`AttesterError::Device`] with `action` for what else goes wrong.
    pub(crate) fn retry<T>(
        self,
        action: &'static str,
        path: &Path,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> Result<T, AttesterError> {
        loop {
            match call() {
                Ok(value) => return Ok(value),
                Err(error) if is_busy(&error) => {
                    let left = self.deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(AttesterError::late(path.display().to_string(), self.started));
                    }
                    sleep(PAUSE.min(left));
                }
                Err(error) => return Err(AttesterError::device(action, path, error)),
            }
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_device_is_asked_until_the_deadline() {
        let path = Path::new("/d");
        let mut times = 0;
        let far = Patience::until(Instant::now() + Duration::from_secs(60));
        let answer = far.retry("asking", path, || {
            times += 1;
            if times < 4 { Err(io::ErrorKind::ResourceBusy.into()) } else { Ok(times) }
        });
        assert_eq!(answer.unwrap(), 4);
        let soon = Patience::until(Instant::now() + Duration::from_millis(30));
        let late = soon.retry::<()>("asking", path, || Err(io::ErrorKind::ResourceBusy.into()));
        assert!(matches!(late, Err(AttesterError::Deadline { .. })));
        let broken = far.retry::<()>("asking", path, || Err(io::ErrorKind::InvalidInput.into()));
        assert!(matches!(broken, Err(AttesterError::Device { action: "asking", .. })));
    }
}
