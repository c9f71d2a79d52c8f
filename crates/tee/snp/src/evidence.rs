//! The wire forms of SNP evidence, parsed strictly, without I/O.
//!
//! Two forms are read:
//! - JSON, as Trustee and its guests speak it: the `serde` form of the `sev` crate's report and
//!   certificate table, `{"attestation_report":{…},"cert_chain":null|[{"cert_type":…,"data":[…]}]}`.
//!   The report's bytes are not on the wire and are rebuilt ([`Report::to_bytes`]).
//! - Raw: the report's 1184 bytes, optionally followed by a certificate table as the hypervisor
//!   hands it to the guest (GHCB specification 56421, SNP Extended Guest Request): entries of
//!   16 bytes GUID, u32 offset from the table's start, u32 length, all little endian, the last
//!   entry zero.
//!
//! Members of the JSON that are unknown are ignored, since newer guests may send some; they have no
//! part in the bytes that are signed. Members that are doubled or missing are refused.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

pub use crate::report::{
    ECDSA_P384_SHA384, FirmwareVersion, REPORT_LEN, Report, ReportError, ReservedByte, SIGNED_LEN, Signature,
    SigningKey, VERSIONS, platform, policy, reserved_bytes,
};
pub use crate::tcb::{TcbLayout, TcbVersion};

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

/// Bytes that are not SNP evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The report is not one.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The JSON is not that of SNP evidence.
    #[error("not the JSON of SNP evidence: {0}")]
    Json(String),
    /// The certificate table behind a raw report is not one.
    #[error("certificate table: {0}")]
    Table(&'static str),
}

/// SNP evidence: a report and the certificates that came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnpEvidence {
    /// The report.
    pub report: Report,
    /// The certificates; `None` where JSON says null.
    pub cert_chain: Option<Vec<CertEntry>>,
    bytes: Box<[u8; REPORT_LEN]>,
}

#[derive(Serialize)]
struct JsonOut<'a> {
    attestation_report: &'a Report,
    cert_chain: Option<&'a [CertEntry]>,
}

#[derive(Deserialize)]
struct JsonIn {
    attestation_report: Report,
    #[serde(default, deserialize_with = "certificate_list")]
    cert_chain: Option<Vec<CertEntry>>,
}

impl SnpEvidence {
    /// Evidence made of its parts; the report's bytes are rebuilt from its fields.
    pub fn new(report: Report, cert_chain: Option<Vec<CertEntry>>) -> Self {
        let bytes = Box::new(report.to_bytes());
        SnpEvidence { report, cert_chain, bytes }
    }

    /// Reads either form: JSON when the first byte that is not white space is `{`, else raw.
    ///
    /// # Errors
    /// [`EvidenceError`]. Reserved bits in a raw report are not looked at here, so that a verifier
    /// can report them beside other findings: see [`reserved_bytes`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
            SnpEvidence::from_json(bytes)
        } else {
            SnpEvidence::from_raw(bytes)
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`EvidenceError::Json`], or [`EvidenceError::Report`] when version, product and fields do
    /// not fit together ([`Report::check_form`]).
    pub fn from_json(text: &[u8]) -> Result<Self, EvidenceError> {
        let json: JsonIn = serde_json::from_slice(text).map_err(|e| EvidenceError::Json(e.to_string()))?;
        json.attestation_report.check_form()?;
        Ok(SnpEvidence::new(json.attestation_report, json.cert_chain))
    }

    /// Reads the raw form.
    ///
    /// # Errors
    /// [`EvidenceError::Report`] or [`EvidenceError::Table`].
    pub fn from_raw(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let (report, table) = bytes
            .split_first_chunk::<REPORT_LEN>()
            .ok_or(EvidenceError::Report(ReportError::Length { found: bytes.len() }))?;
        let cert_chain = if table.is_empty() { None } else { Some(read_table(table)?) };
        Ok(SnpEvidence { report: Report::read(report)?, cert_chain, bytes: Box::new(*report) })
    }

    /// The JSON form, byte for byte as the `sev` crate writes it.
    pub fn to_json(&self) -> Vec<u8> {
        let json = JsonOut { attestation_report: &self.report, cert_chain: self.cert_chain.as_deref() };
        // Writing numbers and strings into memory cannot fail; an empty text would be refused by
        // whoever reads it.
        serde_json::to_vec(&json).unwrap_or_default()
    }

    /// The raw form; a certificate table follows the report when there are certificates.
    pub fn to_raw(&self) -> Vec<u8> {
        let mut raw = self.bytes.to_vec();
        if let Some(entries) = &self.cert_chain {
            write_table(entries, &mut raw);
        }
        raw
    }

    /// The report's bytes: as received in the raw form, rebuilt for JSON.
    pub fn report_bytes(&self) -> &[u8; REPORT_LEN] {
        &self.bytes
    }

    /// The certificates that came along.
    pub fn certificates(&self) -> &[CertEntry] {
        self.cert_chain.as_deref().unwrap_or_default()
    }
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
fn certificate_list<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<CertEntry>>, D::Error> {
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

fn read_table(table: &[u8]) -> Result<Vec<CertEntry>, EvidenceError> {
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

fn write_table(entries: &[CertEntry], out: &mut Vec<u8>) {
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
