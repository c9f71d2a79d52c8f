//! Properties: what is written reads back, and reads the same in an independent library; anything
//! else is refused without a panic.

#![allow(clippy::unwrap_used, missing_docs)]

use assay_cbor::{Limits, Value, diagnostic, pretty, read};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::Unsigned),
        any::<u64>().prop_map(Value::Negative),
        any::<i64>().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(Value::Bytes),
        any::<String>().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        Just(Value::Undefined),
        (32_u8..).prop_map(Value::Simple),
        any::<f64>().prop_filter("NaN equals nothing", |n| !n.is_nan()).prop_map(Value::Float),
        any::<f32>().prop_filter("NaN equals nothing", |n| !n.is_nan()).prop_map(|n| Value::Float(n.into())),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner.clone()), 0..20).prop_map(|mut members| {
                let mut seen = Vec::new();
                members.retain(|(key, _)| {
                    let new = !seen.contains(key);
                    seen.push(key.clone());
                    new
                });
                Value::Map(members)
            }),
            (any::<u64>(), inner).prop_map(|(tag, value)| Value::tagged(tag, value)),
        ]
    })
}

/// The same item as the independent library has it; `None` for what it does not have (undefined and
/// unassigned simple values).
fn other(value: &Value) -> Option<ciborium::Value> {
    Some(match value {
        Value::Unsigned(n) => ciborium::Value::Integer((*n).into()),
        Value::Negative(n) => ciborium::Value::Integer((-1 - i128::from(*n)).try_into().unwrap()),
        Value::Bytes(bytes) => ciborium::Value::Bytes(bytes.clone()),
        Value::Text(text) => ciborium::Value::Text(text.clone()),
        Value::Array(items) => ciborium::Value::Array(items.iter().map(other).collect::<Option<_>>()?),
        Value::Map(members) => ciborium::Value::Map(
            members.iter().map(|(k, v)| Some((other(k)?, other(v)?))).collect::<Option<_>>()?,
        ),
        // Tags 2 and 3 are numbers there.
        Value::Tag(2 | 3, _) | Value::Undefined | Value::Simple(_) => return None,
        Value::Tag(tag, content) => ciborium::Value::Tag(*tag, Box::new(other(content)?)),
        Value::Bool(value) => ciborium::Value::Bool(*value),
        Value::Null => ciborium::Value::Null,
        Value::Float(number) => ciborium::Value::Float(*number),
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in values()) {
        let encoded = value.encode();
        prop_assert_eq!(&read(&encoded, Limits::DEFAULT).unwrap(), &value);
        if let Some(expected) = other(&value) {
            let read: ciborium::Value = ciborium::from_reader(encoded.as_slice()).unwrap();
            prop_assert_eq!(read, expected);
        }
        for end in 0..encoded.len() {
            prop_assert!(read(&encoded[..end], Limits::DEFAULT).is_err());
        }
        prop_assert!(!diagnostic(&value).is_empty());
        prop_assert!(!pretty(&value, &|_, _| Some("name".into())).is_empty());
    }

    #[test]
    fn anything_is_read_without_panic(bytes in any::<Vec<u8>>()) {
        if let Ok(value) = read(&bytes, Limits::DEFAULT) {
            // Not always the same bytes, but the same item.
            prop_assert_eq!(diagnostic(&read(&value.encode(), Limits::DEFAULT).unwrap()), diagnostic(&value));
        }
    }
}

#[test]
fn maps_are_shown_with_the_names_of_their_keys() {
    let value = Value::Map(vec![
        (1_i64.into(), vec![Value::from(2_i64), Value::from("x")].into()),
        (Value::from("a"), vec![(Value::from(-3_i64), Value::from([1_u8, 2]))].into()),
    ]);
    let name = |path: &[&Value], key: &Value| match (path, key.as_i64()) {
        ([], Some(1)) => Some("one".to_owned()),
        ([outer], Some(-3)) if outer.as_text() == Some("a") => Some("minus three".to_owned()),
        _ => None,
    };
    assert_eq!(
        pretty(&value, &name),
        "{\n  1 / one /: [\n    2,\n    \"x\"\n  ],\n  \"a\": {\n    -3 / minus three /: h'0102'\n  }\n}"
    );
    assert_eq!(diagnostic(&value), r#"{1: [2, "x"], "a": {-3: h'0102'}}"#);
}
