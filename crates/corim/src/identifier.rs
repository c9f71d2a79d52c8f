//! Identifiers: of documents and tags, of environments, of keys.

use std::fmt;

use assay_cbor::Value;

use crate::CorimError;
use crate::member::{MAX_BLOB, Notes, array_of, bytes, text, text_up_to, uri};
use crate::path::Path;

pub(crate) mod tag {
    pub(crate) const URI: u64 = 32;
    pub(crate) const UUID: u64 = 37;
    pub(crate) const OID: u64 = 111;
    pub(crate) const UEID: u64 = 550;
    pub(crate) const PKIX_BASE64_KEY: u64 = 554;
    pub(crate) const PKIX_BASE64_CERT: u64 = 555;
    pub(crate) const BYTES: u64 = 560;
}

/// The identifier of a CoRIM or of a tag in it: text, or a UUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TagId {
    /// Text of 1 to 1024 bytes.
    Text(String),
    /// A UUID. It is written as a bare byte string; with tag 37 it is read too.
    Uuid([u8; 16]),
}

impl TagId {
    pub(crate) fn read(value: &Value, path: &Path<'_>) -> Result<Self, CorimError> {
        match value {
            Value::Text(_) => text(value, path).map(TagId::Text),
            Value::Bytes(_) => array_of(value, path).map(TagId::Uuid),
            Value::Tag(tag::UUID, content) => array_of(content, path).map(TagId::Uuid),
            other => Err(CorimError::form(path, "a text string or a UUID", other.describe())),
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            TagId::Text(text) => text.as_str().into(),
            TagId::Uuid(uuid) => (*uuid).into(),
        }
    }
}

impl From<&str> for TagId {
    fn from(text: &str) -> Self {
        TagId::Text(text.to_owned())
    }
}

impl fmt::Display for TagId {
    /// The text, or the UUID in its usual form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TagId::Text(text) => f.write_str(text),
            TagId::Uuid(uuid) => {
                for (index, byte) in uuid.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

/// A profile: which rules a CoRIM follows beyond the general ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A URI (tag 32).
    Uri(String),
    /// An object identifier (tag 111), the content octets of its BER encoding.
    Oid(Vec<u8>),
}

impl Profile {
    pub(crate) fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        match value {
            Value::Tag(tag::OID, content) => bytes(content, path).map(Profile::Oid),
            Value::Tag(tag::URI, _) | Value::Text(_) => uri(value, path, notes).map(Profile::Uri),
            other => Err(CorimError::form(path, "a URI (tag 32) or an OID (tag 111)", other.describe())),
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Profile::Uri(uri) => Value::tagged(tag::URI, uri.as_str()),
            Profile::Oid(oid) => Value::tagged(tag::OID, oid.as_slice()),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Profile::Uri(uri) => f.write_str(uri),
            Profile::Oid(oid) => write!(f, "the OID h'{}'", hex::encode(oid)),
        }
    }
}

/// What identifies the class, the instance or the group of an environment.
#[derive(Clone, Debug, PartialEq)]
pub enum Identifier {
    /// Tag 560: bytes.
    Bytes(Vec<u8>),
    /// Tag 550: a universal entity identifier (RFC 9711, 4.2.1).
    Ueid(Vec<u8>),
    /// Tag 37: a UUID.
    Uuid([u8; 16]),
    /// Tag 111: an object identifier, the content octets of its BER encoding.
    Oid(Vec<u8>),
    /// Anything else, as it came.
    Other(Value),
}

impl Identifier {
    pub(crate) fn read(value: &Value, path: &Path<'_>) -> Result<Self, CorimError> {
        match value {
            Value::Tag(tag::BYTES, content) => bytes(content, path).map(Identifier::Bytes),
            Value::Tag(tag::UEID, content) => bytes(content, path).map(Identifier::Ueid),
            Value::Tag(tag::UUID, content) => array_of(content, path).map(Identifier::Uuid),
            Value::Tag(tag::OID, content) => bytes(content, path).map(Identifier::Oid),
            other => Ok(Identifier::Other(other.clone())),
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Identifier::Bytes(bytes) => Value::tagged(tag::BYTES, bytes.as_slice()),
            Identifier::Ueid(ueid) => Value::tagged(tag::UEID, ueid.as_slice()),
            Identifier::Uuid(uuid) => Value::tagged(tag::UUID, *uuid),
            Identifier::Oid(oid) => Value::tagged(tag::OID, oid.as_slice()),
            Identifier::Other(value) => value.clone(),
        }
    }

    /// What it is, in words for errors: "bytes (tag 560) of 32 bytes".
    pub fn describe(&self) -> String {
        match self {
            Identifier::Bytes(bytes) => format!("bytes (tag 560) of {} bytes", bytes.len()),
            Identifier::Ueid(ueid) => format!("a UEID (tag 550) of {} bytes", ueid.len()),
            Identifier::Uuid(_) => "a UUID (tag 37)".to_owned(),
            Identifier::Oid(_) => "an OID (tag 111)".to_owned(),
            Identifier::Other(value) => value.describe(),
        }
    }
}

/// A key, or what stands for one.
#[derive(Clone, Debug, PartialEq)]
pub enum CryptoKey {
    /// Tag 554: a SubjectPublicKeyInfo in base64 or PEM.
    PkixBase64Key(String),
    /// Tag 555: a certificate in base64 or PEM.
    PkixBase64Cert(String),
    /// Tag 560: bytes that identify a key.
    Bytes(Vec<u8>),
    /// Anything else, as it came: thumbprints (557, 559, 561), COSE_Keys (558), chains (556).
    Other(Value),
}

impl CryptoKey {
    pub(crate) fn read(value: &Value, path: &Path<'_>) -> Result<Self, CorimError> {
        let pem = |content| text_up_to(content, MAX_BLOB, path);
        match value {
            Value::Tag(tag::PKIX_BASE64_KEY, content) => pem(content).map(CryptoKey::PkixBase64Key),
            Value::Tag(tag::PKIX_BASE64_CERT, content) => pem(content).map(CryptoKey::PkixBase64Cert),
            Value::Tag(tag::BYTES, content) => bytes(content, path).map(CryptoKey::Bytes),
            Value::Tag(..) => Ok(CryptoKey::Other(value.clone())),
            other => Err(CorimError::form(path, "a key (an item with a tag)", other.describe())),
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            CryptoKey::PkixBase64Key(text) => Value::tagged(tag::PKIX_BASE64_KEY, text.as_str()),
            CryptoKey::PkixBase64Cert(text) => Value::tagged(tag::PKIX_BASE64_CERT, text.as_str()),
            CryptoKey::Bytes(bytes) => Value::tagged(tag::BYTES, bytes.as_slice()),
            CryptoKey::Other(value) => value.clone(),
        }
    }

    /// What it is, in words for errors: "a pkix-base64-cert (tag 555)".
    pub fn describe(&self) -> String {
        match self {
            CryptoKey::PkixBase64Key(_) => "a pkix-base64-key (tag 554)".to_owned(),
            CryptoKey::PkixBase64Cert(_) => "a pkix-base64-cert (tag 555)".to_owned(),
            CryptoKey::Bytes(bytes) => format!("bytes (tag 560) of {} bytes", bytes.len()),
            CryptoKey::Other(value) => value.describe(),
        }
    }
}
