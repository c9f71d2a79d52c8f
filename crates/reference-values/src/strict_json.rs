//! JSON in which nothing is guessed at: no member twice, no number that cannot be held exactly, no
//! more levels than allowed. All of it is checked while reading, before anything is built.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Integers of this size and beyond have neighbours that are the same `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The members of a JSON object, in the order of the text. Their values have at most `depth` levels
/// (a number has one, an array of numbers two).
pub(crate) fn object(text: &[u8], depth: usize) -> Result<Vec<(String, Value)>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let members = deserializer.deserialize_map(Members { depth })?;
    deserializer.end()?;
    Ok(members)
}

/// A JSON value of at most `depth` levels.
pub(crate) fn value(text: &[u8], depth: usize) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The members of an object whose values have at most `depth` levels.
struct Members {
    depth: usize,
}

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut names = HashSet::new();
        let mut members = Vec::new();
        while let Some(name) = access.next_key::<String>()? {
            if !names.insert(name.clone()) {
                let shown: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format!("the member {shown:?} is there twice")));
            }
            let value = access.next_value_seed(Strict { depth: self.depth })?;
            members.push((name, value));
        }
        Ok(members)
    }
}

/// A value of at most `depth` levels.
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth == 0 {
            return Err(D::Error::custom("too many levels"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // An integer beyond 64 bits arrives here too, already rounded.
        if value.abs() >= EXACT {
            return Err(E::custom("a number is too large to be held exactly"));
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.depth - 1;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Strict { depth })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let members = Members { depth: self.depth - 1 }.visit_map(access)?;
        Ok(Value::Object(members.into_iter().collect::<Map<String, Value>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, depth: usize) -> Result<Value, String> {
        object(text.as_bytes(), depth)
            .map(|members| Value::Object(members.into_iter().collect()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn plain_json_is_read_as_it_stands() {
        let text =
            r#"{"n":null,"t":true,"i":-3,"u":18446744073709551615,"f":1.5,"s":"ü","a":[1,[]],"o":{"x":{}}}"#;
        assert_eq!(read(text, 3).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(read("{}", 1).unwrap(), serde_json::json!({}));
    }

    #[test]
    fn levels_are_counted() {
        assert!(read(r#"{"a":1}"#, 1).is_ok());
        assert!(read(r#"{"a":[1]}"#, 1).unwrap_err().contains("too many levels"));
        assert!(read(r#"{"a":[1]}"#, 2).is_ok());
        assert!(read(r#"{"a":{"b":[]}}"#, 2).is_ok());
        assert!(read(r#"{"a":{"b":[0]}}"#, 2).unwrap_err().contains("too many levels"));
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&deep, 16).unwrap_err().contains("too many levels"));
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        for (text, why) in [
            (r#"{"a":1,"a":2}"#, "twice"),
            (r#"{"a":{"b":1,"b":1}}"#, "twice"),
            (r#"{"a":18446744073709551616}"#, "exactly"),
            (r#"{"a":-1e300}"#, "exactly"),
            (r#"{"a":1e999}"#, "out of range"),
            (r#"[1]"#, "a JSON object"),
            (r#""a""#, "a JSON object"),
            (r#"{"a":1} x"#, "trailing"),
            (r#"{"a":1"#, "EOF"),
            ("", "EOF"),
            (r#"{a:1}"#, "key must be a string"),
        ] {
            let error = read(text, 16).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
