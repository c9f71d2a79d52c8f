//! JSON that says one thing only: no member twice, at any depth, and bounded in levels and values. This is
//! checked by one walk that builds nothing; the types are read after it.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The most levels, the object itself included.
const MAX_DEPTH: usize = 8;

/// The most values, those in other values included.
const MAX_VALUES: usize = 1024;

/// Checks `text`; gives what is wrong with it, cut to a bounded length.
pub(crate) fn check(text: &[u8]) -> Result<(), String> {
    let mut left = MAX_VALUES;
    let mut reader = serde_json::Deserializer::from_slice(text);
    reader
        .deserialize_map(Walk { depth: MAX_DEPTH, left: &mut left })
        .and_then(|()| reader.end())
        .map_err(|error| crate::error::shown(&error.to_string()))
}

/// A walk over one value that may have `depth` levels.
struct Walk<'a> {
    depth: usize,
    left: &'a mut usize,
}

impl Walk<'_> {
    /// The walk over a value within this one.
    fn inner<E: Error>(&mut self) -> Result<Walk<'_>, E> {
        *self.left =
            self.left.checked_sub(1).ok_or_else(|| E::custom(format!("more than {MAX_VALUES} values")))?;
        let depth = self.depth.saturating_sub(1);
        Ok(Walk { depth, left: self.left })
    }

    fn levels<E: Error>(&self) -> Result<(), E> {
        if self.depth == 0 { Err(E::custom(format!("more than {MAX_DEPTH} levels"))) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<(), A::Error> {
        self.levels()?;
        while access.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<(), A::Error> {
        self.levels()?;
        let mut names = HashSet::new();
        while let Some(name) = access.next_key::<String>()? {
            access.next_value_seed(self.inner()?)?;
            if let Some(name) = names.replace(name) {
                let shown: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format!("the member {shown:?} is there twice")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_one_thing_passes() {
        for text in [r#"{}"#, r#" {"a":null,"b":[true,-1,2,1.5,"x",{}],"c":{"a":{"a":1}}} "#] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_unbounded_is_refused() {
        let levels = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        let values = |n: usize| format!("{{\"a\":[{}]}}", vec!["0"; n].join(","));
        assert_eq!(check(levels(MAX_DEPTH - 1).as_bytes()), Ok(()));
        // One value more is asked for than there is before the end of the list shows.
        assert_eq!(check(values(MAX_VALUES - 2).as_bytes()), Ok(()));
        for (text, why) in [
            (r#"{"a":1,"a":1}"#.to_owned(), "twice"),
            (r#"{"a":1,"\u0061":1}"#.to_owned(), "twice"),
            (r#"{"a":{"b":1,"b":2}}"#.to_owned(), "twice"),
            (r#"{"a":[{"b":1,"b":2}]}"#.to_owned(), "twice"),
            (levels(MAX_DEPTH), "levels"),
            (levels(100_000), "levels"),
            (values(MAX_VALUES + 1), "values"),
            ("[]".to_owned(), "a JSON object"),
            ("\"a\"".to_owned(), "a JSON object"),
            ("{} x".to_owned(), "trailing"),
            ("{".to_owned(), "EOF"),
            (String::new(), "EOF"),
        ] {
            let error = check(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
