//! When a vendor's service may be asked again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_types::{Clock, UnixTime};

/// The first pause after a `429` without `Retry-After`. AMD's service gives one VCEK in 10 seconds.
const FIRST_PAUSE: u64 = 10;
/// The longest pause after a `429` without `Retry-After`.
const LONGEST_PAUSE: u64 = 600;
/// The longest pause whatever `Retry-After` says, so that a slip at the vendor's does not stop us
/// for a year.
const LONGEST_RETRY_AFTER: u64 = 3600;
/// The longest pause after failures of another kind.
const LONGEST_FAILURE_PAUSE: u64 = 60;
/// How many failures in a row bring no pause yet.
const FREE_FAILURES: u32 = 2;

/// The pauses of one service.
pub(crate) struct Pacer {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    until: UnixTime,
    limited: u32,
    failed: u32,
}

impl Pacer {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Pacer { clock, state: Mutex::new(State { until: UnixTime(i64::MIN), limited: 0, failed: 0 }) }
    }

    /// How long the service is still left alone; `None` when it may be asked.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let seconds = self.state().until.0.saturating_sub(self.clock.now().0);
        u64::try_from(seconds).ok().filter(|s| *s > 0).map(Duration::from_secs)
    }

    /// It answered, whatever the answer was.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        state.limited = 0;
        state.failed = 0;
    }

    /// It asked for rest. Returns how long it gets.
    pub(crate) fn rate_limited(&self, retry_after: Option<Duration>) -> Duration {
        let mut state = self.state();
        let own = doubled(FIRST_PAUSE, state.limited, LONGEST_PAUSE);
        state.limited = state.limited.saturating_add(1);
        let seconds = match retry_after {
            // A second at least: "0" is what overloaded services say, too.
            Some(asked) => asked.as_secs().clamp(1, LONGEST_RETRY_AFTER),
            None => own,
        };
        self.pause(&mut state, seconds);
        Duration::from_secs(seconds)
    }

    /// It failed or could not be reached.
    pub(crate) fn failed(&self) {
        let mut state = self.state();
        let before = state.failed;
        state.failed = before.saturating_add(1);
        if let Some(further) = before.checked_sub(FREE_FAILURES) {
            self.pause(&mut state, doubled(1, further, LONGEST_FAILURE_PAUSE));
        }
    }

    /// Pauses are never shortened: a later answer may have been under way before.
    fn pause(&self, state: &mut State, seconds: u64) {
        let end = self.clock.now().plus(i64::try_from(seconds).unwrap_or(i64::MAX));
        state.until = state.until.max(end);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `first` doubled `times` times, at most `longest`.
fn doubled(first: u64, times: u32, longest: u64) -> u64 {
    2_u64.checked_pow(times).and_then(|factor| first.checked_mul(factor)).unwrap_or(longest).min(longest)
}

#[cfg(test)]
mod tests {
    use assay_types::FixedClock;

    use super::*;

    fn pacer() -> (Arc<FixedClock>, Pacer) {
        let clock = Arc::new(FixedClock::new(UnixTime(1000)));
        (Arc::clone(&clock), Pacer::new(clock))
    }

    #[test]
    fn what_the_service_asks_for_is_kept_within_reason() {
        for (asked, kept) in [(0, 1), (30, 30), (u64::MAX, 3600)] {
            let (clock, pacer) = pacer();
            assert_eq!(pacer.remaining(), None);
            let kept = Duration::from_secs(kept);
            assert_eq!(pacer.rate_limited(Some(Duration::from_secs(asked))), kept);
            assert_eq!(pacer.remaining(), Some(kept));
            clock.advance(i64::try_from(kept.as_secs()).unwrap());
            assert_eq!(pacer.remaining(), None);
        }
    }

    #[test]
    fn without_a_word_from_the_service_pauses_double_up_to_their_limit() {
        let (clock, pacer) = pacer();
        for seconds in [10, 20, 40, 80, 160, 320, 600, 600] {
            assert_eq!(pacer.rate_limited(None), Duration::from_secs(seconds));
            clock.advance(700);
        }
        pacer.answered();
        assert_eq!(pacer.rate_limited(None), Duration::from_secs(10));
    }

    #[test]
    fn failures_pause_from_the_third_in_a_row() {
        let (clock, pacer) = pacer();
        for pause in [0, 0, 1, 2, 4, 8, 16, 32, 60, 60] {
            pacer.failed();
            assert_eq!(pacer.remaining().map_or(0, |d| d.as_secs()), pause);
            clock.advance(100);
        }
        pacer.answered();
        pacer.failed();
        assert_eq!(pacer.remaining(), None);
    }

    #[test]
    fn a_shorter_pause_does_not_end_a_longer_one() {
        let (_, pacer) = pacer();
        pacer.rate_limited(Some(Duration::from_secs(300)));
        pacer.rate_limited(Some(Duration::from_secs(5)));
        pacer.answered();
        assert_eq!(pacer.remaining(), Some(Duration::from_secs(300)));
    }
}
