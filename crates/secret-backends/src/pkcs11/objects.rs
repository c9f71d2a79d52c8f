//! Resources as objects of a token.

use assay_types::{ResourcePath, SecretBytes};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroize as _;

use super::Pkcs11Error;
use crate::backend::MAX_LISTED;
use crate::{BackendError, Secret, SecretInfo};

/// The largest value, in bytes. Tokens mostly have less room, and then say so.
pub(super) const MAX_VALUE: usize = 1 << 20;

/// How our objects call their application, before the version.
const APPLICATION: &str = "assay:";

/// How often a search is begun anew when an object that it found is gone.
const ATTEMPTS: usize = 4;

/// An object with the label of a resource.
struct Object {
    handle: ObjectHandle,
    /// Ours; 0 is another program's.
    version: u64,
    size: usize,
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Pkcs11(RvError::ObjectHandleInvalid, _))
}

fn text(attributes: &[Attribute], of: AttributeType) -> Option<&[u8]> {
    attributes.iter().find_map(|attribute| match (attribute, of) {
        (Attribute::Label(bytes), AttributeType::Label)
        | (Attribute::Application(bytes), AttributeType::Application)
        | (Attribute::Value(bytes), AttributeType::Value) => Some(bytes.as_slice()),
        _ => None,
    })
}

fn version(attributes: &[Attribute]) -> u64 {
    let application = text(attributes, AttributeType::Application).unwrap_or_default();
    let digits = std::str::from_utf8(application).ok().and_then(|text| text.strip_prefix(APPLICATION));
    digits
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// The length of an object's value; `None` where it cannot be read.
fn size(session: &Session, handle: ObjectHandle) -> Result<Option<usize>, Error> {
    let info = session.get_attribute_info(handle, &[AttributeType::Value])?;
    Ok(info.into_iter().find_map(|info| match info {
        AttributeInfo::Available(size) => Some(size),
        _ => None,
    }))
}

/// Data objects and keys with the label of the path whose value can be read, and whether there are keys
/// whose value cannot.
fn find(session: &Session, path: &ResourcePath) -> Result<(Vec<Object>, Vec<Object>, bool), Error> {
    let search = |class| {
        session.find_objects(&[
            Attribute::Class(class),
            Attribute::Token(true),
            Attribute::Label(path.as_str().as_bytes().to_vec()),
        ])
    };
    let mut data = Vec::new();
    for handle in search(ObjectClass::DATA)? {
        let attributes = session.get_attributes(handle, &[AttributeType::Application])?;
        if let Some(size) = size(session, handle)? {
            data.push(Object { handle, version: version(&attributes), size });
        }
    }
    let (mut keys, mut hidden) = (Vec::new(), false);
    for handle in search(ObjectClass::SECRET_KEY)? {
        match size(session, handle)? {
            Some(size) => keys.push(Object { handle, version: 0, size }),
            None => hidden = true,
        }
    }
    Ok((data, keys, hidden))
}

/// Begins anew when an object was replaced between the search and the look at it.
fn searching<T>(work: impl Fn() -> Result<T, ReadError>) -> Result<T, Pkcs11Error> {
    for _ in 1..ATTEMPTS {
        match work() {
            Err(ReadError::Token(error)) if is_gone(&error) => {}
            done => return done.map_err(ReadError::end),
        }
    }
    work().map_err(ReadError::end)
}

enum ReadError {
    Token(Error),
    Found(Pkcs11Error),
}

impl ReadError {
    fn end(self) -> Pkcs11Error {
        match self {
            ReadError::Token(error) => error.into(),
            ReadError::Found(error) => error,
        }
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        ReadError::Token(error)
    }
}

/// The value of a resource.
pub(super) fn read(session: &Session, path: &ResourcePath) -> Result<Option<Secret>, Pkcs11Error> {
    searching(|| {
        let (data, keys, hidden) = find(session, path)?;
        let newest = data.iter().map(|object| object.version).max();
        let candidates: Vec<&Object> = match newest {
            Some(newest) => data.iter().filter(|object| object.version == newest).collect(),
            None => keys.iter().collect(),
        };
        let mut values = Vec::new();
        for object in &candidates {
            if object.size > MAX_VALUE {
                let path = path.to_string();
                return Err(ReadError::Found(Pkcs11Error::TooLarge { path, limit: MAX_VALUE }));
            }
            values.push(value(session, object.handle)?);
        }
        // Two replicas that wrote at the same moment made the same version: the greater value counts, for
        // everybody alike.
        values.sort_by(|a, b| a.expose().cmp(b.expose()));
        values.dedup();
        let ours = newest.is_some_and(|newest| newest > 0);
        if values.len() > 1 && !ours {
            return Err(ReadError::Found(Pkcs11Error::Ambiguous { path: path.to_string() }));
        }
        match values.pop() {
            Some(value) => Ok(Some(Secret { value, version: newest.filter(|newest| *newest > 0) })),
            None if hidden => Err(ReadError::Found(Pkcs11Error::NotReadable { path: path.to_string() })),
            None => Ok(None),
        }
    })
}

fn value(session: &Session, handle: ObjectHandle) -> Result<SecretBytes, Error> {
    let attributes = session.get_attributes(handle, &[AttributeType::Value])?;
    for attribute in attributes {
        if let Attribute::Value(bytes) = attribute {
            return Ok(SecretBytes::new(bytes));
        }
    }
    // An empty value, which some tokens do not return as an attribute.
    Ok(SecretBytes::new(Vec::new()))
}

/// Makes the object of the next version, then removes what was there.
pub(super) fn write(session: &Session, path: &ResourcePath, value: &SecretBytes) -> Result<u64, Pkcs11Error> {
    let (data, keys, _) = searching(|| Ok(find(session, path)?))?;
    let newest = data.iter().map(|object| object.version).max().unwrap_or_default();
    let next = newest.saturating_add(1);
    let mut attributes = vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Label(path.as_str().as_bytes().to_vec()),
        Attribute::Application(format!("{APPLICATION}{next}").into_bytes()),
        Attribute::Value(value.expose().to_vec()),
    ];
    let created = session.create_object(&attributes);
    for attribute in &mut attributes {
        if let Attribute::Value(bytes) = attribute {
            bytes.zeroize();
        }
    }
    created?;
    for object in data.iter().chain(&keys) {
        match session.destroy_object(object.handle) {
            Ok(()) => {}
            Err(error) if is_gone(&error) => {}
            // The new value counts all the same; the next write tries again.
            Err(error) => {
                let error = Pkcs11Error::from(error);
                tracing::warn!(resource = %path, %error, "an older object could not be removed from the token");
            }
        }
    }
    Ok(next)
}

/// Removes every object of a resource.
pub(super) fn delete(session: &Session, path: &ResourcePath) -> Result<bool, Pkcs11Error> {
    let (data, keys, _) = searching(|| Ok(find(session, path)?))?;
    // The oldest first: broken off in the middle, the newest value is still the one that is read.
    let mut objects: Vec<&Object> = keys.iter().chain(&data).collect();
    objects.sort_by_key(|object| object.version);
    for object in &objects {
        match session.destroy_object(object.handle) {
            Err(error) if !is_gone(&error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(!objects.is_empty())
}

/// All resources whose path begins with `prefix`.
pub(super) fn list(session: &Session, prefix: &str) -> Result<Vec<SecretInfo>, BackendError> {
    let mut listed = std::collections::BTreeMap::<ResourcePath, SecretInfo>::new();
    for class in [ObjectClass::DATA, ObjectClass::SECRET_KEY] {
        let ours = class == ObjectClass::DATA;
        let found = session.find_objects(&[Attribute::Class(class), Attribute::Token(true)]);
        for handle in found.map_err(Pkcs11Error::from)? {
            let wanted: &[AttributeType] = if ours {
                &[AttributeType::Label, AttributeType::Application]
            } else {
                &[AttributeType::Label]
            };
            let looked = session.get_attributes(handle, wanted).and_then(|attributes| {
                let size = size(session, handle)?;
                Ok((attributes, size))
            });
            let (attributes, size) = match looked {
                Ok((attributes, Some(size))) => (attributes, size),
                // Not ours to read, or gone meanwhile.
                Ok((_, None)) => continue,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(Pkcs11Error::from(error).into()),
            };
            let label =
                text(&attributes, AttributeType::Label).and_then(|label| std::str::from_utf8(label).ok());
            let Some(path) =
                label.filter(|label| label.starts_with(prefix)).and_then(|label| label.parse().ok())
            else {
                continue;
            };
            let version = Some(version(&attributes)).filter(|version| ours && *version > 0);
            // Of data objects the newest; a key only where there is none.
            let known = listed.get(&path);
            if known.is_some_and(|known| !ours || known.version >= version) {
                continue;
            }
            if known.is_none() && listed.len() == MAX_LISTED {
                return Err(BackendError::TooMany { backend: "pkcs11", limit: MAX_LISTED });
            }
            let size = u64::try_from(size).ok();
            let info = SecretInfo { path: path.clone(), version, versions: Some(1), created: None, size };
            listed.insert(path, info);
        }
    }
    Ok(listed.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_ours_or_none() {
        let of = |text: &str| version(&[Attribute::Application(text.as_bytes().to_vec())]);
        assert_eq!(of("assay:1"), 1);
        assert_eq!(of("assay:18446744073709551615"), u64::MAX);
        for text in [
            "",
            "assay",
            "assay:",
            "assay:-1",
            "assay:+1",
            "assay:1x",
            "other:1",
            "assay:18446744073709551616",
        ] {
            assert_eq!(of(text), 0, "{text}");
        }
        assert_eq!(version(&[]), 0);
    }
}
