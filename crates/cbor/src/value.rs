//! A data item.

/// A data item (RFC 8949, section 3).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An unsigned integer (major type 0).
    Unsigned(u64),
    /// A negative integer (major type 1): the value is `-1 - n`.
    Negative(u64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text string.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// A map, in the order of the encoding.
    Map(Vec<(Value, Value)>),
    /// A tagged item.
    Tag(u64, Box<Value>),
    /// `false` or `true`.
    Bool(bool),
    /// `null`.
    Null,
    /// `undefined`.
    Undefined,
    /// Another simple value: 0 to 19, or 32 to 255.
    Simple(u8),
    /// A floating-point number.
    Float(f64),
}

impl Value {
    /// A tagged item.
    pub fn tagged(tag: u64, value: impl Into<Value>) -> Self {
        Value::Tag(tag, Box::new(value.into()))
    }

    /// The bytes of a byte string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a text string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Unsigned(n) => Some(*n),
            _ => None,
        }
    }

    /// An integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Unsigned(n) => i64::try_from(*n).ok(),
            Value::Negative(n) => i64::try_from(*n).ok().map(|n| -1 - n),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members of a map.
    pub fn as_map(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Map(members) => Some(members),
            _ => None,
        }
    }

    /// Tag and content of a tagged item.
    pub fn as_tag(&self) -> Option<(u64, &Value)> {
        match self {
            Value::Tag(tag, content) => Some((*tag, content)),
            _ => None,
        }
    }

    /// The member of a map with this integer as key; `None` when there is none, or for what is no map.
    pub fn get(&self, key: i64) -> Option<&Value> {
        let member = self.as_map()?.iter().find(|(found, _)| found.as_i64() == Some(key));
        member.map(|(_, value)| value)
    }

    /// The member of a map with this text as key; `None` when there is none, or for what is no map.
    pub fn get_text(&self, key: &str) -> Option<&Value> {
        let member = self.as_map()?.iter().find(|(found, _)| found.as_text() == Some(key));
        member.map(|(_, value)| value)
    }

    /// What kind of item it is, in words for errors: "a byte string of 32 bytes".
    pub fn describe(&self) -> String {
        match self {
            Value::Unsigned(_) | Value::Negative(_) => "an integer".to_owned(),
            Value::Bytes(bytes) => format!("a byte string of {} bytes", bytes.len()),
            Value::Text(_) => "a text string".to_owned(),
            Value::Array(items) => format!("an array of {} items", items.len()),
            Value::Map(members) => format!("a map of {} members", members.len()),
            Value::Tag(tag, _) => format!("an item with tag {tag}"),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Null => "null".to_owned(),
            Value::Undefined => "undefined".to_owned(),
            Value::Simple(_) => "a simple value".to_owned(),
            Value::Float(_) => "a floating-point number".to_owned(),
        }
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        // `-1 - n` of a negative number does not overflow.
        match u64::try_from(n) {
            Ok(n) => Value::Unsigned(n),
            Err(_) => Value::Negative(u64::try_from(-1 - n).unwrap_or_default()),
        }
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Value::Unsigned(n)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::Bytes(bytes.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Value::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Value::Array(items)
    }
}

impl From<Vec<(Value, Value)>> for Value {
    fn from(members: Vec<(Value, Value)>) -> Self {
        Value::Map(members)
    }
}
