//! `LocalJson`: a file for each namespace, one JSON object from key to base64.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;

use assay_types::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Allowance, MAX_ENTRIES, MAX_TOTAL_LEN, MAX_VALUE_LEN, Namespace};
use crate::foreign::{Entry, EntryError, ForeignError};

/// The longest key in bytes. `LocalJson` takes keys with any characters, unlike the other places.
const MAX_KEY_LEN: usize = 1024;

/// `<folder>/<namespace>.json`, or without the ending.
pub(super) fn local_json(folder: &Path, namespace: Namespace) -> Result<Vec<Entry>, ForeignError> {
    if !folder.is_dir() {
        return Err(ForeignError::NotThere { place: folder.display().to_string() });
    }
    for name in [format!("{}.json", namespace.as_str()), namespace.as_str().to_owned()] {
        let file = folder.join(name);
        if let Some(text) = read_file(&file)? {
            return parse_local_json(&text, &file.display().to_string());
        }
    }
    Ok(Vec::new())
}

/// A whole file of stored values, at most `MAX_TOTAL_LEN` bytes with its base64; `None` when there is
/// none. A link is not followed: Trustee writes the file itself.
fn read_file(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, ForeignError> {
    let place = || path.display().to_string();
    let failed = |error: io::Error| ForeignError::NotReadable { place: place(), detail: error.to_string() };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => std::fs::File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => {
            return Err(ForeignError::NotReadable { place: place(), detail: "it is a link".to_owned() });
        }
        Err(error) => return Err(failed(error.into())),
    };
    let status = file.metadata().map_err(failed)?;
    if !status.is_file() {
        let detail = "it is not a regular file".to_owned();
        return Err(ForeignError::NotReadable { place: place(), detail });
    }
    let too_large = || ForeignError::TooLarge { place: place(), limit: MAX_TOTAL_LEN };
    let len = usize::try_from(status.len()).map_err(|_| too_large())?;
    if len > MAX_TOTAL_LEN {
        return Err(too_large());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(len + 1));
    let limit = u64::try_from(MAX_TOTAL_LEN).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_TOTAL_LEN { Err(too_large()) } else { Ok(Some(bytes)) }
}

/// Reads the text of such a file; `place` names it in errors. A key that stands there twice is an error:
/// which of the two holds would be a guess.
///
/// # Errors
/// `Malformed`, `TooMany`, `TooLarge`. A value that is not base64, or is too large, is an entry without one.
pub fn parse_local_json(text: &[u8], place: &str) -> Result<Vec<Entry>, ForeignError> {
    let named = || place.to_owned();
    let mut bounded = None;
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = deserializer
        .deserialize_map(Values { place: &named, bounded: &mut bounded })
        .and_then(|entries| deserializer.end().map(|()| entries));
    match (bounded, read) {
        (Some(error), _) => Err(error),
        (None, Ok(entries)) => Ok(entries),
        // The parser's own words may quote what stands there.
        (None, Err(error)) => Err(ForeignError::Malformed {
            place: named(),
            detail: format!(
                "line {}, column {}: {}",
                error.line(),
                error.column(),
                if error.is_eof() { "the text ends early" } else { EXPECTED }
            ),
        }),
    }
}

const EXPECTED: &str = "expected is one JSON object, each key once, with texts as values";

struct Values<'a> {
    place: &'a dyn Fn() -> String,
    /// The bound that was passed, when one was.
    bounded: &'a mut Option<ForeignError>,
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Vec<Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut allowance = Allowance::new(self.place);
        let (mut keys, mut entries) = (HashSet::new(), Vec::new());
        while let Some((key, mut text)) = access.next_entry::<String, String>()? {
            let value = decode(&text).and_then(|value| check_key(&key).map(|()| value));
            text.zeroize();
            let len = value.as_ref().map_or(0, |value| value.expose().len());
            if let Err(error) = allowance.take(len) {
                *self.bounded = Some(error);
                return Err(A::Error::custom("a bound was passed"));
            }
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom("a key is there twice"));
            }
            entries.push(Entry { key, value });
        }
        debug_assert!(entries.len() <= MAX_ENTRIES, "the allowance counts");
        Ok(entries)
    }
}

fn check_key(key: &str) -> Result<(), EntryError> {
    match key.len() {
        0 => Err(EntryError::Key { detail: "it is empty" }),
        1..=MAX_KEY_LEN => Ok(()),
        _ => Err(EntryError::Key { detail: "it is longer than 1024 bytes" }),
    }
}

fn decode(text: &str) -> Result<SecretBytes, EntryError> {
    if text.len() > MAX_VALUE_LEN.div_ceil(3) * 4 {
        return Err(EntryError::TooLarge { limit: MAX_VALUE_LEN });
    }
    let value = URL_SAFE.decode(text).map(SecretBytes::new).map_err(|_| EntryError::Base64)?;
    if value.expose().len() > MAX_VALUE_LEN {
        return Err(EntryError::TooLarge { limit: MAX_VALUE_LEN });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, String> {
        parse_local_json(text.as_bytes(), "here").map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_base64_of_the_url_safe_alphabet_with_padding() {
        let entries = read(r#"{"a":"_-8=","b":"/+8=","c":"_-8","d":"","e":"A"}"#).unwrap();
        let values: Vec<_> = entries.into_iter().map(|entry| entry.value).collect();
        let bad = || Err(EntryError::Base64);
        let good = |bytes: &[u8]| Ok(SecretBytes::new(bytes.to_vec()));
        assert_eq!(values, [good(&[0xff, 0xef]), bad(), bad(), good(&[]), bad()]);
    }

    #[test]
    fn what_trustee_does_not_write_is_refused_without_quoting_it() {
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        for text in [
            "",
            "[]",
            "{",
            r#"{"a":1234567}"#,
            r#"{"a":["c2VjcmV0"]}"#,
            r#"{"a":{"b":"c2VjcmV0"}}"#,
            r#"{"a":"YQ==","a":"Yg=="}"#,
            r#"{"a":"YQ=="} "c2VjcmV0""#,
            r#"{"a":null}"#,
            "\"c2VjcmV0\"",
            &deep,
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("here is not of the form"), "{error}");
            assert!(!error.contains("c2VjcmV0") && !error.contains("1234567"), "{error}");
        }
        assert!(parse_local_json(b"{\"a\":\"\xff\"}", "here").is_err());
    }

    #[test]
    fn keys_are_bounded_and_may_have_any_characters() {
        let long = "k".repeat(1025);
        let entries = read(&format!(r#"{{"":"YQ==","rvps:///x:v1":"YQ==","{long}":"YQ=="}}"#)).unwrap();
        let good: Vec<bool> = entries.iter().map(|entry| entry.value.is_ok()).collect();
        assert_eq!(good, [false, true, false]);
    }

    proptest! {
        #[test]
        fn what_trustee_writes_is_read(stored in btree_map(".{1,20}", any::<Vec<u8>>(), 0..20)) {
            let written: serde_json::Map<_, _> = stored
                .iter()
                .map(|(key, value)| (key.clone(), URL_SAFE.encode(value).into()))
                .collect();
            let text = serde_json::to_vec(&written).unwrap();
            let read = parse_local_json(&text, "here").unwrap();
            prop_assert_eq!(read.len(), stored.len());
            for entry in read {
                prop_assert_eq!(&entry.value, &Ok(SecretBytes::new(stored[&entry.key].clone())));
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>()) {
            let _ = parse_local_json(&bytes, "here");
        }
    }
}
