//! The members of a CBOR map, to be changed one at a time.

use assay_cbor::Value;

/// The members of a map in the order of its encoding. Nothing is checked: keys may repeat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(pub Vec<(Value, Value)>);

impl Members {
    /// The value of a key.
    pub fn get(&self, key: i64) -> Option<&Value> {
        self.0.iter().find(|(found, _)| found.as_i64() == Some(key)).map(|(_, value)| value)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: i64) -> Option<&mut Value> {
        self.0.iter_mut().find(|(found, _)| found.as_i64() == Some(key)).map(|(_, value)| value)
    }

    /// Sets the value of a key, where it stands or at the end.
    pub fn set(&mut self, key: i64, value: impl Into<Value>) {
        match self.get_mut(key) {
            Some(place) => *place = value.into(),
            None => self.add(key, value),
        }
    }

    /// Takes a key out, however often it is there.
    pub fn remove(&mut self, key: i64) {
        self.0.retain(|(found, _)| found.as_i64() != Some(key));
    }

    /// Adds a member at the end, whether or not its key is there.
    pub fn add(&mut self, key: impl Into<Value>, value: impl Into<Value>) {
        self.0.push((key.into(), value.into()));
    }

    /// Adds the member of a key once more, so that it is there twice; nothing when it is not there.
    pub fn duplicate(&mut self, key: i64) {
        if let Some(value) = self.get(key).cloned() {
            self.add(key, value);
        }
    }

    /// The encoded map.
    pub fn encode(&self) -> Vec<u8> {
        Value::Map(self.0.clone()).encode()
    }
}

/// An encoded string, array or map with its outermost length left open (RFC 8949, section 3.2): the
/// same data to a tolerant reader. `None` for other items and for heads that are not well-formed.
pub fn indefinite(encoded: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = encoded.split_first()?;
    let open = first & 0xe0 | 0x1f;
    let argument_len = match first & 0x1f {
        0..24 => 0,
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    // A string is one chunk of itself; of an array or a map only the head is another.
    let content = match first >> 5 {
        2 | 3 => encoded,
        4 | 5 => rest.get(argument_len..)?,
        _ => return None,
    };
    Some([&[open], content, &[0xff]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_set_removed_added_and_doubled() {
        let mut members = Members::default();
        members.set(1, "a");
        members.set(2, [7_u8; 2]);
        members.set(1, "b");
        assert_eq!(members.get(1), Some(&Value::from("b")));
        members.duplicate(2);
        members.duplicate(9);
        members.add("text", true);
        assert_eq!(hex::encode(members.encode()), "a40161620242070702420707647465787".to_owned() + "4f5");
        members.remove(2);
        assert_eq!(members.0.len(), 2);
    }

    #[test]
    fn outermost_lengths_are_opened() {
        let open = |encoded| indefinite(&hex::decode(encoded).unwrap()).map(hex::encode);
        assert_eq!(open("a10102").unwrap(), "bf0102ff");
        assert_eq!(open("b90001" /* longer head */).unwrap(), "bfff");
        assert_eq!(open("820102").unwrap(), "9f0102ff");
        assert_eq!(open("420102").unwrap(), "5f420102ff");
        assert_eq!(open("6161").unwrap(), "7f6161ff");
        for other in ["", "01", "f6", "d201", "bf", "b9"] {
            assert_eq!(open(other), None, "{other}");
        }
    }
}
