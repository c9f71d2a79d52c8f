//! A short memory of what the vendors' services do not have, so that evidence of a machine they do
//! not know cannot make us ask them again and again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use assay_types::{UnixTime, Vendor};

/// The most refusals remembered.
const MAX: usize = 4096;

type Key = (Vendor, String);

/// Refused requests, each with the HTTP status and the end of its remembrance.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<Key, (u16, UnixTime)>>);

impl Refusals {
    /// The status of the refusal, and how long it is still remembered.
    pub(crate) fn find(&self, key: &Key, now: UnixTime) -> Option<(u16, Duration)> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, until) = *map.get(key)?;
        let seconds = u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0);
        if seconds == 0 {
            map.remove(key);
            return None;
        }
        Some((status, Duration::from_secs(seconds)))
    }

    /// Remembers a refusal until `until`. When there are too many, those that have ended go, and if
    /// none has, any one.
    pub(crate) fn note(&self, key: Key, status: u16, now: UnixTime, until: UnixTime) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MAX {
            map.retain(|_, (_, end)| *end > now);
        }
        if map.len() >= MAX
            && let Some(any) = map.keys().next().cloned()
        {
            map.remove(&any);
        }
        map.insert(key, (status, until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_end_and_their_number_is_bounded() {
        let refusals = Refusals::default();
        let key = |n: usize| (Vendor::Amd, n.to_string());
        for n in 0..MAX + 10 {
            refusals.note(key(n), 404, UnixTime(0), UnixTime(60));
        }
        assert_eq!(refusals.0.lock().unwrap().len(), MAX);
        let last = key(MAX + 9);
        assert_eq!(refusals.find(&last, UnixTime(20)), Some((404, Duration::from_secs(40))));
        assert_eq!(refusals.find(&last, UnixTime(60)), None);
    }
}
