//! Trying again: how often, and how long to wait in between.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::connection::Trouble;
use crate::error::{Attempt, ClientError};

/// When and how often to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most attempts, the first included; 1 for none but the first. 5. Where a service has several
    /// addresses, an attempt is made at each until one answers.
    pub max_attempts: u32,
    /// The longest wait after the first attempt; it doubles after each further one. 500 ms.
    pub first_wait: Duration,
    /// Where the doubling ends. 20 s.
    pub longest_wait: Duration,
    /// How long one call may take in all. An attempt that would begin later is not made. 60 s.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            max_attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            deadline: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// The longest wait after that many failed attempts.
    fn longest_after(&self, failed: u32) -> Duration {
        let factor = 2_u32.checked_pow(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_wait.saturating_mul(factor).min(self.longest_wait)
    }
}

/// How a client waits between attempts. A parameter, so that tests neither wait nor depend on
/// chance; [`SystemWaiting`] is the real one.
#[async_trait]
pub trait Waiting: Send + Sync {
    /// Waits.
    async fn wait(&self, time: Duration);

    /// A random time from zero to `most`, all equally likely: full jitter, so that clients that
    /// failed together do not come back together.
    fn jitter(&self, most: Duration) -> Duration;
}

/// Waits by the runtime's timer; jitter from the cryptographic library's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemWaiting;

#[async_trait]
impl Waiting for SystemWaiting {
    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn jitter(&self, most: Duration) -> Duration {
        let mut random = [0; 4];
        if aws_lc_rs::rand::fill(&mut random).is_err() {
            // Without randomness the longest wait is the kindest.
            return most;
        }
        let random = u128::from(u32::from_be_bytes(random));
        let nanoseconds = most.as_nanos().saturating_mul(random) >> 32;
        u64::try_from(nanoseconds).map_or(most, Duration::from_nanos)
    }
}

/// Does `once` until it succeeds, fails for good, or there is no attempt or no time left.
pub(crate) async fn retrying<T, F>(
    policy: &RetryPolicy,
    waiting: &dyn Waiting,
    deadline: Instant,
    mut once: impl FnMut() -> F,
) -> Result<T, Trouble>
where
    F: Future<Output = Result<T, Trouble>>,
{
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut failed = 0_u32;
    loop {
        let (these, retry_after) = match once().await {
            Err(Trouble::Passing { attempts, retry_after }) => (attempts, retry_after),
            done => return done,
        };
        for attempt in &these {
            tracing::debug!(what = attempt.what, outcome = attempt.outcome, "attempt failed");
        }
        attempts.extend(these);
        failed = failed.saturating_add(1);
        let jitter = waiting.jitter(policy.longest_after(failed));
        // What the server asks for is a minimum; the jitter on top spreads those it was asked of.
        let wait = retry_after.unwrap_or_default().saturating_add(jitter);
        let in_time = Instant::now().checked_add(wait).is_some_and(|then| then < deadline);
        if failed >= policy.max_attempts || !in_time {
            return Err(Trouble::Final(ClientError::Unavailable { attempts, retry_after }));
        }
        waiting.wait(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let longest: Vec<u128> = (1..9).map(|n| policy.longest_after(n).as_millis()).collect();
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
        assert_eq!(policy.longest_after(u32::MAX), policy.longest_wait);
    }

    #[test]
    fn jitter_stays_within_its_bound_and_varies() {
        let most = Duration::from_secs(10);
        let waits: Vec<Duration> = (0..64).map(|_| SystemWaiting.jitter(most)).collect();
        assert!(waits.iter().all(|wait| *wait <= most));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
        assert_eq!(SystemWaiting.jitter(Duration::ZERO), Duration::ZERO);
    }
}
