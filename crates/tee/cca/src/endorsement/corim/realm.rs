//! The realm profile: the initial and the extensible measurements, and the personalization value.

use std::collections::BTreeMap;

use assay_corim::{Measurement as Entry, ValueTriple};

use super::measurement::{self, Member, digests, only, personalization_value};
use super::{Problems, checks, class_bytes};
use crate::endorsement::value::DIGEST_LENGTHS;
use crate::endorsement::{Endorsement, Measurement, RealmReference};

const RIM: &str = "cca.rim";
const RPV: &str = "cca.rpv";
const REMS: [&str; 4] = ["cca.rem0", "cca.rem1", "cca.rem2", "cca.rem3"];

/// A measurement that was stated; `None` within when it is unusable.
type Stated<T> = Option<Option<T>>;

#[derive(Default)]
struct Set {
    rim: Stated<Measurement>,
    rems: [Stated<Measurement>; 4],
    rpv: Stated<[u8; 64]>,
    /// Where its first measurement is.
    path: String,
}

/// One set for each class, which is an initial measurement.
pub(super) fn reference_values(
    triples: &[ValueTriple],
    path: &str,
    problems: &mut Problems,
) -> Vec<Endorsement> {
    let mut sets: BTreeMap<Vec<u8>, Set> = BTreeMap::new();
    for (index, triple) in triples.iter().enumerate() {
        let path = format!("{path}.reference[{index}]");
        // The measurements of a class that is wrong are looked at too.
        let mut stray = Set::default();
        let set = match class(triple, &path, problems) {
            Some(id) => sets.entry(id).or_insert_with(|| Set { path: path.clone(), ..Set::default() }),
            None => &mut stray,
        };
        for (index, entry) in triple.measurements.iter().enumerate() {
            set.add(entry, &format!("{path}.measurements[{index}]"), problems);
        }
    }
    sets.into_iter().filter_map(|(class, set)| set.finish(&class, problems)).collect()
}

fn class(triple: &ValueTriple, path: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    let (check, expected) = (&checks::REALM_CLASS, "bytes (tag 560), 32, 48 or 64 of them");
    let bytes = class_bytes(&triple.environment, check, expected, false, path, problems)?;
    if DIGEST_LENGTHS.contains(&bytes.len()) {
        return Some(bytes.to_vec());
    }
    let path = format!("{path}.environment.class.class-id");
    problems.add(check, path, expected, format!("{} bytes", bytes.len()));
    None
}

impl Set {
    fn add(&mut self, entry: &Entry, path: &str, problems: &mut Problems) {
        let Some(key) = measurement::key(entry, path, problems) else { return };
        let rem = self.rems.iter_mut().zip(REMS).find(|(_, name)| *name == key).map(|(slot, _)| slot);
        let twice = match (key, rem) {
            (RIM, _) => {
                only(&[Member::Digests], entry, path, problems);
                self.rim.replace(digests(entry, path, problems)).is_some()
            }
            (RPV, _) => {
                only(&[Member::RawValue], entry, path, problems);
                self.rpv.replace(personalization_value(entry, path, problems)).is_some()
            }
            (_, Some(slot)) => {
                only(&[Member::Digests], entry, path, problems);
                slot.replace(digests(entry, path, problems)).is_some()
            }
            (other, None) => {
                let expected = "cca.rim, cca.rem0 to cca.rem3, or cca.rpv";
                let found: String = other.chars().take(64).collect();
                problems.add(&checks::MKEY_NAME, format!("{path}.mkey"), expected, format!("{found:?}"));
                false
            }
        };
        if twice {
            problems.add(&checks::ONCE, path, format!("one {key}"), "a second one");
        }
    }

    fn finish(self, class: &[u8], problems: &mut Problems) -> Option<Endorsement> {
        let Some(rim) = self.rim else {
            problems.add(&checks::RIM, self.path, "a measurement with mkey cca.rim", "none");
            return None;
        };
        let initial_measurement = rim?;
        if !initial_measurement.0.iter().any(|digest| digest.value == class) {
            let found: Vec<String> =
                initial_measurement.0.iter().map(|digest| hex::encode(&digest.value)).collect();
            problems.add(&checks::RIM_IS_CLASS, self.path, hex::encode(class), found.join(", "));
            return None;
        }
        Some(Endorsement::Realm(RealmReference {
            initial_measurement,
            extensible_measurements: self.rems.map(Option::flatten),
            personalization_value: self.rpv.flatten(),
        }))
    }
}
