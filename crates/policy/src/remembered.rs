//! Verdicts that were given before.
//!
//! A verdict follows from the parts of the input that the policy reads and from the answers to what it
//! asks, and from nothing else: admission refuses everything that would bring in the time or chance. So
//! guests of one image on one kind of platform get one verdict, and it is not worked out anew for each.
//! What was asked is asked again each time: only where every answer is the same, the verdict is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use assay_types::{ReferenceValueSnapshot, UnixTime};
use serde_json::Value;

use crate::PolicyAppraisal;
use crate::needs::Need;

/// The most verdicts that a policy remembers; then all are forgotten.
const MAX_VERDICTS: usize = 64;
/// The longest input, in bytes of [`Need::write`], that is remembered.
const MAX_INPUT: usize = 64 << 10;

/// The verdicts by the parts of the input that the policy reads.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<HashMap<Box<[u8]>, Arc<PolicyAppraisal>>>);

/// The parts of an input, as a key.
pub(crate) struct Key(Box<[u8]>);

impl Remembered {
    /// The key of an input; `None` where it is too long to be remembered.
    pub(crate) fn key(need: &Need, input: &Value) -> Option<Key> {
        let mut bytes = Vec::with_capacity(2048);
        need.write(input, &mut bytes);
        (bytes.len() <= MAX_INPUT).then(|| Key(bytes.into()))
    }

    /// The verdict, where all that was asked for it has the same answer now.
    pub(crate) fn find(
        &self,
        key: &Key,
        values: &dyn ReferenceValueSnapshot,
        now: UnixTime,
    ) -> Option<PolicyAppraisal> {
        let known = self.verdicts().get(&key.0).map(Arc::clone)?;
        let same = known.asked.iter().all(|asked| values.query(&asked.id, now) == asked.answer);
        same.then(|| PolicyAppraisal::clone(&known))
    }

    /// Remembers a verdict, in place of one with other answers.
    pub(crate) fn add(&self, key: Key, appraisal: &PolicyAppraisal) {
        let mut verdicts = self.verdicts();
        if verdicts.len() >= MAX_VERDICTS {
            verdicts.clear();
        }
        verdicts.insert(key.0, Arc::new(appraisal.clone()));
    }

    fn verdicts(&self) -> std::sync::MutexGuard<'_, HashMap<Box<[u8]>, Arc<PolicyAppraisal>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
