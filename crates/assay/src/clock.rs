//! The system's clock: the one place where it is read.

use std::time::{SystemTime, UNIX_EPOCH};

use assay_types::{Clock, UnixTime};

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    /// A clock before 1970 shows 1970: everything is then not yet valid, and nothing is accepted.
    fn now(&self) -> UnixTime {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        UnixTime(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}
