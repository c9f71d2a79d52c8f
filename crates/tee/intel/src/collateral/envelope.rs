//! The JSON objects around documents. Nobody signed them; what is signed is the exact text of a member
//! of theirs, so members are kept as they stand.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json::BadJson;

const MAX_MEMBERS: usize = 64;

/// The members of an object in their order, each value as the text has it.
pub(crate) struct Envelope<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Self::Value = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("member {name:.60?} stands twice")));
                    }
                    if members.len() >= MAX_MEMBERS {
                        return Err(A::Error::custom(format!("more than {MAX_MEMBERS} members")));
                    }
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Envelope)
    }
}

impl<'a> Envelope<'a> {
    /// Reads an object; members that stand twice are refused.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, BadJson> {
        serde_json::from_slice(text).map_err(|e| BadJson::parser("the JSON object", &e))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The first member whose name is not among `known`.
    pub(crate) fn unknown(&self, known: &[&str]) -> Option<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| !known.contains(name))
    }

    /// The exact text of a member. `null` counts as none.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        let text = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())?;
        (text != "null").then_some(text)
    }

    /// A member that is a string.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, BadJson> {
        let parse = |raw: &str| serde_json::from_str(raw).map_err(|e| BadJson::parser(name, &e));
        self.raw(name).map(parse).transpose()
    }

    /// A member that must be there.
    pub(crate) fn need<T>(name: &str, value: Option<T>) -> Result<T, BadJson> {
        value.ok_or_else(|| BadJson::new(name, "missing"))
    }
}

/// A signature as Intel writes it: r and s, each 32 bytes, big endian, as 128 hexadecimal digits.
pub(crate) fn signature(name: &str, text: &str) -> Result<[u8; 64], BadJson> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|e| BadJson::new(name, format!("expected 128 hexadecimal digits: {e}")))?;
    Ok(bytes)
}
