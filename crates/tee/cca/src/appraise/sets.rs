//! The sets of reference values that stand for one environment: which are in force, and which of them
//! says the best of the evidence.

use assay_types::{AskedReferenceValue, Lookup, TrustClaim, TrustTier};
use serde_json::Value;

use super::checks::{SET_IN_FORCE, SET_READABLE};
use super::reasons::Reasons;

/// The most sets that are named one by one where they are not used; more are counted.
const MAX_NAMED: usize = 16;

/// A set of reference values under its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named<T> {
    /// Its name and its stored form.
    pub(super) stored: AskedReferenceValue,
    /// What it says.
    pub(super) set: T,
}

/// The sets of one group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sets<T> {
    /// The group's name.
    pub(super) group: String,
    /// Those in force.
    pub(super) in_force: Vec<Named<T>>,
    expired: Vec<AskedReferenceValue>,
    /// By name, with the reason.
    unreadable: Vec<(String, String)>,
}

impl<T> Sets<T> {
    /// Sorts the answers for a group: `read` takes a stored value, or says why it cannot be used.
    pub(super) fn new(
        group: String,
        answers: Vec<AskedReferenceValue>,
        read: impl Fn(&Value) -> Result<T, String>,
    ) -> Self {
        let mut sets = Sets { group, in_force: Vec::new(), expired: Vec::new(), unreadable: Vec::new() };
        for stored in answers {
            match &stored.answer {
                Lookup::Found { value, .. } => match read(value) {
                    Ok(set) => sets.in_force.push(Named { stored, set }),
                    Err(reason) => sets.unreadable.push((stored.id, reason)),
                },
                Lookup::Expired { .. } => sets.expired.push(stored),
                // A group lists what is there.
                Lookup::Missing => sets.unreadable.push((stored.id, "it is listed and not there".into())),
            }
        }
        sets
    }

    /// The set that compares best: the one for which `rank` is least, the first by name among equals.
    pub(super) fn best<'a, C, R: Ord>(
        &'a self,
        compare: impl Fn(&'a T) -> C,
        rank: impl Fn(&C) -> R,
    ) -> Option<(&'a Named<T>, C)> {
        self.in_force
            .iter()
            .map(|named| (named, compare(&named.set)))
            .min_by(|(a, c), (b, d)| (rank(c), &a.stored.id).cmp(&(rank(d), &b.stored.id)))
    }

    /// Records the sets that could not be used, as reasons for `claim`.
    pub(super) fn report_unused(&self, claim: TrustClaim, reasons: &mut Reasons) {
        for AskedReferenceValue { id, answer } in self.expired.iter().take(MAX_NAMED) {
            if let Lookup::Expired { since } = answer {
                let why = format!("the set {id} ended at {since} and is not used");
                reasons.not_checked(claim, &SET_IN_FORCE, id, why);
            }
        }
        if let Some(more @ 1..) = self.expired.len().checked_sub(MAX_NAMED) {
            let why = format!("{more} more sets of {} have ended and are not used", self.group);
            reasons.not_checked(claim, &SET_IN_FORCE, &self.group, why);
        }
        for (id, reason) in self.unreadable.iter().take(MAX_NAMED) {
            let why = format!("the set {id} cannot be used: {reason}");
            reasons.not_checked(claim, &SET_READABLE, id, why);
        }
        if let Some(more @ 1..) = self.unreadable.len().checked_sub(MAX_NAMED) {
            let why = format!("{more} more sets of {} cannot be used", self.group);
            reasons.not_checked(claim, &SET_READABLE, &self.group, why);
        }
    }

    /// Why there is no set in force, in words.
    pub(super) fn absence(&self) -> String {
        match (self.expired.len(), self.unreadable.len()) {
            (0, 0) => format!("nothing is registered under {}", self.group),
            (expired, unreadable) => format!(
                "of the sets registered under {}, {expired} have ended and {unreadable} cannot be read; none is left",
                self.group
            ),
        }
    }

    /// What was asked, for the record: the set that was used, and sets that have ended. The set that was
    /// used bounds the life of a verdict; sets that were looked at and did not serve do not.
    pub(super) fn asked(&self, used: Option<&Named<T>>) -> Vec<AskedReferenceValue> {
        let used = used.map(|named| named.stored.clone());
        let none = used.is_none() && self.expired.is_empty();
        let missing = AskedReferenceValue { id: self.group.clone(), answer: Lookup::Missing };
        used.into_iter()
            .chain(self.expired.iter().take(MAX_NAMED).cloned())
            .chain(none.then_some(missing))
            .collect()
    }
}

/// How bad a value of a trustworthiness claim is, in the order of [`assay_types::TrustVector::worst`].
pub(super) fn badness(value: i8) -> (TrustTier, u8) {
    (TrustTier::of(value), value.unsigned_abs())
}
