//! Distinguished names (RFC 5280, 4.1.2.4).

use std::fmt;

use der::asn1::ObjectIdentifier;
use der::{Tag, Tagged};

use crate::NotDer;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The longest text of an attribute, in bytes; X.520 has 64 characters for most.
const MAX_TEXT: usize = 256;

/// A distinguished name: attributes in order, by type and text. The string type of the encoding
/// does not count, so that a name compares equal however it is encoded (RFC 5280, section 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Vec<(ObjectIdentifier, String)>);

impl Name {
    /// Reads a name of single-valued attributes, at most 16, each of at most 256 bytes without control
    /// characters: names stand in findings and logs, whoever wrote them.
    ///
    /// # Errors
    /// [`NotDer`] for any other.
    pub(crate) fn read(name: &x509_cert::name::Name) -> Result<Self, NotDer> {
        let mut attributes = Vec::with_capacity(6);
        for rdn in name.iter_rdn() {
            let mut parts = rdn.iter();
            let (Some(attribute), None) = (parts.next(), parts.next()) else {
                return Err(NotDer::new("a relative distinguished name has not exactly one attribute"));
            };
            let text = match attribute.value.tag() {
                Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
                    std::str::from_utf8(attribute.value.value()).map_err(|e| NotDer::new(e.to_string()))?
                }
                tag => return Err(NotDer::new(format!("a name has an attribute of type {tag}"))),
            };
            if text.len() > MAX_TEXT || text.contains(char::is_control) {
                let why = format!("a name has an attribute with control characters or over {MAX_TEXT} bytes");
                return Err(NotDer::new(why));
            }
            attributes.push((attribute.oid, text.to_owned()));
        }
        if attributes.len() > 16 {
            return Err(NotDer::new("a name has more than 16 attributes"));
        }
        Ok(Name(attributes))
    }

    /// A name of these attributes, each a type and its text, in order.
    pub fn new<'a>(attributes: impl IntoIterator<Item = (ObjectIdentifier, &'a str)>) -> Self {
        Name(attributes.into_iter().map(|(oid, text)| (oid, text.to_owned())).collect())
    }

    /// The common name; `None` when there is none or more than one.
    pub fn common_name(&self) -> Option<&str> {
        let mut names = self.0.iter().filter(|(oid, _)| *oid == COMMON_NAME);
        match (names.next(), names.next()) {
            (Some((_, text)), None) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (oid, text)) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            match oid.to_string().as_str() {
                "2.5.4.3" => write!(f, "{separator}CN={text:?}")?,
                "2.5.4.6" => write!(f, "{separator}C={text:?}")?,
                "2.5.4.7" => write!(f, "{separator}L={text:?}")?,
                "2.5.4.8" => write!(f, "{separator}ST={text:?}")?,
                "2.5.4.10" => write!(f, "{separator}O={text:?}")?,
                "2.5.4.11" => write!(f, "{separator}OU={text:?}")?,
                other => write!(f, "{separator}{other}={text:?}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use der::asn1::{Any, Utf8StringRef};
    use der::{Decode, Encode};

    use super::*;

    /// A name with this common name alone.
    fn read(text: &str) -> Result<Name, NotDer> {
        let oid = COMMON_NAME.to_der().unwrap();
        let value = Any::encode_from(&Utf8StringRef::new(text).unwrap()).unwrap().to_der().unwrap();
        let wrapped = |tag: Tag, content: Vec<u8>| Any::new(tag, content).unwrap().to_der().unwrap();
        let attribute = wrapped(Tag::Sequence, [oid, value].concat());
        let der = wrapped(Tag::Sequence, wrapped(Tag::Set, attribute));
        Name::read(&x509_cert::name::Name::from_der(&der).unwrap())
    }

    #[test]
    fn names_that_would_spoil_findings_and_logs_are_refused() {
        let longest = "a".repeat(MAX_TEXT);
        assert_eq!(read(&longest).unwrap().common_name(), Some(&*longest));
        for bad in
            ["a".repeat(MAX_TEXT + 1), "a\nb".into(), "\u{1b}[2J".into(), "a\0".into(), "\u{9b}2J".into()]
        {
            assert!(read(&bad).unwrap_err().to_string().contains("control characters"), "{bad:?}");
        }
    }
}
