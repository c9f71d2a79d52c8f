//! Which cached pieces were used, until that is noted in the cache: nothing is written on the way of
//! a request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use assay_types::{UnixTime, Vendor};

use crate::cache::Use;

/// The most uses kept. What is over is lost: it only tells what to refresh first.
const MAX: usize = 4096;

/// The uses not noted yet.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<(Vendor, String), UnixTime>>);

impl Uses {
    pub(crate) fn add(&self, key: &(Vendor, String), at: UnixTime) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = uses.get_mut(key) {
            *last = at.max(*last);
        } else if uses.len() < MAX {
            uses.insert(key.clone(), at);
        }
    }

    /// Takes all of them out.
    pub(crate) fn take(&self) -> Vec<Use> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        uses.into_iter().map(|((vendor, key), at)| Use { vendor, key, at }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_use_counts_and_their_number_is_bounded() {
        let uses = Uses::default();
        for n in 0..MAX + 10 {
            uses.add(&(Vendor::Intel, n.to_string()), UnixTime(5));
        }
        for at in [9, 7] {
            uses.add(&(Vendor::Intel, "0".into()), UnixTime(at));
        }
        let taken = uses.take();
        assert_eq!(taken.len(), MAX);
        assert_eq!(taken.iter().find(|u| u.key == "0").unwrap().at, UnixTime(9));
        assert!(uses.take().is_empty());
    }
}
