//! Changes by others: who made them known, and who has heard of them.
//!
//! Each transaction that changes something counts up its topic in the table `changes`. Whoever follows
//! the store reads that table twice a second; on PostgreSQL a notification wakes him at once, too. So a
//! change is known everywhere within a second whether the notification arrives or not, and a replica
//! that cannot read the table knows that it may be behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long what was read counts as current after the table of changes was last seen.
pub(crate) const CURRENT_FOR: Duration = Duration::from_secs(1);

/// How often the table of changes is read.
pub(crate) const POLL: Duration = Duration::from_millis(400);

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Attestation or resource policies.
    Policies,
    /// Reference values.
    ReferenceValues,
    /// Signing keys, sealing keys, admin keys, key-encryption keys.
    Keys,
    /// Resources.
    Resources,
}

impl Topic {
    /// All four.
    pub const ALL: [Topic; 4] = [Topic::Policies, Topic::ReferenceValues, Topic::Keys, Topic::Resources];

    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Topic::Policies => "policies",
            Topic::ReferenceValues => "reference-values",
            Topic::Keys => "keys",
            Topic::Resources => "resources",
        }
    }
}

/// What this process knows of changes.
pub(crate) struct Changes {
    seen: Mutex<BTreeMap<Topic, i64>>,
    /// Counts every change of resources that this process knows of.
    resources: AtomicU64,
    started: Instant,
    /// Milliseconds after `started`, plus one; zero: never.
    confirmed: AtomicU64,
}

impl Default for Changes {
    fn default() -> Self {
        Changes {
            seen: Mutex::new(BTreeMap::new()),
            resources: AtomicU64::new(0),
            started: Instant::now(),
            confirmed: AtomicU64::new(0),
        }
    }
}

impl Changes {
    fn seen(&self) -> MutexGuard<'_, BTreeMap<Topic, i64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This process committed changes, which gave the topics these versions. It knows of them already,
    /// unless somebody else's came in between.
    pub(crate) fn made(&self, touched: &[(Topic, i64)]) {
        let mut seen = self.seen();
        for (topic, version) in touched {
            let before = seen.entry(*topic).or_insert(0);
            if *before == version - 1 {
                *before = *version;
            }
            if *topic == Topic::Resources {
                self.resources.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    /// The table was read. Returns the topics that changed.
    pub(crate) fn read(&self, versions: &BTreeMap<String, i64>) -> Vec<Topic> {
        let mut changed = Vec::new();
        let mut seen = self.seen();
        for topic in Topic::ALL {
            let version = versions.get(topic.as_str()).copied().unwrap_or(0);
            let before = seen.entry(topic).or_insert(0);
            // Less than before: the database was restored from a backup. That is a change, too.
            if *before != version {
                *before = version;
                changed.push(topic);
                if topic == Topic::Resources {
                    self.resources.fetch_add(1, Ordering::AcqRel);
                }
            }
        }
        changed
    }

    /// Whoever follows knows of all changes that were committed before `at`.
    pub(crate) fn confirm(&self, at: Instant) {
        let since = at.saturating_duration_since(self.started).as_millis();
        self.confirmed.store(u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1), Ordering::Release);
    }

    /// Whether that was within the last second.
    pub(crate) fn are_current(&self) -> bool {
        let confirmed = self.confirmed.load(Ordering::Acquire);
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let limit = u64::try_from(CURRENT_FOR.as_millis()).unwrap_or(0);
        confirmed > 0 && now.saturating_sub(confirmed) <= limit
    }

    /// The number of changes of resources.
    pub(crate) fn of_resources(&self) -> u64 {
        self.resources.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(policies: i64) -> BTreeMap<String, i64> {
        BTreeMap::from([("policies".to_owned(), policies)])
    }

    #[test]
    fn own_changes_are_known_and_others_are_told() {
        let changes = Changes::default();
        assert_eq!(changes.read(&versions(3)), [Topic::Policies]);
        assert!(!changes.are_current());
        changes.confirm(Instant::now());
        assert!(changes.are_current());
        changes.made(&[(Topic::Policies, 4)]);
        assert_eq!(changes.read(&versions(4)), []);
        // Somebody else's change came before ours.
        changes.made(&[(Topic::Policies, 6)]);
        assert_eq!(changes.read(&versions(6)), [Topic::Policies]);
        assert_eq!(changes.read(&versions(2)), [Topic::Policies], "a restored database");
    }

    #[test]
    fn a_change_of_resources_counts_whoever_made_it() {
        let changes = Changes::default();
        changes.made(&[(Topic::Resources, 1)]);
        assert_eq!(changes.of_resources(), 1);
        let there = BTreeMap::from([("resources".to_owned(), 2)]);
        changes.read(&there);
        assert_eq!(changes.of_resources(), 2);
    }
}
