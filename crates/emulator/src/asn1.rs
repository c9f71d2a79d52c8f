//! DER (ITU-T X.690), the little of it that vendors' certificates need.
//!
//! Certificates are written here by hand and not with a library: they must have the vendors' exact
//! shape (AMD's serial number 0, a hardware id that is no ASN.1 inside its extension, two encodings of
//! one algorithm), and tests need certificates that no careful library would write.

use assay_types::UnixTime;
use der::asn1::ObjectIdentifier;
use time::OffsetDateTime;

use crate::EmulatorError;

pub(crate) const BOOLEAN_TRUE: &[u8] = &[0x01, 0x01, 0xff];
pub(crate) const NULL: &[u8] = &[0x05, 0x00];

/// Tag, length and content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len().to_be_bytes();
    let digits = significant(&len);
    let mut out = vec![tag];
    match digits {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            // A usize has at most eight bytes, so the count fits.
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(crate) fn set(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x31, &parts.concat())
}

/// A constructed, context-specific tag around `content`.
pub(crate) fn context(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, content)
}

pub(crate) fn integer(value: u64) -> Vec<u8> {
    unsigned(&value.to_be_bytes())
}

/// A number that is not negative, from its big-endian bytes.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    match significant(bytes) {
        [] => tlv(0x02, &[0]),
        digits @ [first, ..] if *first < 0x80 => tlv(0x02, digits),
        // The highest bit is the sign.
        digits => tlv(0x02, &[&[0], digits].concat()),
    }
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    tlv(0x01, &[if value { 0xff } else { 0 }])
}

pub(crate) fn enumerated(value: u8) -> Vec<u8> {
    tlv(0x0a, unsigned(&[value]).get(2..).unwrap_or_default())
}

pub(crate) fn oid(oid: &ObjectIdentifier) -> Vec<u8> {
    tlv(0x06, oid.as_bytes())
}

pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

pub(crate) fn octet_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, bytes)
}

pub(crate) fn utf8_string(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

pub(crate) fn printable_string(text: &str) -> Vec<u8> {
    tlv(0x13, text.as_bytes())
}

pub(crate) fn ia5_string(text: &str) -> Vec<u8> {
    tlv(0x16, text.as_bytes())
}

/// UTCTime for the years 1950 to 2049, GeneralizedTime for all others (RFC 5280, 4.1.2.5).
pub(crate) fn time(time: UnixTime) -> Result<Vec<u8>, EmulatorError> {
    let out_of_range = EmulatorError::Date { seconds: time.0 };
    let t = OffsetDateTime::from_unix_timestamp(time.0).map_err(|_| out_of_range.clone())?;
    let rest =
        format!("{:02}{:02}{:02}{:02}{:02}Z", u8::from(t.month()), t.day(), t.hour(), t.minute(), t.second());
    match t.year() {
        year @ 1950..=2049 => Ok(tlv(0x17, format!("{:02}{rest}", year % 100).as_bytes())),
        year @ 0..=9999 => Ok(tlv(0x18, format!("{year:04}{rest}").as_bytes())),
        _ => Err(out_of_range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode as _;
    use der::asn1::{OctetString, UtcTime};

    #[test]
    fn lengths_and_numbers_are_those_of_the_der_library() {
        for len in [0, 1, 127, 128, 255, 256, 65535, 65536] {
            let bytes = vec![7; len];
            let expected = OctetString::new(bytes.clone()).unwrap().to_der().unwrap();
            assert_eq!(octet_string(&bytes), expected);
        }
        for value in [0, 1, 127, 128, 255, 256, 0x7fff, 0x8000, 65537, u64::MAX] {
            assert_eq!(integer(value), value.to_der().unwrap(), "{value}");
        }
    }

    #[test]
    fn dates_are_those_of_rfc_5280() {
        let at = |text| time(UnixTime::parse_rfc3339(text).unwrap()).unwrap();
        let day = std::time::Duration::from_secs(1_735_689_599);
        assert_eq!(at("2024-12-31T23:59:59Z"), UtcTime::from_unix_duration(day).unwrap().to_der().unwrap());
        assert_eq!(&at("2049-12-31T23:59:59Z")[2..], b"491231235959Z");
        assert_eq!(&at("2050-01-01T00:00:00Z")[2..], b"20500101000000Z");
        assert_eq!(&at("1949-01-01T00:00:00Z")[2..], b"19490101000000Z");
        assert_eq!(time(UnixTime(i64::MAX)), Err(EmulatorError::Date { seconds: i64::MAX }));
    }
}
