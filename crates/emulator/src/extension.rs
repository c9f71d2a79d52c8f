//! Extensions of certificates and revocation lists, and the values that vendors share.

use der::asn1::ObjectIdentifier;
use sha2::{Digest as _, Sha256};

use crate::asn1;

/// An extension of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What it is.
    pub oid: ObjectIdentifier,
    /// Whether it is marked critical.
    pub critical: bool,
    /// The content of its octet string.
    pub value: Vec<u8>,
}

impl Extension {
    /// One that is not critical.
    pub(crate) fn plain(oid: ObjectIdentifier, value: Vec<u8>) -> Self {
        Extension { oid, critical: false, value }
    }

    /// One that is critical.
    pub(crate) fn critical(oid: ObjectIdentifier, value: Vec<u8>) -> Self {
        Extension { oid, critical: true, value }
    }

    pub(crate) fn to_der(&self) -> Vec<u8> {
        let critical = if self.critical { asn1::BOOLEAN_TRUE } else { &[] };
        asn1::sequence(&[&asn1::oid(&self.oid), critical, &asn1::octet_string(&self.value)])
    }
}

/// 20 bytes that name a key: the beginning of SHA-256 over the SubjectPublicKeyInfo (in the manner of
/// RFC 7093, section 2). Any value will do that is the same in both certificates.
pub(crate) fn key_id(public_key_info: &[u8]) -> Vec<u8> {
    Sha256::digest(public_key_info).iter().take(20).copied().collect()
}

/// AuthorityKeyIdentifier with the id of a key alone (RFC 5280, 4.2.1.1).
pub(crate) fn authority_key_id(key_id: &[u8]) -> Vec<u8> {
    // [0] IMPLICIT KeyIdentifier
    asn1::sequence(&[&asn1::tlv(0x80, key_id)])
}

/// CRLDistributionPoints with one URI (RFC 5280, 4.2.1.13).
pub(crate) fn distribution_point(uri: &str) -> Vec<u8> {
    let full_name = asn1::context(0, &asn1::tlv(0x86, uri.as_bytes()));
    asn1::sequence(&[&asn1::sequence(&[&asn1::context(0, &full_name)])])
}
