//! Events that strangers can cause as often as they like, such as failed logins: so many a minute are
//! recorded, and the next one says how many were not.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The span that is counted over.
const SPAN: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Count {
    begun: Instant,
    recorded: u32,
    suppressed: u64,
}

/// Lets so many pass in each minute.
#[derive(Debug)]
pub(crate) struct Occasional {
    per_minute: u32,
    count: Mutex<Count>,
}

impl Occasional {
    pub(crate) fn new(per_minute: u32) -> Self {
        let count = Count { begun: Instant::now(), recorded: 0, suppressed: 0 };
        Occasional { per_minute, count: Mutex::new(count) }
    }

    /// `Some` when this one is recorded: how many before it were not.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(count.begun) >= SPAN {
            count.begun = now;
            count.recorded = 0;
        }
        if count.recorded >= self.per_minute {
            count.suppressed = count.suppressed.saturating_add(1);
            return None;
        }
        count.recorded = count.recorded.saturating_add(1);
        Some(std::mem::take(&mut count.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_recorded_is_counted() {
        let occasional = Occasional::new(2);
        let now = Instant::now();
        assert_eq!(occasional.pass(now), Some(0));
        assert_eq!(occasional.pass(now), Some(0));
        for _ in 0..5 {
            assert_eq!(occasional.pass(now), None);
        }
        let later = now + SPAN * 2;
        assert_eq!(occasional.pass(later), Some(5));
        assert_eq!(occasional.pass(later), Some(0));
        assert_eq!(occasional.pass(later), None);
    }
}
