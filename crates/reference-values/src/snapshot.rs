//! An unchanging set of reference values, cheap to query, to change into the next, and to name by a
//! digest.
//!
//! The set is kept in 256 buckets, by the first byte of the SHA-384 of the name up to its first `#`. The next snapshot
//! shares with this one all buckets that did not change, together with their digests. So a change
//! costs about a 256th of the set, and so does the digest after it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use assay_store::ReferenceValueRecord;
use assay_types::{AskedReferenceValue, Digest, HashAlgorithm, Lookup, ReferenceValueSnapshot, UnixTime};
use aws_lc_rs::digest::{Context, SHA384, SHA384_OUTPUT_LEN, digest};
use serde_json::Value;

const BUCKETS: usize = 256;

/// What each digest begins with, so that no digest of one kind can stand for another.
const ENTRY_LABEL: &[u8] = b"assay reference value 1";
const BUCKET_LABEL: &[u8] = b"assay reference value bucket 1";
const SET_LABEL: &[u8] = b"assay reference value set 1";

/// An unchanging set of reference values.
///
/// # Its digest
/// All digests are SHA-384, numbers are 64 bits big endian, `len(x)` is the number of bytes of `x`.
/// ```text
/// value  = H("assay reference value 1" ‖ len(name) ‖ name ‖ len(json) ‖ json ‖ expires)
/// bucket = H("assay reference value bucket 1" ‖ value ‖ value ‖ …)      by name, as bytes
/// set    = H("assay reference value set 1" ‖ bucket 0 ‖ … ‖ bucket 255)
/// ```
/// A name is in the bucket of the first byte of `H(name)`, of a name with a `#` what stands before it. `json` is the value without white space,
/// the members of each object in the order of the bytes of their names; `expires` is in seconds
/// since 1970. Versions and provenance are not part of it: the same values give the same digest.
pub struct Snapshot {
    buckets: Vec<Arc<Bucket>>,
    len: usize,
    digest: OnceLock<[u8; SHA384_OUTPUT_LEN]>,
}

#[derive(Default)]
struct Bucket {
    entries: BTreeMap<Arc<str>, Arc<Entry>>,
    digest: OnceLock<[u8; SHA384_OUTPUT_LEN]>,
}

impl Clone for Bucket {
    /// For a change: the digest is not taken along.
    fn clone(&self) -> Self {
        Bucket { entries: self.entries.clone(), digest: OnceLock::new() }
    }
}

/// A reference value in a snapshot.
pub(crate) struct Entry {
    pub(crate) record: ReferenceValueRecord,
    digest: [u8; SHA384_OUTPUT_LEN],
}

impl Entry {
    fn new(record: ReferenceValueRecord) -> Self {
        let digest = entry_digest(&record, &canonical(&record.value));
        Entry { record, digest }
    }

    /// A value whose `json` came from another process, which wrote it in canonical form. The text counts for
    /// the digest, and not how the number in it is read here: a wrong form gives a wrong digest.
    pub(crate) fn received(record: ReferenceValueRecord, json: &str) -> Self {
        let digest = entry_digest(&record, json);
        Entry { record, digest }
    }

    fn lookup(&self, now: UnixTime) -> Lookup {
        let expires = self.record.expires;
        if is_expired(&self.record, now) {
            return Lookup::Expired { since: expires };
        }
        Lookup::Found { value: self.record.value.clone(), expires }
    }
}

impl Snapshot {
    /// A set of these values. Of two with one name the later counts.
    pub(crate) fn new(records: Vec<ReferenceValueRecord>) -> Self {
        let empty = Arc::new(Bucket::default());
        let none = Snapshot { buckets: vec![empty; BUCKETS], len: 0, digest: OnceLock::new() };
        none.with(records)
    }

    /// This set with these values in addition, or in place of those of the same name.
    pub(crate) fn with(&self, records: Vec<ReferenceValueRecord>) -> Self {
        let mut next = self.changeable();
        for record in records {
            next.insert(Arc::new(Entry::new(record)));
        }
        next
    }

    /// A set of these values. Those that are in this set too are shared with it, digests included.
    pub(crate) fn renewed(&self, records: Vec<ReferenceValueRecord>) -> Self {
        let mut next = Snapshot::new(Vec::new());
        for record in records {
            let known = self.entry(&record.id).filter(|entry| entry.record == record).map(Arc::clone);
            next.insert(known.unwrap_or_else(|| Arc::new(Entry::new(record))));
        }
        next
    }

    /// A set of these entries; with two of one name it has fewer values than there are entries.
    pub(crate) fn of_entries(entries: Vec<Entry>) -> Self {
        let mut set = Snapshot::new(Vec::new());
        for entry in entries {
            set.insert(Arc::new(entry));
        }
        set
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        let id: Arc<str> = Arc::from(entry.record.id.as_str());
        if let Some(bucket) = self.bucket_mut(&id) {
            let before = bucket.entries.insert(id, entry);
            self.len += usize::from(before.is_none());
        }
    }

    /// This set without the value of that name.
    pub(crate) fn without(&self, id: &str) -> Self {
        self.without_all([id])
    }

    /// This set without the values of those names.
    pub(crate) fn without_all<'i>(&self, ids: impl IntoIterator<Item = &'i str>) -> Self {
        let mut next = self.changeable();
        for id in ids {
            if let Some(bucket) = next.bucket_mut(id) {
                let removed = bucket.entries.remove(id);
                next.len -= usize::from(removed.is_some());
            }
        }
        next
    }

    fn changeable(&self) -> Self {
        Snapshot { buckets: self.buckets.clone(), len: self.len, digest: OnceLock::new() }
    }

    /// The bucket of a name, no longer shared with other snapshots.
    fn bucket_mut(&mut self, id: &str) -> Option<&mut Bucket> {
        let bucket = Arc::make_mut(self.buckets.get_mut(bucket_index(id))?);
        bucket.digest = OnceLock::new();
        Some(bucket)
    }

    /// The value of that name, expired or not.
    pub(crate) fn entry(&self, id: &str) -> Option<&Arc<Entry>> {
        self.buckets.get(bucket_index(id))?.entries.get(id)
    }

    /// All values, in no particular order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.buckets.iter().flat_map(|bucket| bucket.entries.values())
    }

    /// The number of values, expired ones among them.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn digest_bytes(&self) -> &[u8; SHA384_OUTPUT_LEN] {
        self.digest.get_or_init(|| {
            let mut set = Context::new(&SHA384);
            set.update(SET_LABEL);
            for bucket in &self.buckets {
                set.update(bucket.digest.get_or_init(|| bucket_digest(bucket)));
            }
            finish(set)
        })
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("len", &self.len).finish_non_exhaustive()
    }
}

impl ReferenceValueSnapshot for Snapshot {
    fn query(&self, id: &str, now: UnixTime) -> Lookup {
        self.entry(id).map_or(Lookup::Missing, |entry| entry.lookup(now))
    }

    fn group(&self, group: &str, now: UnixTime) -> Vec<AskedReferenceValue> {
        // All members are in one bucket, one behind the other. `$` is the character after `#`.
        let (from, to) = (format!("{group}#"), format!("{group}$"));
        let Some(bucket) = self.buckets.get(bucket_index(&from)) else { return Vec::new() };
        let members = bucket.entries.range::<str, _>((Bound::Included(&*from), Bound::Excluded(&*to)));
        members
            .map(|(id, entry)| AskedReferenceValue { id: id.to_string(), answer: entry.lookup(now) })
            .collect()
    }

    fn digest(&self) -> Digest {
        // The length is always right; if it were not, the digest of nothing would match no set.
        Digest::new(HashAlgorithm::Sha384, self.digest_bytes().to_vec())
            .unwrap_or_else(|_| Digest::sha384(&[]))
    }
}

/// A value ends with the beginning of the second `expires`, as a token does (RFC 7519, 4.1.4): a
/// verdict that rests on it could not be used in that second either.
pub(crate) fn is_expired(record: &ReferenceValueRecord, now: UnixTime) -> bool {
    record.expires <= now
}

/// The members of a group share a bucket: what follows the first `#` does not count.
fn bucket_index(id: &str) -> usize {
    let group = id.split('#').next().unwrap_or_default();
    digest(&SHA384, group.as_bytes()).as_ref().first().copied().map_or(0, usize::from)
}

fn bucket_digest(bucket: &Bucket) -> [u8; SHA384_OUTPUT_LEN] {
    let mut context = Context::new(&SHA384);
    context.update(BUCKET_LABEL);
    for entry in bucket.entries.values() {
        context.update(&entry.digest);
    }
    finish(context)
}

fn entry_digest(record: &ReferenceValueRecord, json: &str) -> [u8; SHA384_OUTPUT_LEN] {
    let mut context = Context::new(&SHA384);
    context.update(ENTRY_LABEL);
    for part in [record.id.as_bytes(), json.as_bytes()] {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    context.update(&record.expires.0.to_be_bytes());
    finish(context)
}

fn finish(context: Context) -> [u8; SHA384_OUTPUT_LEN] {
    let mut bytes = [0; SHA384_OUTPUT_LEN];
    for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    bytes
}

/// The value as text, in the form that digests cover.
pub(crate) fn canonical(value: &Value) -> String {
    let mut json = String::new();
    write_canonical(value, &mut json);
    json
}

/// JSON without white space, members by name. RFC 8785 is not used because it writes integers of more
/// than 53 bits as rounded doubles, and then two values could have one digest.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write_canonical(member, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, value: Value, expires: i64) -> ReferenceValueRecord {
        ReferenceValueRecord {
            id: id.to_owned(),
            value,
            version: 1,
            registered: UnixTime(0),
            expires: UnixTime(expires),
            source: "test".to_owned(),
        }
    }

    #[test]
    fn canonical_json_sorts_members_and_has_no_white_space() {
        let value: Value = serde_json::from_str(r#"{ "b": [1, {"z": null, "a": "\n"}], "a": 1.0 }"#).unwrap();
        let mut text = String::new();
        write_canonical(&value, &mut text);
        assert_eq!(text, r#"{"a":1.0,"b":[1,{"a":"\n","z":null}]}"#);
    }

    #[test]
    fn the_digest_follows_its_description() {
        // Two values, computed here step by step as the documentation says.
        let sha = |parts: &[&[u8]]| digest(&SHA384, &parts.concat()).as_ref().to_vec();
        let number = |n: usize| u64::try_from(n).unwrap().to_be_bytes();
        let value = |name: &str, json: &str, expires: i64| {
            sha(&[
                ENTRY_LABEL,
                &number(name.len()),
                name.as_bytes(),
                &number(json.len()),
                json.as_bytes(),
                &expires.to_be_bytes(),
            ])
        };
        let mut buckets = vec![Vec::new(); 256];
        for (name, json, expires) in [("a", "[1]", 7), ("b", "{\"x\":2}", 8)] {
            let index = usize::from(sha(&[name.as_bytes()])[0]);
            buckets[index].extend(value(name, json, expires));
        }
        let mut set = SET_LABEL.to_vec();
        for bucket in buckets {
            set.extend(sha(&[BUCKET_LABEL, &bucket]));
        }
        let snapshot = Snapshot::new(vec![
            record("b", serde_json::json!({"x": 2}), 8),
            record("a", serde_json::json!([1]), 7),
        ]);
        assert_eq!(snapshot.digest().as_bytes(), sha(&[&set]));
    }

    #[test]
    fn each_part_of_a_value_is_in_the_digest() {
        let of = |records: Vec<ReferenceValueRecord>| Snapshot::new(records).digest();
        let base = of(vec![record("a", Value::from(1), 10)]);
        assert_eq!(base, of(vec![record("a", Value::from(1), 10)]));
        for other in [
            vec![],
            vec![record("b", Value::from(1), 10)],
            vec![record("a", Value::from(2), 10)],
            vec![record("a", Value::from("1"), 10)],
            vec![record("a", Value::from(1), 11)],
            vec![record("a", Value::from(1), 10), record("b", Value::from(1), 10)],
        ] {
            assert_ne!(base, of(other));
        }
        // Neighbours that RFC 8785 would write alike.
        let large = |n: u64| of(vec![record("a", Value::from(n), 10)]);
        assert_ne!(large(9_007_199_254_740_992), large(9_007_199_254_740_993));
    }

    #[test]
    fn a_group_has_its_members_and_nobody_elses() {
        let names = ["g", "g#", "g#a", "g#b", "g#b#c", "g$", "ga", "ga#a", "h#a"];
        let mut set = Snapshot::new(names.iter().map(|name| record(name, Value::from(*name), 5)).collect());
        let group = |set: &Snapshot, now| {
            set.group("g", UnixTime(now))
                .into_iter()
                .map(|asked| (asked.id, asked.answer))
                .collect::<Vec<_>>()
        };
        let ids: Vec<String> = group(&set, 0).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["g#", "g#a", "g#b", "g#b#c"]);
        assert!(group(&set, 5).iter().all(|(_, answer)| *answer == Lookup::Expired { since: UnixTime(5) }));
        set = set.without("g#a").with(vec![record("g#d", Value::Null, 9)]);
        assert_eq!(group(&set, 0).len(), 4);
        assert!(set.group("x", UnixTime(0)).is_empty());
    }

    #[test]
    fn the_digest_does_not_depend_on_the_way_there() {
        let all = Snapshot::new((0..1000).map(|i| record(&format!("n{i}"), Value::from(i), 5)).collect());
        let mut by_steps = Snapshot::new(vec![record("gone", Value::Null, 5), record("n3", Value::Null, 1)]);
        for i in (0..1000).rev() {
            let before = by_steps.digest();
            by_steps = by_steps.with(vec![record(&format!("n{i}"), Value::from(i), 5)]);
            assert_ne!(by_steps.digest(), before);
        }
        let records = || all.entries().map(|entry| entry.record.clone()).collect::<Vec<_>>();
        assert_eq!(by_steps.renewed(records()).digest(), all.digest());
        assert_eq!(all.renewed(Vec::new()).len(), 0);
        by_steps = by_steps.without("gone").without("never there");
        assert_eq!(by_steps.digest(), all.digest());
        assert_eq!(by_steps.len(), 1000);
        assert_eq!(by_steps.entries().count(), 1000);
    }
}
