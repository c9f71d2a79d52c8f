//! CoMID: one module's endorsements.

use assay_cbor::Value;

use crate::entity::{Entity, entities, entities_value};
use crate::environment::map;
use crate::measurement::{keys, keys_value};
use crate::member::{Members, Notes, items, list, text, unsigned};
use crate::path::Path;
use crate::{CorimError, CryptoKey, Environment, Measurement, TagId};

/// The most triples of a document.
pub const MAX_TRIPLES: usize = 100_000;

/// The most measurements of one triple.
pub const MAX_MEASUREMENTS: usize = 10_000;

/// A concise module identifier (draft-ietf-rats-corim, `concise-mid-tag`).
#[derive(Clone, Debug, PartialEq)]
pub struct Comid {
    /// 0: the language of its texts.
    pub language: Option<String>,
    /// 1: its identifier.
    pub id: TagId,
    /// 1: its version; 0 where none is stated.
    pub version: u64,
    /// 2: who had to do with it.
    pub entities: Vec<Entity>,
    /// 4: what it says.
    pub triples: Triples,
}

/// What a CoMID says (`triples-map`). Triples of other kinds are not read; the document's notes name
/// them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Triples {
    /// 0: reference values: what evidence should say.
    pub reference: Vec<ValueTriple>,
    /// 1: endorsed values: what is true besides.
    pub endorsed: Vec<ValueTriple>,
    /// 2: keys that identify.
    pub identity: Vec<KeyTriple>,
    /// 3: keys that sign evidence.
    pub attest_key: Vec<KeyTriple>,
}

/// Measurements of an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueTriple {
    /// What they are of.
    pub environment: Environment,
    /// The measurements, one or more.
    pub measurements: Vec<Measurement>,
}

/// Keys of an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyTriple {
    /// Whose they are.
    pub environment: Environment,
    /// The keys, one or more.
    pub keys: Vec<CryptoKey>,
    /// Conditions on their use, as they came: whoever goes by the keys must know them or refuse.
    pub conditions: Option<Value>,
}

impl Comid {
    /// A CoMID that says nothing yet.
    pub fn new(id: impl Into<TagId>) -> Self {
        Comid { language: None, id: id.into(), version: 0, entities: Vec::new(), triples: Triples::default() }
    }

    pub(crate) fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        members.note_others(&[0, 1, 2, 4], notes);
        let identity_path = path.member("tag-identity");
        let identity = Members::of(members.must(1, "tag-identity")?, &identity_path)?;
        identity.note_others(&[0, 1], notes);
        let id = TagId::read(identity.must(0, "tag-id")?, &identity_path.member("tag-id"))?;
        let triples = members.must(4, "triples")?;
        Ok(Comid {
            language: members.maybe(0, "language", text)?,
            id,
            version: identity.maybe(1, "tag-version", unsigned)?.unwrap_or_default(),
            entities: members
                .maybe(2, "entities", |value, path| entities(value, path, notes))?
                .unwrap_or_default(),
            triples: Triples::read(triples, &path.member("triples"), notes)?,
        })
    }

    pub(crate) fn to_value(&self) -> Value {
        let version = (self.version != 0).then(|| self.version.into());
        map([
            (0, self.language.as_deref().map(Value::from)),
            (1, Some(map([(0, Some(self.id.to_value())), (1, version)]))),
            (2, entities_value(&self.entities)),
            (4, Some(self.triples.to_value())),
        ])
    }
}

impl Triples {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.reference.len() + self.endorsed.len() + self.identity.len() + self.attest_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        if value.as_map().is_some_and(<[_]>::is_empty) {
            return Err(CorimError::form(path, "one kind of triples or more", "none"));
        }
        members.note_others(&[0, 1, 2, 3], notes);
        let mut values = |key, name| {
            members.maybe(key, name, |value, path| {
                list(value, MAX_TRIPLES, path, |item, path| ValueTriple::read(item, path, notes))
            })
        };
        let (reference, endorsed) = (values(0, "reference")?, values(1, "endorsed")?);
        let mut keys = |key, name| {
            members.maybe(key, name, |value, path| {
                list(value, MAX_TRIPLES, path, |item, path| KeyTriple::read(item, path, notes))
            })
        };
        let (identity, attest_key) = (keys(2, "identity")?, keys(3, "attest-key")?);
        Ok(Triples {
            reference: reference.unwrap_or_default(),
            endorsed: endorsed.unwrap_or_default(),
            identity: identity.unwrap_or_default(),
            attest_key: attest_key.unwrap_or_default(),
        })
    }

    fn to_value(&self) -> Value {
        let values = |all: &[ValueTriple]| {
            (!all.is_empty()).then(|| Value::Array(all.iter().map(ValueTriple::to_value).collect()))
        };
        let keys = |all: &[KeyTriple]| {
            (!all.is_empty()).then(|| Value::Array(all.iter().map(KeyTriple::to_value).collect()))
        };
        map([
            (0, values(&self.reference)),
            (1, values(&self.endorsed)),
            (2, keys(&self.identity)),
            (3, keys(&self.attest_key)),
        ])
    }
}

impl ValueTriple {
    fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let [environment, measurements] = items(value, 2, path)? else {
            return Err(CorimError::form(path, "an environment and measurements", value.describe()));
        };
        let measurements_path = path.member("measurements");
        Ok(ValueTriple {
            environment: Environment::read(environment, &path.member("environment"), notes)?,
            measurements: list(measurements, MAX_MEASUREMENTS, &measurements_path, |item, path| {
                Measurement::read(item, path, notes)
            })?,
        })
    }

    fn to_value(&self) -> Value {
        let measurements = self.measurements.iter().map(Measurement::to_value).collect();
        Value::Array(vec![self.environment.to_value(), Value::Array(measurements)])
    }
}

impl KeyTriple {
    fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let (environment, list, conditions) = match items(value, 3, path)? {
            [environment, list] => (environment, list, None),
            [environment, list, conditions] => (environment, list, Some(conditions.clone())),
            _ => return Err(CorimError::form(path, "an environment and keys", value.describe())),
        };
        Ok(KeyTriple {
            environment: Environment::read(environment, &path.member("environment"), notes)?,
            keys: keys(list, &path.member("keys"))?,
            conditions,
        })
    }

    fn to_value(&self) -> Value {
        let mut items = vec![self.environment.to_value(), keys_value(&self.keys)];
        items.extend(self.conditions.clone());
        Value::Array(items)
    }
}
