//! Single flight: concurrent callers with the same key share one piece of work.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

type Running<K, T> = Arc<Mutex<HashMap<K, Flight<T>>>>;

/// The end of a flight; `None` when it ended without a result, by a panic or with the runtime.
pub(crate) type Flight<T> = Shared<BoxFuture<'static, Option<T>>>;

/// The flights under way.
pub(crate) struct Flights<K, T> {
    running: Running<K, T>,
    max: usize,
}

/// More flights are under way than are allowed.
pub(crate) struct Full {
    /// How many.
    pub(crate) running: usize,
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// At most `max` flights at a time.
    pub(crate) fn new(max: usize) -> Self {
        Flights { running: Arc::default(), max }
    }

    /// The flight of `key` that is under way, else a new one doing the work that `start` returns.
    /// The work runs as a task of its own, so it ends also when every caller has gone.
    pub(crate) fn join<F>(&self, key: K, start: impl FnOnce() -> F) -> Result<Flight<T>, Full>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = lock(&self.running);
        if let Some(flight) = running.get(&key) {
            return Ok(flight.clone());
        }
        if running.len() >= self.max {
            return Err(Full { running: running.len() });
        }
        let landing = Landing { key: key.clone(), running: Arc::clone(&self.running) };
        let work = start();
        let task = tokio::spawn(async move {
            let _landing = landing;
            work.await
        });
        let flight = async move { task.await.ok() }.boxed().shared();
        running.insert(key, flight.clone());
        Ok(flight)
    }
}

fn lock<K, T>(running: &Running<K, T>) -> MutexGuard<'_, HashMap<K, Flight<T>>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the flight off the list however its work ends.
struct Landing<K: Eq + Hash, T> {
    key: K,
    running: Running<K, T>,
}

impl<K: Eq + Hash, T> Drop for Landing<K, T> {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn callers_share_one_flight_and_one_that_leaves_does_not_end_it() {
        let flights = Flights::<u8, u32>::new(2);
        let (started, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let begin = || {
            let (started, open) = (Arc::clone(&started), Arc::clone(&open));
            move || async move {
                started.fetch_add(1, Ordering::SeqCst);
                open.notified().await;
                7
            }
        };
        let leader = flights.join(1, begin()).ok().unwrap();
        let follower = flights.join(1, begin()).ok().unwrap();
        drop(leader);
        open.notify_one();
        assert_eq!(follower.await, Some(7));
        assert_eq!(started.load(Ordering::SeqCst), 1);
        // The flight has landed: the next caller begins a new one.
        while !lock(&flights.running).is_empty() {
            tokio::task::yield_now().await;
        }
        open.notify_one();
        assert_eq!(flights.join(1, begin()).ok().unwrap().await, Some(7));
        assert_eq!(started.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn flights_are_bounded_and_a_panic_frees_its_place() {
        let flights = Flights::<u8, u32>::new(1);
        let flight = flights.join(1, || async { panic!("as the test wants it") }).ok().unwrap();
        assert!(flights.join(2, || async { 0 }).is_err());
        assert_eq!(flight.await, None);
        while !lock(&flights.running).is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(flights.join(2, || async { 5 }).ok().unwrap().await, Some(5));
    }
}
