//! The time of the database's server, for all replicas the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use assay_types::{Clock, UnixTime};

/// This machine's clock, corrected by how far it is from the database's.
pub(crate) struct StoreClock {
    /// Milliseconds.
    offset: Arc<AtomicI64>,
}

impl StoreClock {
    pub(crate) fn new(offset: Arc<AtomicI64>) -> Self {
        StoreClock { offset }
    }

    /// This machine's clock, in milliseconds since 1970.
    pub(crate) fn machine_millis() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Clock for StoreClock {
    fn now(&self) -> UnixTime {
        let millis = StoreClock::machine_millis().saturating_add(self.offset.load(Ordering::Relaxed));
        UnixTime(millis.div_euclid(1000))
    }
}
