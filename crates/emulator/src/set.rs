//! Fields that are set by text: `--set field=value`.

use assay_types::{Tee, UnixTime};

use crate::EmulatorError;

/// A field of emulated evidence that can be set by text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, as in `--set name=value`.
    pub name: &'static str,
    /// What it is and how its value is written.
    pub meaning: &'static str,
}

/// One wish: a known name, and a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) name: &'static str,
    value: &'a str,
}

/// Finds every name among `fields`.
pub(crate) fn settings<'a>(
    tee: Tee,
    fields: &'static [Field],
    set: &'a [(String, String)],
) -> Result<Vec<Setting<'a>>, EmulatorError> {
    let mut settings: Vec<Setting<'a>> = Vec::new();
    for (name, value) in set {
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
            return Err(EmulatorError::UnknownField { tee, name: cut(name), known: known.join(", ") });
        };
        if settings.iter().any(|setting| setting.name == field.name) {
            return Err(EmulatorError::FieldTwice { name: name.clone() });
        }
        settings.push(Setting { name: field.name, value });
    }
    Ok(settings)
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

impl<'a> Setting<'a> {
    /// The error that the value is not `expected`.
    pub(crate) fn bad(&self, expected: impl Into<String>) -> EmulatorError {
        EmulatorError::BadValue { name: self.name.into(), value: cut(self.value), expected: expected.into() }
    }

    /// The text, of at most 256 bytes.
    pub(crate) fn text(&self) -> Result<&'a str, EmulatorError> {
        if self.value.len() <= 256 { Ok(self.value) } else { Err(self.bad("a text of at most 256 bytes")) }
    }

    /// A number, decimal or hexadecimal after `0x`, that `T` can hold.
    pub(crate) fn number<T: TryFrom<u64>>(&self) -> Result<T, EmulatorError> {
        let number = match self.value.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => self.value.parse(),
        };
        number.ok().and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
            self.bad(format!("a number of {} bits, decimal or hexadecimal after 0x", 8 * size_of::<T>()))
        })
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Result<bool, EmulatorError> {
        self.value.parse().map_err(|_| self.bad("true or false"))
    }

    /// Exactly `N` bytes in hexadecimal.
    pub(crate) fn bytes<const N: usize>(&self) -> Result<[u8; N], EmulatorError> {
        let mut bytes = [0; N];
        hex::decode_to_slice(self.value, &mut bytes)
            .map_err(|_| self.bad(format!("{N} bytes, that is {} hexadecimal digits", 2 * N)))?;
        Ok(bytes)
    }

    /// Bytes in hexadecimal, `max` of them at most.
    pub(crate) fn some_bytes(&self, max: usize) -> Result<Vec<u8>, EmulatorError> {
        hex::decode(self.value)
            .ok()
            .filter(|bytes| bytes.len() <= max)
            .ok_or_else(|| self.bad(format!("at most {max} bytes in hexadecimal")))
    }

    /// A date and time.
    pub(crate) fn time(&self) -> Result<UnixTime, EmulatorError> {
        UnixTime::parse_rfc3339(self.value).map_err(|error| self.bad(error.to_string()))
    }

    /// One of the words, by what each stands for.
    pub(crate) fn one_of<T: Clone>(&self, words: &[(&str, T)]) -> Result<T, EmulatorError> {
        words.iter().find(|(word, _)| *word == self.value).map(|(_, meaning)| meaning.clone()).ok_or_else(
            || {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.bad(format!("one of {}", words.join(", ")))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[Field { name: "a", meaning: "" }, Field { name: "b.c", meaning: "" }];

    fn one(value: &str) -> Setting<'_> {
        Setting { name: "a", value }
    }

    #[test]
    fn numbers_are_bounded_by_their_type() {
        assert_eq!(one("255").number::<u8>().unwrap(), 255);
        assert_eq!(one("0xFf").number::<u8>().unwrap(), 255);
        assert_eq!(one("18446744073709551615").number::<u64>().unwrap(), u64::MAX);
        for value in ["256", "0x100", "-1", "", "0x", "1.0", "ten", " 1", "99999999999999999999999"] {
            let error = one(value).number::<u8>().unwrap_err().to_string();
            assert!(error.contains("a number of 8 bits"), "{error}");
        }
    }

    #[test]
    fn lengths_words_and_dates_are_strict() {
        assert_eq!(one("00ff").bytes::<2>().unwrap(), [0, 255]);
        for value in ["", "00", "000000", "zzzz", "0xff"] {
            assert!(one(value).bytes::<2>().is_err(), "{value}");
        }
        assert!(one("true").boolean().unwrap());
        assert!(one("1").boolean().is_err());
        assert_eq!(one("").some_bytes(2).unwrap(), Vec::<u8>::new());
        assert!(one("000000").some_bytes(2).is_err());
        assert_eq!(one("x").one_of(&[("x", 1), ("y", 2)]).unwrap(), 1);
        assert!(one("z").one_of(&[("x", 1), ("y", 2)]).unwrap_err().to_string().contains("one of x, y"));
        assert!(one("2026-01-01").time().is_err());
        assert!(one(&"x".repeat(257)).text().is_err());
    }

    #[test]
    fn unknown_and_doubled_names_are_refused() {
        let set = |names: &[&str]| names.iter().map(|n| (n.to_string(), "1".to_string())).collect::<Vec<_>>();
        assert_eq!(settings(Tee::Snp, FIELDS, &set(&["b.c", "a"])).unwrap()[0].name, "b.c");
        assert_eq!(
            settings(Tee::Snp, FIELDS, &set(&["a", "d"])).unwrap_err().to_string(),
            "the emulated TEE snp has no field \"d\"; it has a, b.c"
        );
        assert_eq!(
            settings(Tee::Snp, FIELDS, &set(&["a", "a"])).unwrap_err(),
            EmulatorError::FieldTwice { name: "a".into() }
        );
    }
}
