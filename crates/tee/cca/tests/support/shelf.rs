//! Reference values in memory, out of files of endorsements.

use std::collections::BTreeMap;

use assay_tee_cca::endorsement::read_file;
use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, UnixTime};
use serde_json::Value;

/// What files say, by the names under which it is stored. It never ends.
#[derive(Debug, Default)]
pub struct Shelf(BTreeMap<String, Value>);

impl Shelf {
    /// All endorsements of these files, trust anchors too.
    pub fn of<B: AsRef<[u8]>>(files: impl IntoIterator<Item = B>) -> Self {
        let mut shelf = Shelf::default();
        for file in files {
            let read = read_file(file.as_ref()).unwrap_or_else(|error| panic!("{error}"));
            for named in read.endorsements {
                let value = named.endorsement.to_value();
                shelf.0.extend(named.names().into_iter().map(|name| (name, value.clone())));
            }
        }
        shelf
    }
}

impl ReferenceValueSnapshot for Shelf {
    fn query(&self, id: &str, _now: UnixTime) -> Lookup {
        match self.0.get(id) {
            Some(value) => Lookup::Found { value: value.clone(), expires: UnixTime::MAX },
            None => Lookup::Missing,
        }
    }

    fn group(&self, group: &str, now: UnixTime) -> Vec<AskedReferenceValue> {
        let of_group = |id: &&String| id.split_once('#').is_some_and(|(name, _)| name == group);
        let ids = self.0.keys().filter(of_group);
        ids.map(|id| AskedReferenceValue { id: id.clone(), answer: self.query(id, now) }).collect()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"shelf")
    }
}
