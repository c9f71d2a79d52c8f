//! What an endorsement is about.

use assay_cbor::Value;

use crate::member::{Members, Notes, text, unsigned};
use crate::path::Path;
use crate::{CorimError, Identifier};

/// An environment: a class of things, one of them, or a group of them
/// (draft-ietf-rats-corim, `environment-map`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    /// 0: the class.
    pub class: Option<Class>,
    /// 1: one of the class.
    pub instance: Option<Identifier>,
    /// 2: a group.
    pub group: Option<Identifier>,
}

/// A class of environments (`class-map`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Class {
    /// 0: its identifier.
    pub id: Option<Identifier>,
    /// 1: the vendor.
    pub vendor: Option<String>,
    /// 2: the model.
    pub model: Option<String>,
    /// 3: the layer.
    pub layer: Option<u64>,
    /// 4: the index.
    pub index: Option<u64>,
}

impl Environment {
    /// The environments of the class with this identifier.
    pub fn of_class(id: Identifier) -> Self {
        Environment { class: Some(Class { id: Some(id), ..Class::default() }), ..Environment::default() }
    }

    pub(crate) fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        members.note_others(&[0, 1, 2], notes);
        let environment = Environment {
            class: members.maybe(0, "class", |value, path| Class::read(value, path, notes))?,
            instance: members.maybe(1, "instance", Identifier::read)?,
            group: members.maybe(2, "group", Identifier::read)?,
        };
        if environment == Environment::default() {
            return Err(CorimError::form(path, "a class, an instance or a group", "none of them"));
        }
        Ok(environment)
    }

    pub(crate) fn to_value(&self) -> Value {
        map([
            (0, self.class.as_ref().map(Class::to_value)),
            (1, self.instance.as_ref().map(Identifier::to_value)),
            (2, self.group.as_ref().map(Identifier::to_value)),
        ])
    }
}

impl Class {
    fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        members.note_others(&[0, 1, 2, 3, 4], notes);
        let class = Class {
            id: members.maybe(0, "class-id", Identifier::read)?,
            vendor: members.maybe(1, "vendor", text)?,
            model: members.maybe(2, "model", text)?,
            layer: members.maybe(3, "layer", unsigned)?,
            index: members.maybe(4, "index", unsigned)?,
        };
        if class == Class::default() {
            return Err(CorimError::form(path, "one member or more", "none"));
        }
        Ok(class)
    }

    fn to_value(&self) -> Value {
        map([
            (0, self.id.as_ref().map(Identifier::to_value)),
            (1, self.vendor.as_deref().map(Value::from)),
            (2, self.model.as_deref().map(Value::from)),
            (3, self.layer.map(Value::from)),
            (4, self.index.map(Value::from)),
        ])
    }
}

/// A map of those members that are there.
pub(crate) fn map<const N: usize>(members: [(i64, Option<Value>); N]) -> Value {
    Value::Map(
        members.into_iter().filter_map(|(key, value)| value.map(|value| (key.into(), value))).collect(),
    )
}
