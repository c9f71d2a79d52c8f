//! What a remote provider answers, read strictly.

use assay_store::ReferenceValueRecord;
use assay_types::{Digest, HashAlgorithm, ReferenceValueSnapshot as _, UnixTime};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::message::{MAX_NAME_LEN, MAX_VALUE_LEN};
use crate::proto::assay_v1::SetPart;
use crate::snapshot::{Entry, Snapshot};
use crate::strict_json;

/// The most values of a set, and of all their texts together in bytes.
const MAX_SET: u64 = 500_000;
const MAX_SET_BYTES: usize = 512 << 20;

/// The largest value in bytes of JSON, and the most levels of one. Endorsements may have more levels than
/// values that are registered as such, and other writers of JSON than ours more bytes.
const MAX_TEXT: usize = 2 * MAX_VALUE_LEN;
const MAX_LEVELS: usize = 64;

/// Reads the JSON text of a value, as an answer to a query has it.
///
/// # Errors
/// What is wrong: not JSON, more than 128 KiB, more than 64 levels, a member given twice, a number that
/// cannot be held exactly.
pub fn read_value(json: &str) -> Result<Value, String> {
    if json.len() > MAX_TEXT {
        return Err(format!("a value has {} bytes of JSON; at most {MAX_TEXT} are taken", json.len()));
    }
    strict_json::value(json.as_bytes(), MAX_LEVELS).map_err(|error| format!("a value is not JSON: {error}"))
}

/// The names in a message of type `sample`, for the log; of others the provider alone knows them.
pub(super) fn names(message: &[u8]) -> Vec<String> {
    let names = || {
        let message: Value = serde_json::from_slice(message).ok()?;
        let payload = STANDARD.decode(message.get("payload")?.as_str()?).ok()?;
        let values: Value = serde_json::from_slice(&payload).ok()?;
        Some(values.as_object()?.keys().cloned().collect())
    };
    names().unwrap_or_default()
}

/// Puts a set together from its parts, and believes it only if its digest is the one that each part names.
#[derive(Default)]
pub struct SetReader {
    /// Digest and count, as the first part has them.
    announced: Option<(Vec<u8>, u64)>,
    unchanged: bool,
    entries: Vec<Entry>,
    bytes: usize,
}

impl std::fmt::Debug for SetReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetReader").field("values", &self.entries.len()).finish_non_exhaustive()
    }
}

impl SetReader {
    /// Takes the next part.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, part: SetPart) -> Result<(), String> {
        match &self.announced {
            None if part.count > MAX_SET => {
                return Err(format!("the set has {} values; at most {MAX_SET} are taken", part.count));
            }
            None => self.announced = Some((part.digest, part.count)),
            Some((digest, count)) if (digest, count) != (&part.digest, &part.count) => {
                return Err("the parts are of different sets".to_owned());
            }
            Some(_) if self.unchanged || part.unchanged => {
                return Err("there is more than one part of a set that has not changed".to_owned());
            }
            Some(_) => {}
        }
        self.unchanged = part.unchanged;
        if part.unchanged && !part.values.is_empty() {
            return Err("a set that has not changed comes with values".to_owned());
        }
        for value in part.values {
            let valid = |name: &str| {
                (1..=MAX_NAME_LEN).contains(&name.len()) && name.bytes().all(|b| (0x20..=0x7e).contains(&b))
            };
            if !valid(&value.id) || value.source.len() > MAX_NAME_LEN {
                return Err("a name is not of the allowed form".to_owned());
            }
            self.bytes = self.bytes.saturating_add(value.id.len()).saturating_add(value.json.len());
            let count = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
            if self.bytes > MAX_SET_BYTES || self.announced.as_ref().is_none_or(|(_, all)| count >= *all) {
                return Err("there are more values than were announced, or than are taken".to_owned());
            }
            let record = ReferenceValueRecord {
                value: read_value(&value.json)?,
                id: value.id,
                version: value.version,
                registered: UnixTime(value.registered),
                expires: UnixTime(value.expires),
                source: value.source,
            };
            self.entries.push(Entry::received(record, &value.json));
        }
        Ok(())
    }

    /// The whole set; `None` if it has not changed, that is, it is still the one of the digest `known`.
    ///
    /// # Errors
    /// What is wrong: parts are missing, or the values are not those that the digest names.
    pub fn finish(self, known: &[u8]) -> Result<Option<Snapshot>, String> {
        let Some((digest, _)) = self.announced else { return Err("there is no part of a set".to_owned()) };
        if self.unchanged {
            return if digest == known && !known.is_empty() {
                Ok(None)
            } else {
                Err("it says that the set has not changed, but names another".to_owned())
            };
        }
        let set = Snapshot::of_entries(self.entries);
        let announced = Digest::new(HashAlgorithm::Sha384, digest).map_err(|error| error.to_string())?;
        if set.digest() != announced {
            return Err(format!("the values are not the set of digest {announced}"));
        }
        Ok(Some(set))
    }
}
