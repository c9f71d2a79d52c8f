//! A conceptual message wrapper (draft-ietf-rats-msg-wrap): a record of type and value, in CBOR or in
//! JSON, or a CBOR tag that says the type. Collections of records are refused: nothing here takes
//! more than one message.
//!
//! ```text
//! cbor-record = [type: uint .size 2 / text, value: bytes, ? ind: uint]
//! json-record = [type: number / text, value: base64url text, ? ind: number]
//! cbor-tag    = #6.<TN>(bytes)            TN from a CoAP content-format, RFC 9277, section 4.3
//! ```

use std::fmt;

use assay_cbor::{CborError, Limits, Value as Cbor, read};
use base64::prelude::Engine as _;
use serde_json::Value as Json;

use super::nonce::BASE64URL;

/// The longest wrapper that is read, in bytes.
const MAX_LEN: usize = 1 << 20;

/// A record has one level; more are read only to say what is wrong.
const LIMITS: Limits = Limits { bytes: MAX_LEN, depth: 4, items: 64 };

/// The first tag number that stands for a content-format (RFC 9277, section 4.3).
const FIRST_TAG: u64 = 0x6374_0101;

/// The last content-format that has a tag number.
const LAST_FORMAT: u64 = 65_024;

/// What a wrapped message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CmwType {
    /// A media type.
    MediaType(String),
    /// A CoAP content-format.
    ContentFormat(u16),
}

impl fmt::Display for CmwType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CmwType::MediaType(text) => f.write_str(text),
            CmwType::ContentFormat(number) => write!(f, "CoAP content-format {number}"),
        }
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmw {
    /// What the message is.
    pub message_type: CmwType,
    /// The message.
    pub value: Vec<u8>,
    /// Which conceptual messages the record holds, as bits: reference values 1, endorsements 2,
    /// evidence 4, attestation results 8, appraisal policy 16. `None` when it does not say.
    pub indicator: Option<u64>,
}

/// Bytes that are not a CMW record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCmw {
    /// Neither CBOR nor JSON begins so.
    #[error("neither a CBOR record or tag nor a JSON record: the first byte is {first:#04x}")]
    Unknown {
        /// The first byte.
        first: u8,
    },
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// The wrapper is too long.
    #[error("{found} bytes; at most {MAX_LEN} are read")]
    TooLong {
        /// The length found, in bytes.
        found: usize,
    },
    /// The CBOR cannot be read.
    #[error("CBOR: {0}")]
    Cbor(#[from] CborError),
    /// The JSON cannot be read.
    #[error("JSON: {detail}")]
    Json {
        /// What the parser says.
        detail: String,
    },
    /// It is a collection.
    #[error("it is a collection; one record is taken")]
    Collection,
    /// It is not of the form of a record.
    #[error("{what}")]
    Form {
        /// What is wrong.
        what: String,
    },
}

fn form(what: impl Into<String>) -> NotCmw {
    NotCmw::Form { what: what.into() }
}

impl Cmw {
    /// Reads a record of either kind. The first byte tells: no CBOR record begins with white space,
    /// `[` or `{`.
    ///
    /// # Errors
    /// [`NotCmw`], see there.
    pub fn read(bytes: &[u8]) -> Result<Self, NotCmw> {
        match bytes.first() {
            None => Err(NotCmw::Empty),
            Some(b'[' | b'{' | b' ' | b'\t' | b'\r' | b'\n') => Cmw::from_json(bytes),
            // Arrays, maps and tags.
            Some(0x80..=0xdf) => Cmw::from_cbor(bytes),
            Some(first) => Err(NotCmw::Unknown { first: *first }),
        }
    }

    /// Reads a record, or a tag that says the type, in CBOR.
    ///
    /// # Errors
    /// [`NotCmw`], see there.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, NotCmw> {
        check_len(bytes)?;
        match read(bytes, LIMITS)? {
            Cbor::Array(items) => cbor_record(&items),
            Cbor::Tag(number, content) => {
                let message_type = content_format_of_tag(number)
                    .map(CmwType::ContentFormat)
                    .ok_or_else(|| form(format!("tag {number} stands for no content-format")))?;
                let Cbor::Bytes(value) = *content else {
                    return Err(form(format!("the tag's content is {}, not bytes", content.describe())));
                };
                Ok(Cmw { message_type, value, indicator: None })
            }
            Cbor::Map(_) => Err(NotCmw::Collection),
            other => Err(form(format!("it is {}, not an array", other.describe()))),
        }
    }

    /// Reads a record in JSON.
    ///
    /// # Errors
    /// [`NotCmw`], see there.
    pub fn from_json(bytes: &[u8]) -> Result<Self, NotCmw> {
        check_len(bytes)?;
        let value: Json =
            serde_json::from_slice(bytes).map_err(|error| NotCmw::Json { detail: error.to_string() })?;
        match value {
            Json::Array(items) => json_record(&items),
            Json::Object(_) => Err(NotCmw::Collection),
            _ => Err(form("it is not an array")),
        }
    }
}

fn check_len(bytes: &[u8]) -> Result<(), NotCmw> {
    if bytes.len() > MAX_LEN {
        return Err(NotCmw::TooLong { found: bytes.len() });
    }
    Ok(())
}

fn cbor_record(items: &[Cbor]) -> Result<Cmw, NotCmw> {
    let (kind, value, indicator) = parts(items)?;
    let message_type = match kind {
        Cbor::Text(text) => CmwType::MediaType(text.clone()),
        Cbor::Unsigned(number) => content_format(*number)?,
        other => return Err(form(format!("the type is {}", other.describe()))),
    };
    let value = value.as_bytes().ok_or_else(|| form(format!("the value is {}", value.describe())))?;
    let indicator = match indicator {
        Some(bits) => Some(bits.as_u64().ok_or_else(|| form("the indicator is not an unsigned integer"))?),
        None => None,
    };
    Ok(Cmw { message_type, value: value.to_vec(), indicator })
}

fn json_record(items: &[Json]) -> Result<Cmw, NotCmw> {
    let (kind, value, indicator) = parts(items)?;
    let message_type = match (kind.as_str(), kind.as_u64()) {
        (Some(text), _) => CmwType::MediaType(text.to_owned()),
        (None, Some(number)) => content_format(number)?,
        (None, None) => return Err(form("the type is neither text nor an unsigned integer")),
    };
    let text = value.as_str().ok_or_else(|| form("the value is not text"))?;
    let value =
        BASE64URL.decode(text).map_err(|error| form(format!("the value is not base64url: {error}")))?;
    let indicator = match indicator {
        Some(bits) => Some(bits.as_u64().ok_or_else(|| form("the indicator is not an unsigned integer"))?),
        None => None,
    };
    Ok(Cmw { message_type, value, indicator })
}

/// Type, value, indicator.
fn parts<T>(items: &[T]) -> Result<(&T, &T, Option<&T>), NotCmw> {
    match items {
        [kind, value] => Ok((kind, value, None)),
        [kind, value, indicator] => Ok((kind, value, Some(indicator))),
        _ => Err(form(format!("a record has 2 or 3 items, not {}", items.len()))),
    }
}

fn content_format(number: u64) -> Result<CmwType, NotCmw> {
    let number = u16::try_from(number).map_err(|_| form(format!("{number} is not a content-format")))?;
    Ok(CmwType::ContentFormat(number))
}

/// The content-format of a tag number: each has 255 of every 256 numbers, so that none ends in ff.
fn content_format_of_tag(number: u64) -> Option<u16> {
    let distance = number.checked_sub(FIRST_TAG)?;
    let (high, low) = (distance / 256, distance % 256);
    let format = high.checked_mul(255)?.checked_add(low)?;
    if low == 255 || format > LAST_FORMAT { None } else { u16::try_from(format).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn record(message_type: Cbor, value: &[u8], indicator: Option<u64>) -> Vec<u8> {
        let mut items = vec![message_type, Cbor::Bytes(value.to_vec())];
        items.extend(indicator.map(Cbor::Unsigned));
        Cbor::Array(items).encode()
    }

    fn text(text: &str) -> Cbor {
        Cbor::Text(text.to_owned())
    }

    #[test]
    fn each_form_is_read() {
        let media = |value: &[u8], indicator| Cmw {
            message_type: CmwType::MediaType("a/b".into()),
            value: value.to_vec(),
            indicator,
        };
        let format =
            |number| Cmw { message_type: CmwType::ContentFormat(number), value: vec![0xfb], indicator: None };
        for (bytes, expected) in [
            (record(text("a/b"), &[0xfb, 1], None), media(&[0xfb, 1], None)),
            (record(text("a/b"), &[], Some(4)), media(&[], Some(4))),
            (record(Cbor::Unsigned(263), &[0xfb], None), format(263)),
            (br#"["a/b","-wE"]"#.to_vec(), media(&[0xfb, 1], None)),
            (br#" [ "a/b" , "-wE=" , 4 ]"#.to_vec(), media(&[0xfb, 1], Some(4))),
            (br#"[263,"-w"]"#.to_vec(), format(263)),
            (Cbor::tagged(0x6374_0101 + 263 + 1, Cbor::Bytes(vec![0xfb])).encode(), format(263)),
        ] {
            assert_eq!(Cmw::read(&bytes).unwrap(), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn tag_numbers_are_those_of_rfc_9277() {
        for (number, expected) in [
            (0x6374_0100, None),
            (0x6374_0101, Some(0)),
            (0x6374_0101 + 254, Some(254)),
            (0x6374_0200, None),
            (0x6374_0201, Some(255)),
            (1_668_612_095, Some(65_024)),
            (1_668_612_096, None),
            (u64::MAX, None),
        ] {
            assert_eq!(content_format_of_tag(number), expected, "{number:#x}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_reason() {
        let cbor = |items: Vec<Cbor>| Cbor::Array(items).encode();
        for (bytes, part) in [
            (vec![], "empty"),
            (vec![0x00], "0x00"),
            (vec![0x5b, 0, 0], "JSON"),
            (b"null".to_vec(), "0x6e"),
            (b"[".to_vec(), "JSON: EOF"),
            (b"[]".to_vec(), "not 0"),
            (br#"["a/b"]"#.to_vec(), "not 1"),
            (br#"["a/b","AA",4,5]"#.to_vec(), "not 4"),
            (br#"["a/b",7]"#.to_vec(), "value is not text"),
            (br#"["a/b","A+/A"]"#.to_vec(), "base64url"),
            (br#"["a/b","AB"]"#.to_vec(), "base64url"),
            (br#"["a/b","AA",-1]"#.to_vec(), "indicator"),
            (br#"["a/b","AA",null]"#.to_vec(), "indicator"),
            (br#"[1.5,"AA"]"#.to_vec(), "type is neither"),
            (br#"[65536,"AA"]"#.to_vec(), "65536 is not a content-format"),
            (br#"{"a":["a/b","AA"]}"#.to_vec(), "collection"),
            (b" 7".to_vec(), "not an array"),
            (br#"["a/b","AA"] x"#.to_vec(), "trailing"),
            (cbor(vec![]), "not 0"),
            (cbor(vec![text("a/b")]), "not 1"),
            (cbor(vec![text("a/b"), text("x")]), "the value is"),
            (cbor(vec![Cbor::Null, Cbor::Bytes(vec![])]), "the type is"),
            (cbor(vec![Cbor::Unsigned(65_536), Cbor::Bytes(vec![])]), "65536 is not"),
            (cbor(vec![text("a/b"), Cbor::Bytes(vec![]), text("x")]), "indicator"),
            (Cbor::Map(vec![]).encode(), "collection"),
            (Cbor::tagged(18, Cbor::Bytes(vec![])).encode(), "tag 18"),
            (Cbor::tagged(0x6374_0101, text("x")).encode(), "content is"),
            (vec![0x82, 0x63, b'a'], "CBOR"),
            (vec![0x9f, 0xff], "CBOR"),
            ([record(text("a/b"), &[], None), vec![0]].concat(), "CBOR"),
            (vec![b' '; MAX_LEN + 1], "1048577 bytes"),
        ] {
            let error = Cmw::read(&bytes).unwrap_err().to_string();
            assert!(error.contains(part), "{:02x?}: {error}", &bytes[..bytes.len().min(20)]);
        }
    }

    proptest! {
        #[test]
        fn records_come_back(kind in "[a-z]{1,8}/[a-z]{1,8}", value in any::<Vec<u8>>(), indicator in any::<Option<u64>>()) {
            let expected =
                Cmw { message_type: CmwType::MediaType(kind.clone()), value: value.clone(), indicator };
            prop_assert_eq!(Cmw::read(&record(text(&kind), &value, indicator)), Ok(expected.clone()));
            let mut json = vec![Json::from(kind), Json::from(BASE64URL.encode(&value))];
            json.extend(indicator.map(Json::from));
            prop_assert_eq!(Cmw::read(Json::Array(json).to_string().as_bytes()), Ok(expected));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>()) {
            let _ = Cmw::read(&bytes);
            let _ = Cmw::from_cbor(&bytes);
            let _ = Cmw::from_json(&bytes);
        }
    }
}
