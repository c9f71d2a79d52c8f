//! JSON of collateral, read strictly: what serde would let pass in silence is an error here, and each
//! error says where it is.
//!
//! Refused are: a member that stands twice, nesting deeper than 32, more than 100 000 values or 256
//! members of one object, anything after the value. What stands in a signed document beyond the members that are known is left alone:
//! Intel adds members without giving the document a new version (`category` and `type` of components,
//! `tdxModuleIdentities`), a document is Intel's word as a whole, and nothing unsigned can be put into
//! it. Where a change of meaning is meant, the version number changes, and that is refused. Wrappers
//! around documents are signed by nobody; in them unknown members are refused.

use std::fmt;

use assay_types::UnixTime;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

const MAX_DEPTH: usize = 32;
const MAX_VALUES: usize = 100_000;
const MAX_MEMBERS: usize = 256;
/// The longest message of the JSON parser that is passed on; some repeat what they found.
const MAX_MESSAGE: usize = 200;

/// A JSON value whose objects have no member twice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A whole number from 0 to 2^64 - 1.
    Number(u64),
    /// Any other number.
    OtherNumber,
    Text(String),
    Array(Vec<Json>),
    /// The members in their order.
    Object(Vec<(String, Json)>),
}

/// What is wrong in a JSON text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct BadJson {
    /// The place, such as `tcbInfo.tcbLevels[3].tcbDate`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl BadJson {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        BadJson { path: path.into(), problem: problem.into() }
    }

    /// What the JSON parser said of `path`.
    pub(crate) fn parser(path: impl Into<String>, error: &serde_json::Error) -> Self {
        BadJson::new(path, error.to_string().chars().take(MAX_MESSAGE).collect::<String>())
    }
}

impl Json {
    /// Reads a text; `name` is what errors call it.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, BadJson> {
        let mut left = MAX_VALUES;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Seed { depth: 0, left: &mut left }
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value));
        value.map_err(|e| BadJson::parser(name, &e))
    }

    const fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::OtherNumber => "a number that is negative, too large or not whole",
            Json::Text(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

struct Seed<'a> {
    depth: usize,
    left: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom(format!("nested deeper than {MAX_DEPTH}")));
        }
        *self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom(format!("more than {MAX_VALUES} values")))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(u64::try_from(value).map_or(Json::OtherNumber, Json::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let Seed { depth, left } = self;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Seed { depth: depth.saturating_add(1), left })? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let Seed { depth, left } = self;
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("member {name:.60?} stands twice")));
            }
            if members.len() >= MAX_MEMBERS {
                return Err(A::Error::custom(format!("an object of more than {MAX_MEMBERS} members")));
            }
            let value = map.next_value_seed(Seed { depth: depth.saturating_add(1), left })?;
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

/// A value with the path to it.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) path: String,
    pub(crate) value: &'a Json,
}

impl<'a> Field<'a> {
    pub(crate) fn new(path: &str, value: &'a Json) -> Self {
        Field { path: path.to_owned(), value }
    }

    pub(crate) fn error(&self, problem: impl Into<String>) -> BadJson {
        BadJson::new(self.path.clone(), problem)
    }

    fn expected(&self, what: &str) -> BadJson {
        self.error(format!("expected {what}, found {}", self.value.kind()))
    }

    fn members(&self) -> Result<&'a [(String, Json)], BadJson> {
        match self.value {
            Json::Object(members) => Ok(members),
            _ => Err(self.expected("an object")),
        }
    }

    /// The member `name` of an object, where there is one.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<Field<'a>>, BadJson> {
        let value = self.members()?.iter().find(|(n, _)| n == name).map(|(_, value)| value);
        Ok(value.map(|value| Field { path: format!("{}.{name}", self.path), value }))
    }

    /// The member `name` of an object.
    pub(crate) fn get(&self, name: &str) -> Result<Field<'a>, BadJson> {
        let path = format!("{}.{name}", self.path);
        self.optional(name)?.ok_or_else(|| BadJson::new(path, "missing"))
    }

    /// The elements of an array, at most `most`.
    pub(crate) fn elements(&self, most: usize) -> Result<Vec<Field<'a>>, BadJson> {
        let Json::Array(values) = self.value else { return Err(self.expected("an array")) };
        if values.len() > most {
            return Err(self.error(format!("{} elements, at most {most} are read", values.len())));
        }
        let field = |(i, value)| Field { path: format!("{}[{i}]", self.path), value };
        Ok(values.iter().enumerate().map(field).collect())
    }

    /// A string.
    pub(crate) fn text(&self) -> Result<&'a str, BadJson> {
        match self.value {
            Json::Text(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    /// A whole number that `T` can hold.
    pub(crate) fn number<T: TryFrom<u64>>(&self) -> Result<T, BadJson> {
        let Json::Number(number) = self.value else { return Err(self.expected("a whole number")) };
        T::try_from(*number).map_err(|_| self.error(format!("{number} is out of range")))
    }

    /// `N` bytes in hexadecimal digits of either case.
    pub(crate) fn hex<const N: usize>(&self) -> Result<[u8; N], BadJson> {
        let text = self.text()?;
        let mut bytes = [0; N];
        let digits = N.saturating_mul(2);
        if text.len() != digits {
            return Err(
                self.error(format!("{} characters, expected {digits} hexadecimal digits", text.len()))
            );
        }
        hex::decode_to_slice(text, &mut bytes).map_err(|e| self.error(format!("not hexadecimal: {e}")))?;
        Ok(bytes)
    }

    /// A date and time (RFC 3339).
    pub(crate) fn date(&self) -> Result<UnixTime, BadJson> {
        UnixTime::parse_rfc3339(self.text()?).map_err(|e| self.error(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_serde_lets_pass_are_refused_here() {
        let deep = format!("{}{}", "[".repeat(34), "]".repeat(34));
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        let wide: Vec<String> = (0..=MAX_MEMBERS).map(|i| format!("\"{i}\":0")).collect();
        let wide = format!("{{{}}}", wide.join(","));
        for (text, problem) in [
            (r#"{"a":1,"a":2}"#, "\"a\" stands twice"),
            (r#"{"b":{"\u0061":1,"a":2}}"#, "\"a\" stands twice"),
            ("{} {}", "trailing characters"),
            ("", "EOF"),
            (&deep, "nested deeper than 32"),
            (&many, "more than 100000 values"),
            (&wide, "more than 256 members"),
        ] {
            let error = Json::read("x", text).unwrap_err();
            assert!(error.problem.contains(problem), "{error}");
        }
        assert!(Json::read("x", &format!("{}{}", "[".repeat(33), "]".repeat(33))).is_ok());
    }

    #[test]
    fn fields_say_where_they_are_and_what_they_should_be() {
        let json = Json::read("x", r#"{"a":[{"n":256,"h":"0g","s":-1,"d":"2020-01-01"}]}"#).unwrap();
        let root = Field::new("x", &json);
        let first = root.get("a").unwrap().elements(1).unwrap().remove(0);
        let error = |e: BadJson| e.to_string();
        assert_eq!(first.get("b").map(|_| ()).map_err(error), Err("x.a[0].b: missing".into()));
        assert_eq!(
            first.get("n").unwrap().number::<u8>().map_err(error),
            Err("x.a[0].n: 256 is out of range".into())
        );
        assert!(first.get("h").unwrap().hex::<1>().unwrap_err().problem.contains("not hexadecimal"));
        assert!(first.get("h").unwrap().hex::<2>().unwrap_err().problem.contains("expected 4"));
        assert!(first.get("s").unwrap().number::<u8>().unwrap_err().problem.contains("negative"));
        assert!(first.get("d").unwrap().date().unwrap_err().problem.contains("RFC 3339"));
        assert!(root.get("a").unwrap().elements(0).unwrap_err().problem.contains("at most 0"));
        assert!(root.get("a").unwrap().text().unwrap_err().problem.contains("found an array"));
    }
}
