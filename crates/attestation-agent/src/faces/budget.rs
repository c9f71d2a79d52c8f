//! The memory of large requests: one number of bytes that all listeners of the process share.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The length, in bytes, over which a request is large. A shorter one takes nothing of a [`Budget`], so
/// that large ones that hang never keep it out.
pub const LARGE: usize = 16 << 10;

/// How many bytes of large requests one process holds at a time, unless told otherwise: 32 MiB.
pub const LARGE_REQUESTS: usize = 32 << 20;

static PROCESS: LazyLock<Budget> = LazyLock::new(|| Budget::of(LARGE_REQUESTS));

/// How many bytes of large requests there may be at a time, from when they are read until they are
/// answered. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    kib: Arc<Semaphore>,
    total: u32,
}

impl Default for Budget {
    /// The process's own, of [`LARGE_REQUESTS`].
    fn default() -> Self {
        PROCESS.clone()
    }
}

/// Equal are those that share the same bytes.
impl PartialEq for Budget {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.kib, &other.kib)
    }
}

impl Eq for Budget {}

impl Budget {
    /// Another of so many bytes, in whole KiB, at least one.
    pub fn of(bytes: usize) -> Self {
        let total = kib(bytes).max(1);
        let permits = usize::try_from(total).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Budget { kib: Arc::new(Semaphore::new(permits)), total }
    }

    /// Waits for so many bytes; what is longer than all there is takes all. A request that is not large
    /// takes none.
    pub(crate) async fn take(&self, bytes: usize) -> Hold {
        if bytes <= LARGE {
            return Hold::default();
        }
        let taken = Arc::clone(&self.kib).acquire_many_owned(kib(bytes).min(self.total)).await;
        // The semaphore is never closed.
        Hold { _kib: taken.ok(), _connection: None }
    }

    /// The same, but for so long only.
    pub(crate) async fn take_within(&self, bytes: usize, wait: Duration) -> Option<Hold> {
        tokio::time::timeout(wait, self.take(bytes)).await.ok()
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// Bytes that were taken; given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    _kib: Option<OwnedSemaphorePermit>,
    _connection: Option<OwnedSemaphorePermit>,
}

/// The budget as one connection sees it: one large request at a time, so that nobody takes it all by one
/// connection.
#[derive(Debug)]
pub(crate) struct Ration {
    budget: Budget,
    connection: Arc<Semaphore>,
    /// How long a request waits for its memory.
    pub(crate) wait: Duration,
}

impl Ration {
    pub(crate) fn new(budget: Budget, wait: Duration) -> Self {
        Ration { budget, connection: Arc::new(Semaphore::new(1)), wait }
    }

    /// Waits for the memory of a large request.
    pub(crate) async fn take(&self, bytes: usize) -> Hold {
        let connection = Arc::clone(&self.connection).acquire_owned().await.ok();
        Hold { _connection: connection, ..self.budget.take(bytes).await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_taken_is_given_back_and_small_ones_take_nothing() {
        let budget = Budget::of(100 << 10);
        let now = |bytes| budget.take_within(bytes, Duration::ZERO);
        let first = now(80 << 10).await.unwrap();
        assert!(now((20 << 10) + 1).await.is_none());
        let second = now(20 << 10).await.unwrap();
        assert!(now(LARGE + 1).await.is_none());
        assert!(now(LARGE).await.is_some());
        drop((first, second));
        // More than there is takes all there is.
        let all = now(1 << 20).await.unwrap();
        assert!(now(LARGE + 1).await.is_none());
        drop(all);
        assert_eq!(budget.kib.available_permits(), 100);
    }

    #[test]
    fn listeners_share_the_process_s_own() {
        assert_eq!(Budget::default(), Budget::default());
        assert_ne!(Budget::default(), Budget::of(LARGE_REQUESTS));
        assert_eq!(Budget::default().total, 32 << 10);
    }
}
