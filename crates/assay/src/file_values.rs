//! Reference values out of files, for what is done offline. They do not end.

use std::collections::BTreeMap;
use std::ops::Bound;

use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, UnixTime};
use serde_json::Value;

/// Reference values by name.
#[derive(Default)]
pub(crate) struct FileValues(pub(crate) BTreeMap<String, Value>);

fn found(value: &Value) -> Lookup {
    Lookup::Found { value: value.clone(), expires: UnixTime::MAX }
}

impl ReferenceValueSnapshot for FileValues {
    fn query(&self, id: &str, _now: UnixTime) -> Lookup {
        self.0.get(id).map_or(Lookup::Missing, found)
    }

    fn group(&self, group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        // `$` is the character after `#`.
        let (from, to) = (format!("{group}#"), format!("{group}$"));
        let members = self.0.range::<str, _>((Bound::Included(&*from), Bound::Excluded(&*to)));
        members.map(|(id, value)| AskedReferenceValue { id: id.clone(), answer: found(value) }).collect()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(serde_json::to_string(&self.0).unwrap_or_default().as_bytes())
    }
}
