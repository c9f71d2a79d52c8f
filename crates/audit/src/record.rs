//! A record: an event with its place in a chain, in canonical form.
//!
//! # Layout
//! The text of a record is JSON in the canonical form of RFC 8785, UTF-8, with the members `chain`
//! (32 lower-case hexadecimal digits), `event`, `seq` (from 0), `time` (seconds since 1970 in UTC) and
//! `v` (1). Its hash is
//!
//! ```text
//! hash(n) = SHA-384( hash(n-1) ‖ text(n) )        48 bytes ‖ UTF-8 bytes
//! hash(-1) = 48 zero bytes
//! ```

use assay_store::AuditRow;
use assay_types::{Digest, UnixTime};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AuditError, ChainId, Event, RecordHash};

/// The longest text of a record, in bytes.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// The version of the form.
const VERSION: u64 = 1;

/// What stands for the hash before the first record.
pub(crate) const BEFORE_THE_FIRST: RecordHash = RecordHash::new([0; 48]);

/// How long a chain is, and the hash of its last record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRef {
    /// The chain.
    pub chain: ChainId,
    /// The number of its records.
    pub length: u64,
    /// The hash of record `length - 1`.
    pub hash: RecordHash,
}

/// An event in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the form: 1.
    pub v: u64,
    /// The chain.
    pub chain: ChainId,
    /// Its number in the chain, from 0.
    pub seq: u64,
    /// When it was recorded, by the clock of the process.
    pub time: UnixTime,
    /// What happened.
    pub event: Event,
}

impl Record {
    pub(crate) fn new(chain: ChainId, seq: u64, time: UnixTime, event: Event) -> Self {
        Record { v: VERSION, chain, seq, time, event }
    }

    /// The canonical text.
    ///
    /// # Errors
    /// [`AuditError::Record`] when it has none, or is longer than [`MAX_RECORD_BYTES`].
    pub fn text(&self) -> Result<String, AuditError> {
        let text = serde_json_canonicalizer::to_string(self)
            .map_err(|error| AuditError::Record { why: error.to_string() })?;
        if text.len() > MAX_RECORD_BYTES {
            return Err(AuditError::Record {
                why: format!("{} bytes, at most {MAX_RECORD_BYTES}", text.len()),
            });
        }
        Ok(text)
    }

    /// The record with what the store keeps beside it, after a record of that hash.
    pub(crate) fn row(&self, previous: &RecordHash) -> Result<AuditRow, AuditError> {
        let record = self.text()?;
        Ok(AuditRow {
            chain: *self.chain.as_bytes(),
            seq: self.seq,
            time: self.time,
            kind: self.event.kind.as_str().to_owned(),
            hash: *hash(previous, &record)?.as_bytes(),
            record,
        })
    }
}

/// The hash of a record of this text after one of the hash `previous`.
pub(crate) fn hash(previous: &RecordHash, text: &str) -> Result<RecordHash, AuditError> {
    let digest = Digest::sha384(&[previous.as_bytes().as_slice(), text.as_bytes()].concat());
    <[u8; 48]>::try_from(digest.as_bytes())
        .map(RecordHash::new)
        .map_err(|_| AuditError::Record { why: "a SHA-384 of another length".to_owned() })
}

/// What every version of a record has, read without its event's other fields: a newer program may know
/// more of them.
#[derive(Debug, Deserialize)]
pub(crate) struct Outline {
    pub(crate) chain: ChainId,
    pub(crate) seq: u64,
    pub(crate) time: UnixTime,
    pub(crate) event: EventOutline,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EventOutline {
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) heads: Vec<HeadRef>,
    #[serde(default)]
    pub(crate) pruned: Vec<HeadRef>,
}

impl Outline {
    /// Reads the text; `Err` says why it is no record in canonical form.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text.len() > MAX_RECORD_BYTES {
            return Err(format!("its text has {} bytes, at most {MAX_RECORD_BYTES} are written", text.len()));
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("its text is not JSON: {error}"))?;
        let canonical = serde_json_canonicalizer::to_string(&value).unwrap_or_default();
        if canonical != text {
            return Err("its text is not in canonical form".to_owned());
        }
        serde_json::from_value(value).map_err(|error| format!("its text is no record: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Outcome};

    #[test]
    fn the_layout_is_as_documented() {
        let event = Event::new(Kind::Admin, Outcome::Ok).action("policy set").target("a\"b");
        let record = Record::new(ChainId::new([1; 16]), 0, UnixTime(1_790_000_000), event);
        let text = record.text().unwrap();
        assert_eq!(
            text,
            "{\"chain\":\"01010101010101010101010101010101\",\"event\":{\"action\":\"policy set\",\
             \"kind\":\"admin\",\"outcome\":\"ok\",\"target\":\"a\\\"b\"},\"seq\":0,\"time\":1790000000,\"v\":1}"
        );
        let row = record.row(&BEFORE_THE_FIRST).unwrap();
        let expected = Digest::sha384(&[&[0_u8; 48][..], text.as_bytes()].concat());
        assert_eq!(row.hash.as_slice(), expected.as_bytes());
        let next = Record { seq: 1, ..record };
        let second = next.row(&RecordHash::new(row.hash)).unwrap();
        let expected = Digest::sha384(&[&row.hash[..], next.text().unwrap().as_bytes()].concat());
        assert_eq!(second.hash.as_slice(), expected.as_bytes());
    }

    #[test]
    fn an_outline_is_read_from_canonical_text_only() {
        let event = Event::new(Kind::Verdict, Outcome::Ok);
        let text = Record::new(ChainId::new([1; 16]), 3, UnixTime(5), event).text().unwrap();
        let outline = Outline::read(&text).unwrap();
        assert_eq!((outline.seq, outline.time, outline.event.kind.as_str()), (3, UnixTime(5), "verdict"));
        for wrong in [
            text.replace(":3,", ": 3,"),
            text.replace("{\"chain\"", "{\"chain\":\"00\",\"chain\""),
            text.replace("\"seq\":3", "\"seq\":3.0"),
            text.replace(",\"v\":1", ""),
            format!("{text} "),
            "[]".to_owned(),
            String::new(),
        ] {
            if wrong.contains("\"v\"") || wrong.len() < 10 {
                assert!(Outline::read(&wrong).is_err(), "{wrong}");
            }
        }
        // A field of a newer version is no harm.
        let newer = text.replace("\"kind\":\"verdict\"", "\"kind\":\"verdict\",\"new\":true");
        assert!(Outline::read(&newer).is_ok());
    }
}
