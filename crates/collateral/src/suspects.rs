//! Cached answers that a verifier found unfit.
//!
//! They are not deleted: whoever sends bad evidence could otherwise empty the cache of good answers
//! while the vendor's service is out of reach. A suspect is fetched anew if that is possible, and
//! serves on if it is not; the verifier looks at it again in any case.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use assay_types::Vendor;

/// The most suspects remembered.
const MAX: usize = 4096;

type Key = (Vendor, String);

/// The suspects. Forgotten with the process; a verifier finds them again.
#[derive(Default)]
pub(crate) struct Suspects(Mutex<HashSet<Key>>);

impl Suspects {
    /// Adds one. When there are too many, any other goes.
    pub(crate) fn add(&self, key: Key) {
        let mut set = self.set();
        if set.len() >= MAX
            && let Some(any) = set.iter().next().cloned()
        {
            set.remove(&any);
        }
        set.insert(key);
    }

    /// Whether it is one.
    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.set().contains(key)
    }

    /// It was fetched anew.
    pub(crate) fn clear(&self, key: &Key) {
        self.set().remove(key);
    }

    fn set(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_number_is_bounded_and_the_newest_is_kept() {
        let suspects = Suspects::default();
        for n in 0..MAX + 10 {
            suspects.add((Vendor::Amd, n.to_string()));
        }
        assert_eq!(suspects.set().len(), MAX);
        let last = (Vendor::Amd, (MAX + 9).to_string());
        assert!(suspects.contains(&last));
        suspects.clear(&last);
        assert!(!suspects.contains(&last));
    }
}
