//! What became of each stored thing.

use assay_types::Coded;
use serde::Serialize;

/// A kind of stored data, and what became of each.
#[derive(Debug, Serialize)]
pub(super) struct Kind {
    pub(super) kind: &'static str,
    /// The place that it was read from, or why nothing was.
    pub(super) from: String,
    pub(super) items: Vec<Item>,
    /// Why nothing of it was taken. Everything of a kind is taken in one go, or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<Reason>,
    /// What to know about it.
    pub(super) notes: Vec<String>,
}

/// One stored thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Item {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// It is in the store now; with `--dry-run`, it would be.
    Taken,
    /// It was there before, the same.
    Unchanged,
    Refused(Reason),
}

/// Why not, and what to do instead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Reason {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instead: Option<&'static str>,
}

impl Reason {
    pub(super) fn new(reason: impl Into<String>, instead: &'static str) -> Self {
        Reason { code: None, reason: reason.into(), instead: Some(instead) }
    }

    pub(super) fn of(error: &(impl Coded + ?Sized)) -> Self {
        Reason { code: Some(error.code()), reason: error.to_string(), instead: None }
    }
}

/// How many of each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) taken: usize,
    pub(super) unchanged: usize,
    pub(super) refused: usize,
}

impl Kind {
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for item in &self.items {
            match item.outcome {
                Outcome::Taken => counts.taken += 1,
                Outcome::Unchanged => counts.unchanged += 1,
                Outcome::Refused(_) => counts.refused += 1,
            }
        }
        counts
    }
}

/// What was read of a kind: what is wanted in the store, and what is refused.
pub(super) struct Plan<T> {
    pub(super) wanted: Vec<(String, T)>,
    pub(super) refused: Vec<Item>,
    pub(super) notes: Vec<String>,
}

impl<T> Default for Plan<T> {
    fn default() -> Self {
        Plan { wanted: Vec::new(), refused: Vec::new(), notes: Vec::new() }
    }
}

impl<T> Plan<T> {
    pub(super) fn refuse(&mut self, name: impl Into<String>, reason: Reason) {
        self.refused.push(Item { name: name.into(), outcome: Outcome::Refused(reason) });
    }

    /// What becomes of each when it is done: `unchanged` are those that were there before.
    pub(super) fn done(self, unchanged: impl Fn(&str) -> bool) -> (Vec<Item>, Vec<String>) {
        let mut items = self.refused;
        items.extend(self.wanted.into_iter().map(|(name, _)| {
            let outcome = if unchanged(&name) { Outcome::Unchanged } else { Outcome::Taken };
            Item { name, outcome }
        }));
        items.sort_by(|a, b| a.name.cmp(&b.name));
        (items, self.notes)
    }
}
