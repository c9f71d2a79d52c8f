//! JSON as CBOR and CBOR as JSON, for what has no form of its own (RFC 8949, section 6).

use assay_cbor::{Value as Cbor, diagnostic};
use serde_json::{Map, Number, Value};

use crate::base64url;
use crate::error::shown;

/// JSON as CBOR (RFC 8949, 6.2). Every number keeps its value.
pub(super) fn to_cbor(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), _, _) => Cbor::from(n),
            (None, Some(n), _) => Cbor::from(n),
            (None, None, n) => n.map_or(Cbor::Null, Cbor::Float),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(to_cbor).collect()),
        Value::Object(members) => {
            map(members.iter().map(|(name, value)| (Cbor::from(name.as_str()), to_cbor(value))).collect())
        }
    }
}

/// A map with its members in the order of deterministic encoding (RFC 8949, 4.2.1).
pub(super) fn map(mut members: Vec<(Cbor, Cbor)>) -> Cbor {
    members.sort_by_cached_key(|(key, _)| key.encode());
    Cbor::Map(members)
}

/// CBOR as JSON (RFC 8949, 6.1): byte strings as base64url without padding, integer keys in decimals.
/// What JSON cannot hold is refused, and so is a map in which two keys become one.
pub(super) fn from_cbor(value: &Cbor) -> Result<Value, String> {
    let cannot = || Err(format!("{} has no form in JSON", value.describe()));
    Ok(match value {
        Cbor::Unsigned(n) => Value::from(*n),
        Cbor::Negative(_) => match value.as_i64() {
            Some(n) => Value::from(n),
            None => return cannot(),
        },
        Cbor::Bytes(bytes) => Value::String(base64url::encode(bytes)),
        Cbor::Text(text) => Value::String(text.clone()),
        Cbor::Array(items) => Value::Array(items.iter().map(from_cbor).collect::<Result<_, _>>()?),
        Cbor::Map(members) => {
            let mut out = Map::new();
            for (key, member) in members {
                let name = match (key, key.as_i64()) {
                    (Cbor::Text(text), _) => text.clone(),
                    (_, Some(number)) => number.to_string(),
                    _ => return Err(format!("the key {} is neither text nor integer", cut(key))),
                };
                if out.contains_key(&name) {
                    return Err(format!("the key {:?} is there as text and as integer", shown(&name)));
                }
                out.insert(name, from_cbor(member)?);
            }
            Value::Object(out)
        }
        Cbor::Bool(value) => Value::Bool(*value),
        Cbor::Null => Value::Null,
        Cbor::Float(number) => match Number::from_f64(*number) {
            Some(number) => Value::Number(number),
            None => return cannot(),
        },
        Cbor::Tag(..) | Cbor::Undefined | Cbor::Simple(_) => return cannot(),
    })
}

/// An item in diagnostic notation, as short as an error may show it.
pub(super) fn cut(value: &Cbor) -> String {
    shown(&diagnostic(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_cbor::{Limits, read};
    use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
    use serde_json::json;

    pub(crate) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", |n| Number::from_f64(n).map(Value::Number)),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn bytes_and_integer_keys_become_text() {
        let value =
            Cbor::Map(vec![(Cbor::from(-3_i64), Cbor::from([1, 2])), ("a".into(), Cbor::from(7_i64))]);
        assert_eq!(from_cbor(&value).unwrap(), json!({ "-3": "AQI", "a": 7 }));
    }

    #[test]
    fn what_json_cannot_hold_is_refused() {
        for (value, why) in [
            (Cbor::Undefined, "undefined has no form in JSON"),
            (Cbor::Simple(16), "a simple value has no form"),
            (Cbor::Float(f64::NAN), "a floating-point number has no form"),
            (Cbor::Float(f64::INFINITY), "a floating-point number has no form"),
            (Cbor::Negative(u64::MAX), "an integer has no form"),
            (Cbor::tagged(1, 5_i64), "an item with tag 1 has no form"),
            (Cbor::Map(vec![(Cbor::Null, Cbor::Null)]), "the key null is neither text nor integer"),
            (
                Cbor::Map(vec![(1_i64.into(), Cbor::Null), ("1".into(), Cbor::Null)]),
                "the key \"1\" is there as text and as integer",
            ),
        ] {
            let error = from_cbor(&Cbor::Array(vec![value])).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn json_comes_back_as_it_was(value in any_json()) {
            let encoded = to_cbor(&value).encode();
            let back = from_cbor(&read(&encoded, Limits::DEFAULT).unwrap()).unwrap();
            assert_eq!(back, value);
        }
    }
}
