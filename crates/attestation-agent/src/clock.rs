//! The guest's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use assay_types::{Clock, UnixTime};
use rustix::time::{ClockId, clock_gettime};

/// The time of the system's clock when the agent started, and since then the time since boot. The host sets the
/// guest's clock, and it may jump; what is counted here goes on evenly, also while the guest sleeps.
#[derive(Clone, Copy, Debug)]
pub struct GuestClock {
    started: i64,
    boot_time: i64,
}

impl GuestClock {
    /// Starts counting.
    pub fn start() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        GuestClock { started: i64::try_from(seconds).unwrap_or(i64::MAX), boot_time: since_boot() }
    }
}

impl Clock for GuestClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.started.saturating_add(since_boot().saturating_sub(self.boot_time)))
    }
}

fn since_boot() -> i64 {
    clock_gettime(ClockId::Boottime).tv_sec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_systems_time_and_does_not_go_back() {
        let clock = GuestClock::start();
        let first = clock.now();
        assert!(first.0 >= clock.started);
        assert!(clock.now() >= first);
    }
}
