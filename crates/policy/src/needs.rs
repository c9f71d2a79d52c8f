//! Which parts of its input a policy reads.
//!
//! Evidence has many more claims than a policy looks at, and bringing them all into the engine takes
//! as long as the evaluation. So only the parts are brought that some reference in the policy names:
//! `input.snp.measurement` needs that claim, `count(input.snp)` needs all claims below `snp`. A
//! statement that is nothing but a reference, such as `input.snp`, needs to know whether it is there
//! and not false, but nothing below it.

use std::collections::BTreeMap;

use regorus::Value as Rego;
use regorus::value::Object;
use serde_json::Value;

use crate::value::{Allowance, Unfit, to_rego};

/// What is needed of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// All of it.
    Whole,
    /// That it is there, and of an object these members.
    Members(BTreeMap<String, Need>),
}

impl Default for Need {
    fn default() -> Self {
        Need::Members(BTreeMap::new())
    }
}

impl Need {
    /// Adds what stands at `path`: all of it, or only that it is there.
    pub(crate) fn add(&mut self, path: &[String], whole: bool) {
        match (&mut *self, path.split_first()) {
            (Need::Whole, _) => {}
            (Need::Members(members), Some((name, rest))) => {
                members.entry(name.clone()).or_default().add(rest, whole);
            }
            (Need::Members(_), None) if whole => *self = Need::Whole,
            (Need::Members(_), None) => {}
        }
    }

    /// Adds all that `other` needs.
    pub(crate) fn merge(&mut self, other: Need) {
        match (&mut *self, other) {
            (Need::Whole, _) => {}
            (_, Need::Whole) => *self = Need::Whole,
            (Need::Members(members), Need::Members(others)) => {
                for (name, need) in others {
                    members.entry(name).or_default().merge(need);
                }
            }
        }
    }

    /// From JSON to the engine, without what is not needed.
    pub(crate) fn to_rego(&self, value: &Value, allowance: &mut Allowance) -> Result<Rego, Unfit> {
        match (self, value) {
            (Need::Members(members), Value::Object(fields)) => {
                allowance.take(0)?;
                let mut pairs = Vec::with_capacity(members.len());
                for (name, need) in members {
                    if let Some(value) = fields.get(name) {
                        allowance.take(name.len())?;
                        pairs.push((Rego::from(name.as_str()), need.to_rego(value, allowance)?));
                    }
                }
                Ok(Object::from(pairs.into_iter().collect::<BTreeMap<_, _>>()).into_value())
            }
            _ => to_rego(value, allowance),
        }
    }

    /// What [`Need::to_rego`] brings, as text: the same text, the same parts. It tells apart what JSON
    /// tells apart, also `1` and `1.0`.
    pub(crate) fn write(&self, value: &Value, out: &mut Vec<u8>) {
        match (self, value) {
            (Need::Members(members), Value::Object(fields)) => {
                out.push(b'{');
                for (name, need) in members {
                    if let Some(value) = fields.get(name) {
                        // A name is the policy's; its length keeps it apart from what follows.
                        out.extend_from_slice(name.len().to_string().as_bytes());
                        out.push(b':');
                        out.extend_from_slice(name.as_bytes());
                        need.write(value, out);
                    }
                }
                out.push(b'}');
            }
            // Writing a value into memory cannot fail.
            _ => drop(serde_json::to_writer(out, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::to_json;
    use serde_json::json;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    fn brought(need: &Need, value: &Value) -> Value {
        let rego = need.to_rego(value, &mut Allowance::new(1 << 20)).unwrap();
        to_json(&rego, &mut Allowance::new(1 << 20)).unwrap()
    }

    #[test]
    fn only_what_is_named_is_brought() {
        let mut need = Need::default();
        need.add(&path("a.b"), true);
        need.add(&path("a"), false);
        need.add(&path("x"), false);
        need.add(&path("list.c"), true);
        let value = json!({"a": {"b": {"deep": [1]}, "c": 2}, "x": {"y": 1}, "z": 3, "list": [1, 2]});
        assert_eq!(brought(&need, &value), json!({"a": {"b": {"deep": [1]}}, "x": {}, "list": [1, 2]}));
        for scalar in [json!(null), json!(false), json!(1), json!("a")] {
            assert_eq!(brought(&need, &scalar), scalar);
        }
    }

    #[test]
    fn the_text_tells_apart_what_is_brought_and_nothing_else() {
        let mut need = Need::default();
        need.add(&path("a.b"), true);
        need.add(&path("a"), false);
        need.add(&path("x"), false);
        let text = |value: Value| {
            let mut out = Vec::new();
            need.write(&value, &mut out);
            out
        };
        let one = json!({"a": {"b": {"deep": [1]}, "c": 2}, "x": {"y": 1}, "z": 3});
        let same = json!({"a": {"b": {"deep": [1]}, "c": 7}, "x": {}, "new": 4});
        assert_eq!(text(one.clone()), text(same));
        for other in [
            json!({"a": {"b": {"deep": [2]}}, "x": {}}),
            json!({"a": {"b": {"deep": [1.0]}}, "x": {}}),
            json!({"a": {"b": {"deep": ["1"]}}, "x": {}}),
            json!({"a": {"b": {"deep": [1]}}}),
            json!({"a": {"b": {"deep": [1]}}, "x": []}),
            json!({"a": {}, "x": {}}),
            json!({"x": {}}),
            json!([one.clone()]),
            json!(null),
        ] {
            assert_ne!(text(one.clone()), text(other.clone()), "{other}");
        }
    }

    #[test]
    fn whole_wins_in_any_order() {
        let mut one = Need::default();
        one.add(&path("a"), true);
        one.add(&path("a.b"), true);
        let mut two = Need::default();
        two.add(&path("a.b"), true);
        two.merge(one.clone());
        assert_eq!(one, two);
        two.add(&[], true);
        assert_eq!(two, Need::Whole);
    }
}
