//! Reading the members of maps and the items of arrays.

use assay_cbor::{Value, diagnostic};

use crate::CorimError;
use crate::path::Path;

/// The longest name, identifier or URI that is read, in bytes.
pub(crate) const MAX_TEXT: usize = 1024;

/// The longest other text (keys and certificates in PEM) or byte string, in bytes.
pub(crate) const MAX_BLOB: usize = 64 << 10;

/// The most remarks that are kept.
const MAX_NOTES: usize = 100;

/// Something that was read differently from what stands there, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub path: String,
    /// What.
    pub text: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// Collects remarks.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    pub(crate) fn add(&mut self, path: &Path<'_>, text: impl Into<String>) {
        if self.0.len() < MAX_NOTES {
            self.0.push(Note { path: path.to_string(), text: text.into() });
        } else if self.0.len() == MAX_NOTES {
            self.0.push(Note { path: path.to_string(), text: "there are more remarks than are kept".into() });
        }
    }

    pub(crate) fn finish(self) -> Vec<Note> {
        self.0
    }
}

/// A map whose keys are integers.
pub(crate) struct Members<'v, 'p> {
    map: &'v Value,
    path: &'p Path<'p>,
}

impl<'v, 'p> Members<'v, 'p> {
    pub(crate) fn of(value: &'v Value, path: &'p Path<'p>) -> Result<Self, CorimError> {
        match value {
            Value::Map(_) => Ok(Members { map: value, path }),
            other => Err(CorimError::form(path, "a map", other.describe())),
        }
    }

    pub(crate) fn get(&self, key: i64) -> Option<&'v Value> {
        self.map.get(key)
    }

    pub(crate) fn must(&self, key: i64, name: &'static str) -> Result<&'v Value, CorimError> {
        self.get(key).ok_or_else(|| CorimError::Missing { path: self.path.member(name).to_string() })
    }

    /// The member, read by `read`, if there is one.
    pub(crate) fn maybe<T>(
        &self,
        key: i64,
        name: &'static str,
        read: impl FnOnce(&'v Value, &Path<'_>) -> Result<T, CorimError>,
    ) -> Result<Option<T>, CorimError> {
        self.get(key).map(|value| read(value, &self.path.member(name))).transpose()
    }

    /// The members with other keys than these.
    pub(crate) fn others(&self, known: &[i64]) -> impl Iterator<Item = &'v (Value, Value)> {
        let members = self.map.as_map().unwrap_or_default();
        members.iter().filter(move |(key, _)| !key.as_i64().is_some_and(|key| known.contains(&key)))
    }

    /// Remarks on the members with other keys than these.
    pub(crate) fn note_others(&self, known: &[i64], notes: &mut Notes) {
        for (key, _) in self.others(known) {
            notes.add(self.path, format!("the member {} is not read", cut(&diagnostic(key))));
        }
    }
}

pub(crate) fn items<'v>(value: &'v Value, limit: usize, path: &Path<'_>) -> Result<&'v [Value], CorimError> {
    let Some(items) = value.as_array() else {
        return Err(CorimError::form(path, "an array", value.describe()));
    };
    if items.len() > limit {
        return Err(CorimError::TooMany { path: path.to_string(), limit, found: items.len() });
    }
    Ok(items)
}

/// The items of an array, one or more, each read by `read`.
pub(crate) fn list<'v, T>(
    value: &'v Value,
    limit: usize,
    path: &Path<'_>,
    mut read: impl FnMut(&'v Value, &Path<'_>) -> Result<T, CorimError>,
) -> Result<Vec<T>, CorimError> {
    let items = items(value, limit, path)?;
    if items.is_empty() {
        return Err(CorimError::form(path, "an array of one item or more", "an empty one"));
    }
    items.iter().enumerate().map(|(index, item)| read(item, &path.item(index))).collect()
}

pub(crate) fn text_up_to(value: &Value, limit: usize, path: &Path<'_>) -> Result<String, CorimError> {
    match value {
        Value::Text(text) if text.len() <= limit && !text.is_empty() => Ok(text.clone()),
        Value::Text(text) => {
            let expected = format!("a text string of 1 to {limit} bytes");
            Err(CorimError::form(path, expected, format!("one of {} bytes", text.len())))
        }
        other => Err(CorimError::form(path, "a text string", other.describe())),
    }
}

pub(crate) fn text(value: &Value, path: &Path<'_>) -> Result<String, CorimError> {
    text_up_to(value, MAX_TEXT, path)
}

pub(crate) fn bytes(value: &Value, path: &Path<'_>) -> Result<Vec<u8>, CorimError> {
    match value {
        Value::Bytes(bytes) if bytes.len() <= MAX_BLOB => Ok(bytes.clone()),
        Value::Bytes(bytes) => {
            let expected = format!("a byte string of up to {MAX_BLOB} bytes");
            Err(CorimError::form(path, expected, format!("one of {} bytes", bytes.len())))
        }
        other => Err(CorimError::form(path, "a byte string", other.describe())),
    }
}

pub(crate) fn array_of<const N: usize>(value: &Value, path: &Path<'_>) -> Result<[u8; N], CorimError> {
    let bytes = value.as_bytes().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| CorimError::form(path, format!("a byte string of {N} bytes"), value.describe()))
}

pub(crate) fn unsigned(value: &Value, path: &Path<'_>) -> Result<u64, CorimError> {
    value.as_u64().ok_or_else(|| CorimError::form(path, "an unsigned integer", value.describe()))
}

pub(crate) fn integer(value: &Value, path: &Path<'_>) -> Result<i64, CorimError> {
    value.as_i64().ok_or_else(|| CorimError::form(path, "an integer of 64 bits", value.describe()))
}

/// A URI with tag 32. Some write the text alone.
pub(crate) fn uri(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<String, CorimError> {
    match value {
        Value::Tag(32, content) => text(content, path),
        Value::Text(_) => {
            notes.add(path, "a URI without its tag 32, read as if it had it");
            text(value, path)
        }
        other => Err(CorimError::form(path, "a URI (tag 32)", other.describe())),
    }
}

pub(crate) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
