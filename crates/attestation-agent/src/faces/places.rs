//! The places of a listener's connections, and whose they are.
//!
//! On a Unix socket, one user has at most a quarter of them, and a quarter is kept for root and the agent's
//! own user: so nobody closes a shared socket to the others by connections that do nothing. On TCP nobody
//! knows whose a connection is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caller::Peer;

/// How many connections each user has.
type Users = Arc<Mutex<HashMap<u32, usize>>>;

/// The places of one listener.
pub(crate) struct Places {
    /// For anyone.
    general: Arc<Semaphore>,
    /// For those of `trusted` only.
    reserve: Arc<Semaphore>,
    /// The most that one other user has.
    share: usize,
    users: Users,
    trusted: Vec<u32>,
}

/// A place that is kept for the next connection, whoever that is.
pub(crate) struct Next {
    permit: OwnedSemaphorePermit,
    reserved: bool,
}

/// A connection's place, given back when dropped.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _share: Option<Share>,
}

/// A place that does not count among them.
impl From<OwnedSemaphorePermit> for Place {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Place { _permit: permit, _share: None }
    }
}

/// One of a user's places.
struct Share {
    uid: u32,
    users: Users,
}

impl Share {
    /// One more, if fewer than `most` are taken.
    fn take(uid: u32, users: &Users, most: usize) -> Option<Self> {
        let mut counts = users.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(uid).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Share { uid, users: Arc::clone(users) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.uid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.uid);
            }
        }
    }
}

/// No place is free for a user's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPlace {
    /// The greatest number: of this user, or of all that are not trusted.
    pub(crate) max: usize,
}

impl Places {
    /// Those of a Unix socket; `trusted` are the users whose connections have no share.
    pub(crate) fn of_users(connections: usize, trusted: Vec<u32>) -> Self {
        let connections = connections.min(Semaphore::MAX_PERMITS);
        let quarter = connections / 4;
        Places {
            general: Arc::new(Semaphore::new(connections - quarter)),
            reserve: Arc::new(Semaphore::new(quarter)),
            share: quarter.max(1),
            users: Users::default(),
            trusted,
        }
    }

    /// Those of a TCP port.
    pub(crate) fn of_anyone(connections: usize) -> Self {
        Places {
            general: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            reserve: Arc::new(Semaphore::new(0)),
            share: usize::MAX,
            users: Users::default(),
            trusted: Vec::new(),
        }
    }

    /// Waits for a place that somebody could have. `None` never comes: the semaphores are not closed.
    pub(crate) async fn next(&self) -> Option<Next> {
        let general = Arc::clone(&self.general).acquire_owned();
        let reserve = Arc::clone(&self.reserve).acquire_owned();
        tokio::select! {
            biased;
            permit = general => permit.ok().map(|permit| Next { permit, reserved: false }),
            permit = reserve => permit.ok().map(|permit| Next { permit, reserved: true }),
        }
    }

    /// Gives it to a peer.
    pub(crate) fn give(&self, next: Next, peer: &Peer) -> Result<Place, NoPlace> {
        let Peer::Process { uid, .. } = *peer else { return Ok(next.permit.into()) };
        if self.trusted.contains(&uid) {
            return Ok(next.permit.into());
        }
        let share = Share::take(uid, &self.users, self.share).ok_or(NoPlace { max: self.share })?;
        let permit = if next.reserved {
            // One of the others' may have become free since.
            let general = Arc::clone(&self.general).try_acquire_owned();
            general.map_err(|_| NoPlace { max: self.share.saturating_mul(3) })?
        } else {
            next.permit
        };
        Ok(Place { _permit: permit, _share: Some(share) })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn ask(places: &Places, uid: u32) -> Option<Result<Place, NoPlace>> {
        let peer = Peer::Process { uid, gid: uid, pid: None };
        let next = places.next().now_or_never()?.unwrap();
        Some(places.give(next, &peer))
    }

    fn take(places: &Places, uid: u32) -> Place {
        ask(places, uid).expect("somebody has a place").expect("this one has a place")
    }

    #[test]
    fn one_user_has_a_quarter_and_gets_another_when_one_is_given_back() {
        let places = Places::of_users(64, vec![0, 7]);
        let mut first: Vec<Place> = (0..16).map(|_| take(&places, 1000)).collect();
        assert_eq!(ask(&places, 1000).unwrap().err(), Some(NoPlace { max: 16 }));
        take(&places, 1001);
        first.pop();
        first.push(take(&places, 1000));
        assert_eq!(ask(&places, 1000).unwrap().err(), Some(NoPlace { max: 16 }));
        drop(first);
        assert!(places.users.lock().unwrap().is_empty());
        assert_eq!(places.general.available_permits(), 48);
    }

    #[test]
    fn however_many_users_there_are_root_and_the_agents_own_find_a_place() {
        let places = Places::of_users(64, vec![0, 7]);
        let others: Vec<Place> = (0..48).map(|n| take(&places, 1000 + n / 16)).collect();
        assert_eq!(ask(&places, 2000).unwrap().err(), Some(NoPlace { max: 48 }));
        let trusted: Vec<Place> = (0..16).map(|n| take(&places, if n % 2 == 0 { 0 } else { 7 })).collect();
        // Now there are as many connections as there may be; whoever comes waits.
        assert!(ask(&places, 0).is_none());
        drop(others);
        // Root's have no share.
        let more: Vec<Place> = (0..48).map(|_| take(&places, 0)).collect();
        assert!(ask(&places, 0).is_none());
        drop((more, trusted));
        assert_eq!((places.general.available_permits(), places.reserve.available_permits()), (48, 16));
    }

    #[test]
    fn fewer_than_four_places_are_anyones_and_tcp_knows_no_users() {
        let places = Places::of_users(2, vec![0]);
        let both = (take(&places, 0), take(&places, 1000));
        assert!(ask(&places, 0).is_none());
        drop(both);
        let places = Places::of_anyone(3);
        let peer = Peer::Address("127.0.0.1:1".parse().unwrap());
        let taken: Vec<Place> = (0..3)
            .map(|_| places.give(places.next().now_or_never().unwrap().unwrap(), &peer).unwrap())
            .collect();
        assert!(places.next().now_or_never().is_none());
        drop(taken);
    }
}
