//! Reading.

use std::collections::BTreeSet;

use crate::{CborError, Problem, Value, diagnostic};

/// Up to this many members, keys are compared with each other one by one.
const FEW: usize = 16;

/// What input may be at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes.
    pub bytes: usize,
    /// Levels of arrays, maps and tags; a number alone has none.
    pub depth: usize,
    /// Data items, the keys of maps among them.
    pub items: usize,
}

impl Limits {
    /// 1 MiB, 16 levels, 65 536 items.
    pub const DEFAULT: Limits = Limits { bytes: 1 << 20, depth: 16, items: 1 << 16 };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}

/// Reads one data item; the input must be nothing else.
///
/// # Errors
/// [`CborError`], the first that is met.
pub fn read(input: &[u8], limits: Limits) -> Result<Value, CborError> {
    if input.len() > limits.bytes {
        let problem = Problem::TooLong { limit: limits.bytes, found: input.len() };
        return Err(CborError { offset: 0, problem });
    }
    let mut reader = Reader { input, rest: input, items: 0, limits };
    let value = reader.item(0)?;
    if !reader.rest.is_empty() {
        return Err(reader.error(Problem::Trailing { count: reader.rest.len() }));
    }
    Ok(value)
}

struct Reader<'a> {
    input: &'a [u8],
    rest: &'a [u8],
    items: usize,
    limits: Limits,
}

/// The head of an item (RFC 8949, 3).
struct Head {
    initial: u8,
    major: u8,
    argument: u64,
}

impl<'a> Reader<'a> {
    fn offset(&self) -> usize {
        self.input.len().saturating_sub(self.rest.len())
    }

    fn error(&self, problem: Problem) -> CborError {
        CborError { offset: self.offset(), problem }
    }

    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    fn head(&mut self) -> Result<Head, Problem> {
        let (initial, rest) = self.rest.split_first().ok_or(Problem::Truncated)?;
        self.rest = rest;
        let (major, info) = (initial >> 5, initial & 0x1f);
        let long = |bytes: Option<&[u8]>| {
            bytes
                .map(|b| b.iter().fold(0_u64, |n, byte| (n << 8) | u64::from(*byte)))
                .ok_or(Problem::Truncated)
        };
        let argument = match info {
            0..24 => u64::from(info),
            24 => long(self.take(1))?,
            25 => long(self.take(2))?,
            26 => long(self.take(4))?,
            27 => long(self.take(8))?,
            31 if matches!(major, 2..=5) => return Err(Problem::Indefinite),
            _ => return Err(Problem::Reserved { byte: *initial }),
        };
        Ok(Head { initial: *initial, major, argument })
    }

    fn item(&mut self, depth: usize) -> Result<Value, CborError> {
        let start = self.offset();
        let at_start = |problem| CborError { offset: start, problem };
        self.items = self.items.saturating_add(1);
        if self.items > self.limits.items {
            return Err(at_start(Problem::TooManyItems { limit: self.limits.items }));
        }
        let head = self.head().map_err(at_start)?;
        if matches!(head.major, 4..=6) && depth >= self.limits.depth {
            return Err(at_start(Problem::TooDeep { limit: self.limits.depth }));
        }
        match head.major {
            0 => Ok(Value::Unsigned(head.argument)),
            1 => Ok(Value::Negative(head.argument)),
            2 => self.take(head.argument).map(Value::from).ok_or(at_start(Problem::Truncated)),
            3 => {
                let bytes = self.take(head.argument).ok_or(at_start(Problem::Truncated))?;
                std::str::from_utf8(bytes).map(Value::from).map_err(|_| at_start(Problem::NotUtf8))
            }
            4 => self.array(head.argument, depth + 1, start),
            5 => self.map(head.argument, depth + 1, start),
            6 => Ok(Value::Tag(head.argument, Box::new(self.item(depth + 1)?))),
            _ => simple(&head).map_err(at_start),
        }
    }

    /// Refuses a count that the rest of the input cannot hold: each item has a byte at least.
    fn check_count(&self, count: u64, each: u64, start: usize) -> Result<(), CborError> {
        let least = count.checked_mul(each).and_then(|least| usize::try_from(least).ok());
        match least {
            Some(least) if least <= self.rest.len() => Ok(()),
            _ => Err(CborError { offset: start, problem: Problem::Truncated }),
        }
    }

    fn array(&mut self, count: u64, depth: usize, start: usize) -> Result<Value, CborError> {
        self.check_count(count, 1, start)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.item(depth)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, count: u64, depth: usize, start: usize) -> Result<Value, CborError> {
        self.check_count(count, 2, start)?;
        let mut members: Vec<(Value, Value)> = Vec::new();
        let mut encoded: BTreeSet<Vec<u8>> = BTreeSet::new();
        for _ in 0..count {
            let offset = self.offset();
            let key = self.item(depth)?;
            let twice = if members.len() < FEW {
                members.iter().any(|(known, _)| *known == key)
            } else {
                if encoded.is_empty() {
                    encoded.extend(members.iter().map(|(known, _)| known.encode()));
                }
                !encoded.insert(key.encode())
            };
            if twice {
                let key = diagnostic(&key).chars().take(64).collect();
                return Err(CborError { offset, problem: Problem::DuplicateKey { key } });
            }
            let value = self.item(depth)?;
            members.push((key, value));
        }
        Ok(Value::Map(members))
    }
}

/// Major type 7 (RFC 8949, 3.3).
fn simple(head: &Head) -> Result<Value, Problem> {
    let info = head.initial & 0x1f;
    let bits = head.argument;
    let reserved = Problem::Reserved { byte: head.initial };
    Ok(match info {
        20 => Value::Bool(false),
        21 => Value::Bool(true),
        22 => Value::Null,
        23 => Value::Undefined,
        0..20 | 24 => match u8::try_from(bits) {
            Ok(value) if info < 20 || value >= 32 => Value::Simple(value),
            _ => return Err(reserved),
        },
        25 => Value::Float(half(u16::try_from(bits).map_err(|_| reserved)?)),
        26 => Value::Float(f64::from(f32::from_bits(u32::try_from(bits).map_err(|_| reserved)?))),
        _ => Value::Float(f64::from_bits(bits)),
    })
}

/// A floating-point number of 16 bits (RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let exponent = i32::from((bits >> 10) & 0x1f);
    let mantissa = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2_f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(hex: &str) -> (usize, Problem) {
        let error = read(&hex::decode(hex).unwrap(), Limits::DEFAULT).unwrap_err();
        (error.offset, error.problem)
    }

    #[test]
    fn the_examples_of_the_rfc_that_are_strict() {
        // RFC 8949, appendix A.
        for (hex, text) in [
            ("00", "0"),
            ("1818", "24"),
            ("1bffffffffffffffff", "18446744073709551615"),
            ("3bffffffffffffffff", "-18446744073709551616"),
            ("3903e7", "-1000"),
            ("f93e00", "1.5"),
            ("f90001", "0.00000005960464477539063"),
            ("f9c400", "-4.0"),
            ("fa47c35000", "100000.0"),
            ("fb3ff199999999999a", "1.1"),
            ("f97c00", "Infinity"),
            ("f97e00", "NaN"),
            ("f4", "false"),
            ("f6", "null"),
            ("f7", "undefined"),
            ("f0", "simple(16)"),
            ("f8ff", "simple(255)"),
            ("c11a514b67b0", "1(1363896240)"),
            ("d818456449455446", "24(h'6449455446')"),
            ("62225c", r#""\"\\""#),
            ("8301820203820405", "[1, [2, 3], [4, 5]]"),
            ("a26161016162820203", r#"{"a": 1, "b": [2, 3]}"#),
        ] {
            let value = read(&hex::decode(hex).unwrap(), Limits::DEFAULT).unwrap();
            assert_eq!(diagnostic(&value), text, "{hex}");
        }
    }

    #[test]
    fn what_is_refused_and_where() {
        let duplicate = |key: &str| Problem::DuplicateKey { key: key.into() };
        for (hex, offset, expected) in [
            ("", 0, Problem::Truncated),
            ("18", 0, Problem::Truncated),
            ("5820aa", 0, Problem::Truncated),
            ("8201", 0, Problem::Truncated),
            ("9bffffffffffffffff", 0, Problem::Truncated),
            ("bb8000000000000000", 0, Problem::Truncated),
            ("5bffffffffffffffff00", 0, Problem::Truncated),
            ("0000", 1, Problem::Trailing { count: 1 }),
            ("9fff", 0, Problem::Indefinite),
            ("bfff", 0, Problem::Indefinite),
            ("5f4100ff", 0, Problem::Indefinite),
            ("7f6161ff", 0, Problem::Indefinite),
            ("811c", 1, Problem::Reserved { byte: 0x1c }),
            ("ff", 0, Problem::Reserved { byte: 0xff }),
            ("df00", 0, Problem::Reserved { byte: 0xdf }),
            ("f818", 0, Problem::Reserved { byte: 0xf8 }),
            ("62c328", 0, Problem::NotUtf8),
            ("a201000100", 3, duplicate("1")),
            // The same key in a longer form.
            ("a20100180100", 3, duplicate("1")),
            ("a26161006161f6", 4, duplicate("\"a\"")),
        ] {
            assert_eq!(problem(hex), (offset, expected), "{hex}");
        }
    }

    #[test]
    fn duplicates_are_found_in_large_maps_too() {
        let mut members: Vec<(Value, Value)> = (0..100_i64).map(|n| (n.into(), Value::Null)).collect();
        assert!(read(&Value::Map(members.clone()).encode(), Limits::DEFAULT).is_ok());
        for twice in [0_i64, 15, 16, 17, 99] {
            members.push((twice.into(), Value::Null));
            let error = read(&Value::Map(members.clone()).encode(), Limits::DEFAULT).unwrap_err();
            assert_eq!(error.problem, Problem::DuplicateKey { key: twice.to_string() });
            members.pop();
        }
    }

    #[test]
    fn bombs_are_small_errors() {
        for (head, limit) in [(0x81_u8, 16), (0xc1, 16), (0xa1, 16)] {
            let bomb = vec![head; 1 << 20];
            let error = read(&bomb, Limits::DEFAULT).unwrap_err();
            assert!(matches!(error.problem, Problem::TooDeep { limit: found } if found == limit), "{error}");
        }
        // An array of 100 000 nulls.
        let mut many = vec![0x9a, 0, 1, 0x86, 0xa0];
        many.resize(5 + 100_000, 0xf6);
        let error = read(&many, Limits::DEFAULT).unwrap_err();
        assert_eq!(error.problem, Problem::TooManyItems { limit: 1 << 16 });
        let limits = Limits { bytes: 3, ..Limits::DEFAULT };
        assert_eq!(read(&[0; 4], limits).unwrap_err().problem, Problem::TooLong { limit: 3, found: 4 });
    }

    #[test]
    fn the_depth_limit_is_exact() {
        let nested = |levels: usize| [vec![0x81; levels], vec![0]].concat();
        assert!(read(&nested(16), Limits::DEFAULT).is_ok());
        assert!(read(&nested(17), Limits::DEFAULT).is_err());
    }
}
