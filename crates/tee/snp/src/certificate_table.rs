//! Certificates that come with a report: their types, and the two forms of the table.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::evidence::EvidenceError;

/// The most certificates in one piece of evidence.
pub const MAX_CERTIFICATES: usize = 16;

/// The largest certificate or revocation list within evidence, in bytes. AMD's have about 1.3 to
/// 1.7 KiB.
pub const MAX_CERTIFICATE_LEN: usize = 16 << 10;

/// A GUID, in the byte order of its text form.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.replace('-', ""), &mut bytes)
            .map_err(|_| D::Error::custom("a GUID is written as 8-4-4-4-12 hexadecimal digits"))?;
        let guid = Guid(bytes);
        if guid.to_string().eq_ignore_ascii_case(&text) {
            Ok(guid)
        } else {
            Err(D::Error::custom("a GUID is written as 8-4-4-4-12 hexadecimal digits"))
        }
    }
}

/// What an entry of the certificate table holds. In JSON the name in capitals (`"VCEK"`, but
/// `"Empty"`), or `{"OTHER":"<guid>"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CertType {
    /// Nothing: the end of the table.
    Empty,
    /// AMD root key.
    #[serde(rename = "ARK")]
    Ark,
    /// AMD SEV key, or with a VLEK the AMD SEV VLEK key (ASVK).
    #[serde(rename = "ASK")]
    Ask,
    /// Versioned chip endorsement key.
    #[serde(rename = "VCEK")]
    Vcek,
    /// Versioned loaded endorsement key.
    #[serde(rename = "VLEK")]
    Vlek,
    /// Certificate revocation list.
    #[serde(rename = "CRL")]
    Crl,
    /// Something that AMD does not name; ignored by the verifier.
    #[serde(rename = "OTHER")]
    Other(Guid),
}

const GUIDS: [(CertType, Guid); 6] = [
    (CertType::Empty, Guid([0; 16])),
    (CertType::Ark, guid(0xc0b406a4_a803_4952_9743_3fb6014cd0ae)),
    (CertType::Ask, guid(0x4ab7b379_bbac_4fe4_a02f_05aef327c782)),
    (CertType::Vcek, guid(0x63da758d_e664_4564_adc5_f4b93be8accd)),
    (CertType::Vlek, guid(0xa8074bc2_a25a_483e_aae6_39c045a0b8a1)),
    (CertType::Crl, guid(0x92f81bc3_5811_4d3d_97ff_d19f88dc67ea)),
];

const fn guid(number: u128) -> Guid {
    Guid(number.to_be_bytes())
}

impl CertType {
    /// The GUID in the hypervisor's certificate table (GHCB specification 56421).
    pub fn guid(self) -> Guid {
        match self {
            CertType::Other(guid) => guid,
            known => GUIDS.iter().find(|(t, _)| *t == known).map_or(Guid([0; 16]), |(_, guid)| *guid),
        }
    }

    /// The type with this GUID.
    pub fn from_guid(guid: Guid) -> Self {
        GUIDS.iter().find(|(_, g)| *g == guid).map_or(CertType::Other(guid), |(t, _)| *t)
    }
}

/// An entry of the certificate table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertEntry {
    /// What it says it is. The verifier looks at the certificate itself.
    pub cert_type: CertType,
    /// The bytes, DER mostly (PEM is read too); at most [`MAX_CERTIFICATE_LEN`].
    #[serde(deserialize_with = "certificate_bytes")]
    pub data: Vec<u8>,
}

/// Reads at most [`MAX_CERTIFICATE_LEN`] numbers, so that a hostile text cannot fill memory.
fn certificate_bytes<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a certificate: an array of at most {MAX_CERTIFICATE_LEN} numbers from 0 to 255")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::with_capacity(2048);
            while let Some(byte) = seq.next_element()? {
                if bytes.len() == MAX_CERTIFICATE_LEN {
                    return Err(A::Error::custom(format_args!(
                        "a certificate has more than {MAX_CERTIFICATE_LEN} bytes"
                    )));
                }
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }

    d.deserialize_seq(Bytes)
}

/// Reads at most [`MAX_CERTIFICATES`] entries, or null.
pub(crate) fn certificate_list<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<CertEntry>>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Option<Vec<CertEntry>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "null or an array of at most {MAX_CERTIFICATES} certificates")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while entries.len() < MAX_CERTIFICATES {
                match seq.next_element()? {
                    Some(entry) => entries.push(entry),
                    None => return Ok(Some(entries)),
                }
            }
            match seq.next_element::<IgnoredAny>()? {
                None => Ok(Some(entries)),
                Some(_) => Err(A::Error::custom(format_args!("more than {MAX_CERTIFICATES} certificates"))),
            }
        }
    }

    d.deserialize_any(Entries)
}

const TABLE_ENTRY_LEN: usize = 24;

pub(crate) fn read_table(table: &[u8]) -> Result<Vec<CertEntry>, EvidenceError> {
    let mut entries = Vec::new();
    let mut rest = table;
    loop {
        let (entry, after) = rest
            .split_first_chunk::<TABLE_ENTRY_LEN>()
            .ok_or(EvidenceError::Table("it ends before an entry of zeros"))?;
        rest = after;
        if entry == &[0; TABLE_ENTRY_LEN] {
            return Ok(entries);
        }
        if entries.len() == MAX_CERTIFICATES {
            return Err(EvidenceError::Table("it has more than 16 certificates"));
        }
        let (guid, place) = entry.split_first_chunk::<16>().ok_or(EvidenceError::Table("no GUID"))?;
        let number = |at: usize| {
            place
                .get(at..at + 4)
                .and_then(|b| b.try_into().ok())
                .and_then(|b| usize::try_from(u32::from_le_bytes(b)).ok())
                .ok_or(EvidenceError::Table("no offset and length"))
        };
        let (offset, len) = (number(0)?, number(4)?);
        if len > MAX_CERTIFICATE_LEN {
            return Err(EvidenceError::Table("a certificate has more than 16384 bytes"));
        }
        let data = offset
            .checked_add(len)
            .and_then(|end| table.get(offset..end))
            .ok_or(EvidenceError::Table("a certificate lies outside of it"))?;
        entries.push(CertEntry { cert_type: CertType::from_guid(Guid(*guid)), data: data.to_vec() });
    }
}

pub(crate) fn write_table(entries: &[CertEntry], out: &mut Vec<u8>) {
    let mut offset = (entries.len() + 1) * TABLE_ENTRY_LEN;
    for entry in entries {
        out.extend_from_slice(&entry.cert_type.guid().0);
        // Entries are bounded when read; one too long to be counted becomes unreadable, not wrong.
        for number in [offset, entry.data.len()] {
            out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        }
        offset += entry.data.len();
    }
    out.extend_from_slice(&[0; TABLE_ENTRY_LEN]);
    for entry in entries {
        out.extend_from_slice(&entry.data);
    }
}
