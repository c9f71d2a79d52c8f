//! What is endorsed of an environment.

use assay_cbor::Value;

use crate::environment::map;
use crate::identifier::tag;
use crate::member::{Members, Notes, array_of, bytes, integer, items, list, text};
use crate::path::Path;
use crate::{CorimError, CryptoKey};

const TAG_MASKED_RAW_VALUE: u64 = 563;

/// The most digests of one measurement.
pub const MAX_DIGESTS: usize = 16;

/// The most keys in one list.
pub const MAX_KEYS: usize = 64;

/// A measurement (draft-ietf-rats-corim, `measurement-map`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// 0: what was measured.
    pub key: Option<MeasurementKey>,
    /// 1: the values it should have.
    pub values: MeasurementValues,
    /// 2: whose word is needed.
    pub authorized_by: Vec<CryptoKey>,
}

/// What was measured (`measured-element-type-choice`).
#[derive(Clone, Debug, PartialEq)]
pub enum MeasurementKey {
    /// Text.
    Text(String),
    /// A number.
    Unsigned(u64),
    /// Tag 37: a UUID.
    Uuid([u8; 16]),
    /// Tag 111: an object identifier, the content octets of its BER encoding.
    Oid(Vec<u8>),
    /// Anything else, as it came.
    Other(Value),
}

/// The values of a measurement (`measurement-values-map`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeasurementValues {
    /// 0: the version.
    pub version: Option<Version>,
    /// 2: digests, each of another algorithm.
    pub digests: Option<Vec<Digest>>,
    /// 4: a value.
    pub raw_value: Option<RawValue>,
    /// 5: which bits of the value count (an older form of [`RawValue::Masked`]).
    pub raw_value_mask: Option<Vec<u8>>,
    /// 11: a name.
    pub name: Option<String>,
    /// 13: keys.
    pub crypto_keys: Option<Vec<CryptoKey>>,
    /// Other members, as they came: whoever goes by these values must know them or refuse.
    pub other: Vec<(Value, Value)>,
}

/// A version (`version-map`).
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// 0: the version.
    pub version: String,
    /// 1: the scheme by which versions are compared, a number or text.
    pub scheme: Option<Value>,
}

/// A digest and its algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The algorithm.
    pub algorithm: DigestAlgorithm,
    /// The digest.
    pub value: Vec<u8>,
}

/// An algorithm of IANA's registry "Named Information Hash Algorithm", by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// Its number, such as 1.
    Id(i64),
    /// Its name, such as `sha-256`.
    Name(String),
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum RawValue {
    /// Tag 560: the bytes.
    Bytes(Vec<u8>),
    /// Tag 563: the bytes, and which of their bits count.
    Masked {
        /// The bytes.
        value: Vec<u8>,
        /// The mask.
        mask: Vec<u8>,
    },
    /// Anything else, as it came.
    Other(Value),
}

impl Measurement {
    pub(crate) fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        members.note_others(&[0, 1, 2], notes);
        let values = members.must(1, "mval")?;
        Ok(Measurement {
            key: members.maybe(0, "mkey", MeasurementKey::read)?,
            values: MeasurementValues::read(values, &path.member("mval"), notes)?,
            authorized_by: members.maybe(2, "authorized-by", keys)?.unwrap_or_default(),
        })
    }

    pub(crate) fn to_value(&self) -> Value {
        let authorized_by = (!self.authorized_by.is_empty()).then(|| keys_value(&self.authorized_by));
        map([
            (0, self.key.as_ref().map(MeasurementKey::to_value)),
            (1, Some(self.values.to_value())),
            (2, authorized_by),
        ])
    }
}

impl MeasurementKey {
    fn read(value: &Value, path: &Path<'_>) -> Result<Self, CorimError> {
        match value {
            Value::Text(_) => text(value, path).map(MeasurementKey::Text),
            Value::Unsigned(n) => Ok(MeasurementKey::Unsigned(*n)),
            Value::Tag(tag::UUID, content) => array_of(content, path).map(MeasurementKey::Uuid),
            Value::Tag(tag::OID, content) => bytes(content, path).map(MeasurementKey::Oid),
            other => Ok(MeasurementKey::Other(other.clone())),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            MeasurementKey::Text(text) => text.as_str().into(),
            MeasurementKey::Unsigned(n) => (*n).into(),
            MeasurementKey::Uuid(uuid) => Value::tagged(tag::UUID, *uuid),
            MeasurementKey::Oid(oid) => Value::tagged(tag::OID, oid.as_slice()),
            MeasurementKey::Other(value) => value.clone(),
        }
    }

    /// What it is, in words for errors.
    pub fn describe(&self) -> String {
        self.to_value().describe()
    }
}

impl MeasurementValues {
    const READ: [i64; 6] = [0, 2, 4, 5, 11, 13];

    fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        let values = MeasurementValues {
            version: members.maybe(0, "version", Version::read)?,
            digests: members.maybe(2, "digests", |value, path| digests(value, path, notes))?,
            raw_value: members.maybe(4, "raw-value", RawValue::read)?,
            raw_value_mask: members.maybe(5, "raw-value-mask", bytes)?,
            name: members.maybe(11, "name", text)?,
            crypto_keys: members.maybe(13, "cryptokeys", keys)?,
            other: members.others(&Self::READ).cloned().collect(),
        };
        if values == MeasurementValues::default() {
            return Err(CorimError::form(path, "one member or more", "none"));
        }
        Ok(values)
    }

    fn to_value(&self) -> Value {
        let digests = self.digests.as_ref();
        let known = map([
            (0, self.version.as_ref().map(Version::to_value)),
            (2, digests.map(|all| Value::Array(all.iter().map(Digest::to_value).collect()))),
            (4, self.raw_value.as_ref().map(RawValue::to_value)),
            (5, self.raw_value_mask.as_deref().map(Value::from)),
            (11, self.name.as_deref().map(Value::from)),
            (13, self.crypto_keys.as_deref().map(keys_value)),
        ]);
        let mut members = known.as_map().unwrap_or_default().to_vec();
        members.extend(self.other.iter().cloned());
        Value::Map(members)
    }
}

impl Version {
    fn read(value: &Value, path: &Path<'_>) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        let version = members.must(0, "version")?;
        Ok(Version {
            version: text(version, &path.member("version"))?,
            scheme: members.maybe(1, "scheme", |value, path| match value {
                Value::Text(_) | Value::Unsigned(_) | Value::Negative(_) => Ok(value.clone()),
                other => Err(CorimError::form(path, "an integer or a text string", other.describe())),
            })?,
        })
    }

    fn to_value(&self) -> Value {
        map([(0, Some(self.version.as_str().into())), (1, self.scheme.clone())])
    }
}

/// Digests as `[[algorithm, value], …]`; the flat form of some examples, `[algorithm, value, …]`, is
/// read too.
fn digests(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Vec<Digest>, CorimError> {
    let all = items(value, 2 * MAX_DIGESTS, path)?;
    if all.first().is_some_and(|first| first.as_array().is_none()) {
        let (pairs, rest) = all.as_chunks::<2>();
        if !rest.is_empty() {
            let found = format!("an array of {} items", all.len());
            return Err(CorimError::form(path, "pairs of an algorithm and a digest", found));
        }
        notes.add(path, "digests without an array around each, read as if they had it");
        let numbered = pairs.iter().enumerate();
        return numbered
            .map(|(index, [algorithm, value])| Digest::of(algorithm, value, &path.item(2 * index)))
            .collect();
    }
    list(value, MAX_DIGESTS, path, |item, path| match items(item, 2, path)? {
        [algorithm, digest] => Digest::of(algorithm, digest, path),
        other => {
            let found = format!("an array of {} items", other.len());
            Err(CorimError::form(path, "an algorithm and a digest", found))
        }
    })
}

impl Digest {
    fn of(algorithm: &Value, value: &Value, path: &Path<'_>) -> Result<Self, CorimError> {
        let algorithm = match algorithm {
            Value::Text(_) => DigestAlgorithm::Name(text(algorithm, path)?),
            other => DigestAlgorithm::Id(integer(other, path)?),
        };
        Ok(Digest { algorithm, value: bytes(value, path)? })
    }

    fn to_value(&self) -> Value {
        let algorithm = match &self.algorithm {
            DigestAlgorithm::Id(id) => (*id).into(),
            DigestAlgorithm::Name(name) => name.as_str().into(),
        };
        Value::Array(vec![algorithm, self.value.as_slice().into()])
    }
}

impl RawValue {
    fn read(value: &Value, path: &Path<'_>) -> Result<Self, CorimError> {
        match value {
            Value::Tag(tag::BYTES, content) => bytes(content, path).map(RawValue::Bytes),
            Value::Tag(TAG_MASKED_RAW_VALUE, content) => match items(content, 2, path)? {
                [value, mask] => {
                    Ok(RawValue::Masked { value: bytes(value, path)?, mask: bytes(mask, path)? })
                }
                other => {
                    let found = format!("an array of {} items", other.len());
                    Err(CorimError::form(path, "a value and a mask", found))
                }
            },
            other => Ok(RawValue::Other(other.clone())),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            RawValue::Bytes(bytes) => Value::tagged(tag::BYTES, bytes.as_slice()),
            RawValue::Masked { value, mask } => Value::tagged(
                TAG_MASKED_RAW_VALUE,
                vec![Value::from(value.as_slice()), Value::from(mask.as_slice())],
            ),
            RawValue::Other(value) => value.clone(),
        }
    }

    /// What it is, in words for errors.
    pub fn describe(&self) -> String {
        self.to_value().describe()
    }
}

pub(crate) fn keys(value: &Value, path: &Path<'_>) -> Result<Vec<CryptoKey>, CorimError> {
    list(value, MAX_KEYS, path, CryptoKey::read)
}

pub(crate) fn keys_value(keys: &[CryptoKey]) -> Value {
    Value::Array(keys.iter().map(CryptoKey::to_value).collect())
}
