//! Values across the border to the engine, in both directions, with bounds.
//!
//! Going through JSON text would cost more than the evaluation itself, and on the way back it would
//! let a value that shares its parts unfold without limit.

use std::collections::BTreeMap;

use regorus::Value as Rego;
use regorus::value::{Array, Object};
use serde_json::{Map, Number, Value};

use crate::lexer::count64;

/// How deep values may be nested, both ways. `serde_json` reads no deeper.
const MAX_DEPTH: u32 = 128;

/// What each node of a tree counts, beside its text.
const NODE: u64 = 8;

/// Why a value did not cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    TooDeep,
    TooLarge,
    /// A key that is no string, an undefined value, or a number that JSON here cannot hold.
    NotJson,
}

impl Unfit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Unfit::TooDeep => "is nested too deep",
            Unfit::TooLarge => "is too large",
            Unfit::NotJson => "holds what JSON does not have",
        }
    }
}

/// What is left of an allowance of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance(u64);

impl Allowance {
    pub(crate) fn new(bytes: usize) -> Self {
        Allowance(count64(bytes))
    }

    pub(crate) fn take(&mut self, text: usize) -> Result<(), Unfit> {
        self.0 = self.0.checked_sub(count64(text).saturating_add(NODE)).ok_or(Unfit::TooLarge)?;
        Ok(())
    }
}

/// From JSON to the engine.
pub(crate) fn to_rego(value: &Value, allowance: &mut Allowance) -> Result<Rego, Unfit> {
    inward(value, allowance, MAX_DEPTH)
}

fn inward(value: &Value, allowance: &mut Allowance, depth: u32) -> Result<Rego, Unfit> {
    let below = depth.checked_sub(1).ok_or(Unfit::TooDeep)?;
    Ok(match value {
        Value::Null => Rego::Null,
        Value::Bool(b) => Rego::Bool(*b),
        Value::Number(n) => {
            if let Some(n) = n.as_u64() {
                Rego::from(n)
            } else if let Some(n) = n.as_i64() {
                Rego::from(n)
            } else {
                Rego::from(n.as_f64().filter(|f| f.is_finite()).ok_or(Unfit::NotJson)?)
            }
        }
        Value::String(text) => {
            allowance.take(text.len())?;
            return Ok(Rego::from(text.as_str()));
        }
        Value::Array(items) => {
            allowance.take(0)?;
            let mut array = Vec::with_capacity(items.len());
            for item in items {
                array.push(inward(item, allowance, below)?);
            }
            return Ok(Rego::from(array));
        }
        Value::Object(fields) => {
            allowance.take(0)?;
            let mut pairs = Vec::with_capacity(fields.len());
            for (key, item) in fields {
                allowance.take(key.len())?;
                pairs.push((Rego::from(key.as_str()), inward(item, allowance, below)?));
            }
            // Collecting builds the tree from keys that are in order already, with one comparison
            // each; inserting them one by one takes half the time of an appraisal.
            let object: BTreeMap<Rego, Rego> = pairs.into_iter().collect();
            return Ok(Object::from(object).into_value());
        }
    })
    .and_then(|scalar| allowance.take(0).map(|()| scalar))
}

/// From the engine to JSON. Sets become arrays, in the engine's order.
pub(crate) fn to_json(value: &Rego, allowance: &mut Allowance) -> Result<Value, Unfit> {
    outward(value, allowance, MAX_DEPTH)
}

fn outward(value: &Rego, allowance: &mut Allowance, depth: u32) -> Result<Value, Unfit> {
    let below = depth.checked_sub(1).ok_or(Unfit::TooDeep)?;
    match value {
        Rego::String(text) => {
            allowance.take(text.len())?;
            Ok(Value::String(text.to_string()))
        }
        Rego::Array(items) => {
            allowance.take(0)?;
            items
                .iter()
                .map(|item| outward(item, allowance, below))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array)
        }
        Rego::Set(items) => {
            allowance.take(0)?;
            items
                .iter()
                .map(|item| outward(item, allowance, below))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array)
        }
        Rego::Object(fields) => {
            allowance.take(0)?;
            let mut object = Map::new();
            for (key, item) in fields.iter() {
                let Rego::String(key) = key else { return Err(Unfit::NotJson) };
                allowance.take(key.len())?;
                object.insert(key.to_string(), outward(item, allowance, below)?);
            }
            Ok(Value::Object(object))
        }
        Rego::Null => allowance.take(0).map(|()| Value::Null),
        Rego::Bool(b) => allowance.take(0).map(|()| Value::Bool(*b)),
        Rego::Number(_) => allowance.take(0).and_then(|()| number(value).map(Value::Number)),
        Rego::Undefined => Err(Unfit::NotJson),
    }
}

fn number(value: &Rego) -> Result<Number, Unfit> {
    if let Ok(n) = value.as_u64() {
        return Ok(n.into());
    }
    if let Ok(n) = value.as_i64() {
        return Ok(n.into());
    }
    match value.as_number() {
        // A whole number beyond 64 bits would lose digits.
        Ok(n) if !n.is_integer() => value.as_f64().ok().and_then(Number::from_f64).ok_or(Unfit::NotJson),
        _ => Err(Unfit::NotJson),
    }
}

/// A few characters that show a value in an error. It does not look at more of the value than it
/// shows: the value may be huge.
pub(crate) fn shown(value: &Rego) -> String {
    match value {
        Rego::Undefined => "undefined".to_owned(),
        Rego::Array(items) => format!("an array of {}", items.len()),
        Rego::Set(items) => format!("a set of {}", items.len()),
        Rego::Object(fields) => format!("an object of {}", fields.len()),
        Rego::String(text) => {
            let start: String = text.chars().take(SHOWN).collect();
            format!("the string {start:?}")
        }
        Rego::Number(_) => match (value.as_i64(), value.as_f64()) {
            (Ok(n), _) => n.to_string(),
            (Err(_), Ok(f)) => f.to_string().chars().take(SHOWN).collect(),
            (Err(_), Err(_)) => "a number beyond 64 bits".to_owned(),
        },
        Rego::Bool(b) => b.to_string(),
        Rego::Null => "null".to_owned(),
    }
}

const SHOWN: usize = 64;

/// An array of one string, as the engine hands arguments to the host.
pub(crate) fn only_string(arguments: &Array) -> Option<&str> {
    match arguments.as_slice() {
        [Rego::String(text)] => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
    use serde_json::json;

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1.0e6..1.0e6_f64).prop_map(|f| Value::from(f + 0.5)),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn json_survives_the_way_in_and_out(value in tree()) {
            let rego = to_rego(&value, &mut Allowance::new(1 << 20)).unwrap();
            let back = to_json(&rego, &mut Allowance::new(1 << 20)).unwrap();
            // Whole floats come back as whole numbers; everything else is the same.
            proptest::prop_assert_eq!(back, value);
        }
    }

    #[test]
    fn depth_and_size_are_bounded_both_ways() {
        let mut deep = json!(1);
        for _ in 0..200 {
            deep = json!([deep]);
        }
        assert_eq!(to_rego(&deep, &mut Allowance::new(1 << 20)), Err(Unfit::TooDeep));
        assert_eq!(to_rego(&json!("x".repeat(100)), &mut Allowance::new(64)), Err(Unfit::TooLarge));

        // Sixty levels that share their parts: small in memory, 2^60 nodes when unfolded.
        let mut shared = Rego::from(1_u64);
        for _ in 0..60 {
            shared = Rego::from(vec![shared.clone(), shared]);
        }
        assert_eq!(to_json(&shared, &mut Allowance::new(64 << 10)), Err(Unfit::TooLarge));
        assert_eq!(shown(&shared), "an array of 2");
    }

    #[test]
    fn what_json_lacks_is_refused() {
        let mut object = Object::new();
        object.insert(Rego::from(1_u64), Rego::Null);
        for value in [object.into_value(), Rego::Undefined, Rego::from(u128::MAX)] {
            assert_eq!(to_json(&value, &mut Allowance::new(1 << 10)), Err(Unfit::NotJson));
        }
    }
}
