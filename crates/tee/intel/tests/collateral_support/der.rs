//! DER, written without regard to what is allowed.

use der::Encode;
use der::asn1::ObjectIdentifier;

pub(crate) fn tlv(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        len @ 0..128 => out.push(len as u8),
        len @ 128..256 => out.extend([0x81, len as u8]),
        len => out.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend(content);
    out
}

pub(crate) fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, parts)
}

pub(crate) fn oid(text: &str) -> Vec<u8> {
    ObjectIdentifier::new_unwrap(text).to_der().unwrap()
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, &[bytes.to_vec()])
}

pub(crate) fn int(number: u64) -> Vec<u8> {
    unsigned(&number.to_be_bytes())
}

/// A positive INTEGER from big endian bytes.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = bytes.iter().copied().skip_while(|b| *b == 0).collect();
    if content.first().is_none_or(|b| *b >= 0x80) {
        content.insert(0, 0);
    }
    tlv(0x02, &[content])
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    vec![1, 1, if value { 0xff } else { 0 }]
}

pub(crate) fn bits(unused: u8, bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[vec![unused], bytes.to_vec()])
}
