//! The message that registers reference values.

use assay_store::NewReferenceValue;
use assay_types::UnixTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use time::{Month, OffsetDateTime};

use crate::extractor::{Context, Extract};
use crate::{CorimTrust, ReferenceValueError, corim, extractor};

/// The version of the message.
pub const MESSAGE_VERSION: &str = "0.1.0";

/// The largest message in bytes; of type `sample` 1 MiB. A CoRIM of 4 MiB fits in.
pub const MAX_MESSAGE_LEN: usize = 6 << 20;

/// The largest number of values in a message.
pub const MAX_VALUES: usize = 10_000;

/// The longest name in bytes.
pub const MAX_NAME_LEN: usize = 512;

/// The largest value, in bytes of JSON text without white space.
pub const MAX_VALUE_LEN: usize = 64 << 10;

/// The most levels of a value: a number has one, an array of numbers two.
pub const MAX_DEPTH: usize = 16;

#[derive(Deserialize)]
struct Message {
    #[serde(default = "default_version")]
    version: String,
    #[serde(rename = "type")]
    kind: String,
    payload: String,
    #[serde(default)]
    expires: Option<String>,
}

fn default_version() -> String {
    MESSAGE_VERSION.to_owned()
}

/// What a message or document would register.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Registration {
    /// The values, in the order of the payload. Names are unique.
    pub values: Vec<NewReferenceValue>,
    /// A part of names, `#<CoRIM id>/`: values of type `corim` whose names have it and are not among
    /// `values` are of an earlier edition of the document, and end with it.
    pub replaces: Option<String>,
    /// What was read differently from what stands there, or not at all.
    pub notes: Vec<String>,
}

/// Reads a message: what it would register at the time `now`, where `trust` says whose CoRIMs are taken.
///
/// # Errors
/// Every [`ReferenceValueError`] but those of the store: the first that is found.
pub fn parse_message(
    message: &[u8],
    now: UnixTime,
    trust: &CorimTrust,
) -> Result<Registration, ReferenceValueError> {
    let found = message.len();
    let check_length = |limit: usize| {
        if found > limit { Err(ReferenceValueError::MessageTooLarge { limit, found }) } else { Ok(()) }
    };
    check_length(MAX_MESSAGE_LEN)?;
    let message: Message = serde_json::from_slice(message)
        .map_err(|error| ReferenceValueError::Message { detail: error.to_string() })?;
    if message.version != MESSAGE_VERSION {
        return Err(ReferenceValueError::Version { found: message.version.chars().take(64).collect() });
    }
    let extractor = extractor::find(&message.kind)?;
    check_length(extractor.max_message)?;
    let expires = expiry(message.expires.as_deref(), now)?;
    let payload = STANDARD
        .decode(&message.payload)
        .map_err(|error| ReferenceValueError::Base64 { detail: error.to_string() })?;
    let extract = (extractor.extract)(&payload, &Context { now, trust })?;
    registration(extract, extractor.name, expires)
}

/// Reads a CoRIM that comes by itself. Its values end with it, and after 12 months at the latest.
pub(crate) fn parse_corim(
    bytes: &[u8],
    profile: Option<&str>,
    now: UnixTime,
    trust: &CorimTrust,
) -> Result<Registration, ReferenceValueError> {
    let extract = corim::extract_as(bytes, profile, &Context { now, trust })?;
    registration(extract, corim::NAME, in_a_year(now))
}

/// Checks the limits on names and values. They end with the document that they come from, at the latest.
fn registration(
    extract: Extract,
    source: &'static str,
    expires: UnixTime,
) -> Result<Registration, ReferenceValueError> {
    // A document is valid in its last second; a value is not.
    let expires = extract.not_after.map_or(expires, |last| expires.min(last.plus(1)));
    let found = extract.values.len();
    if found > MAX_VALUES {
        return Err(ReferenceValueError::TooMany { limit: MAX_VALUES, found });
    }
    let mut values = Vec::with_capacity(found);
    for (id, value) in extract.values {
        check_name(&id)?;
        let found = value.to_string().len();
        if found > MAX_VALUE_LEN {
            return Err(ReferenceValueError::ValueTooLarge { name: id, limit: MAX_VALUE_LEN, found });
        }
        values.push(NewReferenceValue { id, value, expires, source: source.to_owned() });
    }
    Ok(Registration { values, replaces: extract.replaces, notes: extract.notes })
}

/// Printable ASCII, `:` and `/` among it (reference value URIs have both). Other scripts are left
/// out because names are compared byte by byte and read by people.
fn check_name(name: &str) -> Result<(), ReferenceValueError> {
    let printable = name.bytes().all(|b| (0x20..=0x7e).contains(&b));
    if printable && (1..=MAX_NAME_LEN).contains(&name.len()) {
        Ok(())
    } else {
        Err(ReferenceValueError::Name { name: name.chars().take(64).collect() })
    }
}

fn expiry(text: Option<&str>, now: UnixTime) -> Result<UnixTime, ReferenceValueError> {
    let Some(text) = text else { return Ok(in_a_year(now)) };
    let expires = UnixTime::parse_rfc3339(text)
        .map_err(|error| ReferenceValueError::Expires { detail: error.to_string() })?;
    if expires <= now {
        return Err(ReferenceValueError::Expires { detail: format!("{expires} is not in the future") });
    }
    Ok(expires)
}

/// The same day and time 12 months later; of a 29 February the 28th, as Trustee has it.
fn in_a_year(now: UnixTime) -> UnixTime {
    let later = OffsetDateTime::from_unix_timestamp(now.0).ok().and_then(|now| {
        let day = if now.month() == Month::February { now.day().min(28) } else { now.day() };
        now.replace_day(day).ok()?.replace_year(now.year() + 1).ok()
    });
    // Beyond the year 9999 there is no calendar to ask.
    later.map_or(UnixTime::MAX, |t| UnixTime(t.unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_twelve_months_of_the_calendar() {
        for (now, then) in [
            ("2026-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
            ("2027-03-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2028-02-29T01:02:03Z", "2029-02-28T01:02:03Z"),
            ("2027-02-28T23:59:59Z", "2028-02-28T23:59:59Z"),
        ] {
            let now = UnixTime::parse_rfc3339(now).unwrap();
            assert_eq!(in_a_year(now).to_string(), then);
        }
        assert_eq!(in_a_year(UnixTime::MAX), UnixTime::MAX);
        assert_eq!(in_a_year(UnixTime(i64::MAX)), UnixTime::MAX);
    }
}
