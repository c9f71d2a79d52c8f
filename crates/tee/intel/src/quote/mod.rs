//! Quotes: SGX version 3, TDX version 4, version 5 of either, parsed strictly.
//!
//! ```text
//! version 3, 4   header 48 │ body 384 (SGX) or 584 (TDX)              │ u32 length │ signature data
//! version 5      header 48 │ u16 body type │ u32 size │ body of size   │ u32 length │ signature data
//!                └─────────────────── signed ─────────────────────────┘
//! ```
//! All integers are little endian; numbers of ECDSA are big endian. Body types are 1 (SGX, 384 bytes),
//! 2 (TDX 1.0, 584), 3 (TDX 1.5, 648) and 4 (TDX 1.5 extended, 885). Zeros behind a quote are accepted,
//! since guests hand on the whole buffer of their firmware; they are not part of the quote. Anything else
//! behind it is an error.
//!
//! Intel DCAP quoting library API, appendix A.3 (version 3) and A.4 (versions 4 and 5).

mod error;
mod layout;
mod reader;
mod reports;
mod signature;

use assay_types::Tee;
use bytes::Bytes;

pub use error::QuoteError;
pub use reports::{EnclaveReport, Header, Td10, Td15, Td15Extension, TdReport};
pub use signature::{CertificationData, PpidCertification, PpidForm, SignatureData};

use reader::Reader;

/// The longest quote that is read, in bytes, padding included (128 KiB). Quotes have about 5 KiB, the
/// buffers that guests take them from 8 to 32 KiB.
pub const MAX_QUOTE_LEN: usize = 128 << 10;

/// Value of [`Header::tee_type`] for SGX.
pub const TEE_TYPE_SGX: u32 = 0;
/// Value of [`Header::tee_type`] for TDX.
pub const TEE_TYPE_TDX: u32 = 0x81;
/// Value of [`Header::attestation_key_type`]: ECDSA on P-256 with SHA-256.
pub const ECDSA_P256: u16 = 2;
/// Value of [`Header::vendor_id`] in quotes of Intel's quoting enclave.
pub const INTEL_VENDOR_ID: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];

/// What a quote is about.
#[derive(Clone, Debug, PartialEq, Eq)]
// Boxing would cost an allocation for each quote, and save nothing: there is one at a time.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Body {
    /// An enclave.
    Sgx(EnclaveReport),
    /// A TD.
    Td(TdReport),
}

impl Body {
    /// The type by which version 5 names it: 1 to 4.
    pub const fn type_number(&self) -> u16 {
        match self {
            Body::Sgx(_) => 1,
            Body::Td(TdReport { v15: None, .. }) => 2,
            Body::Td(TdReport { extension: None, .. }) => 3,
            Body::Td(_) => 4,
        }
    }

    /// The length in bytes of a body of this type; `None` for a type that is not known.
    pub const fn len_of_type(of: u16) -> Option<usize> {
        match of {
            1 => Some(EnclaveReport::LEN),
            2 => Some(Td10::LEN),
            3 => Some(Td10::LEN + Td15::LEN),
            4 => Some(Td10::LEN + Td15::LEN + Td15Extension::LEN),
            _ => None,
        }
    }

    /// The length in bytes, as version 5 writes it.
    #[expect(clippy::len_without_is_empty, reason = "none is empty")]
    pub fn len(&self) -> u32 {
        Body::len_of_type(self.type_number()).and_then(|len| u32::try_from(len).ok()).unwrap_or(u32::MAX)
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Body::Sgx(report) => report.to_bytes(),
            Body::Td(report) => {
                let mut bytes = report.v10.to_bytes();
                if let Some(v15) = &report.v15 {
                    bytes.append(&mut v15.to_bytes());
                    bytes.append(
                        &mut report.extension.as_ref().map(Td15Extension::to_bytes).unwrap_or_default(),
                    );
                }
                bytes
            }
        }
    }

    fn read(reader: &mut Reader, of: u16) -> Result<Self, QuoteError> {
        if of == 1 {
            return Ok(Body::Sgx(EnclaveReport::from_bytes(&reader.array("enclave report")?)));
        }
        let v10 = Td10::from_bytes(&reader.array("TD report")?);
        let v15 = if of >= 3 { Some(Td15::from_bytes(&reader.array("TD report of TDX 1.5")?)) } else { None };
        let extension = if of >= 4 {
            Some(Td15Extension::from_bytes(&reader.array("extension of the TD report")?))
        } else {
            None
        };
        Ok(Body::Td(TdReport { v10, v15, extension }))
    }
}

/// A quote: its fields, and the bytes they were read from. Nothing of it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The header.
    pub header: Header,
    /// What it is about.
    pub body: Body,
    /// The signature, and what certifies it.
    pub signature: SignatureData,
    bytes: Bytes,
    signed: Bytes,
}

impl Quote {
    /// Reads a quote strictly. Its values are not judged, apart from those that say how to read on:
    /// version, TEE type, attestation key type, types of body and certification data.
    ///
    /// # Errors
    /// [`QuoteError`], with offset, what was expected and what was found.
    pub fn parse(bytes: Bytes) -> Result<Self, QuoteError> {
        if bytes.len() > MAX_QUOTE_LEN {
            return Err(QuoteError::TooLong { found: bytes.len() });
        }
        let mut reader = Reader::new(bytes.clone());
        let header = Header::from_bytes(&reader.array("header")?);
        check_header(&header)?;
        let body_type = match (header.version, header.tee_type) {
            (5, _) => body_descriptor(&mut reader, header.tee_type)?,
            (_, TEE_TYPE_TDX) => 2,
            _ => 1,
        };
        let body = Body::read(&mut reader, body_type)?;
        let signed_len = reader.at();
        let signature = SignatureData::read(&mut reader, header.version)?;
        let end = reader.at();
        let padding = bytes.get(end..).unwrap_or_default();
        if let Some(place) = padding.iter().position(|byte| *byte != 0) {
            let found = padding.get(place).copied().unwrap_or_default();
            return Err(QuoteError::Trailing { offset: end.saturating_add(place), found });
        }
        let part = |len| bytes.slice_ref(bytes.get(..len).unwrap_or_default());
        Ok(Quote { header, body, signature, signed: part(signed_len), bytes: part(end) })
    }

    /// The quote made of its parts. Whether they fit together is not looked at: the bytes may be such as
    /// [`Quote::parse`] refuses.
    pub fn new(header: Header, body: Body, signature: SignatureData) -> Self {
        let signed = Quote::bytes_to_sign(&header, &body);
        let signed_len = signed.len();
        let bytes = Bytes::from([signed, signature.to_bytes(header.version)].concat());
        let signed = bytes.slice_ref(bytes.get(..signed_len).unwrap_or_default());
        Quote { header, body, signature, bytes, signed }
    }

    /// What the attestation key signs in a quote of this header and body.
    pub fn bytes_to_sign(header: &Header, body: &Body) -> Vec<u8> {
        let mut bytes = header.to_bytes();
        if header.version == 5 {
            bytes.extend_from_slice(&body.type_number().to_le_bytes());
            bytes.extend_from_slice(&body.len().to_le_bytes());
        }
        bytes.append(&mut body.to_bytes());
        bytes
    }

    /// The bytes, as they were received, without padding.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What the attestation key signed: header, body type and size (version 5), body.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed
    }

    /// The TEE that the quote is of.
    pub const fn tee(&self) -> Tee {
        match self.body {
            Body::Sgx(_) => Tee::Sgx,
            Body::Td(_) => Tee::Tdx,
        }
    }

    /// The 64 bytes that the attester gave along.
    pub const fn report_data(&self) -> &[u8; 64] {
        match &self.body {
            Body::Sgx(report) => &report.report_data,
            Body::Td(report) => &report.v10.report_data,
        }
    }
}

/// Version, TEE and attestation key are such that the rest can be read.
fn check_header(header: &Header) -> Result<(), QuoteError> {
    let Header { version, tee_type, attestation_key_type, .. } = *header;
    let expected = match (version, tee_type) {
        (3, TEE_TYPE_SGX) | (4 | 5, TEE_TYPE_SGX | TEE_TYPE_TDX) => None,
        (3, _) => Some("0 (SGX)"),
        (4 | 5, _) => Some("0 (SGX) or 0x81 (TDX)"),
        _ => return Err(QuoteError::Version { found: version }),
    };
    if let Some(expected) = expected {
        return Err(QuoteError::TeeType { version, expected, found: tee_type });
    }
    if attestation_key_type != ECDSA_P256 {
        return Err(QuoteError::AttestationKeyType { found: attestation_key_type });
    }
    Ok(())
}

/// Type and size of a body of version 5; they and the TEE type fit each other.
fn body_descriptor(reader: &mut Reader, tee_type: u32) -> Result<u16, QuoteError> {
    let body_type = reader.u16("body type")?;
    let len = Body::len_of_type(body_type).ok_or(QuoteError::BodyType { found: body_type })?;
    let expected = match (tee_type, body_type) {
        (TEE_TYPE_SGX, 1) | (TEE_TYPE_TDX, 2..) => None,
        (TEE_TYPE_SGX, _) => Some("1"),
        _ => Some("2, 3 or 4"),
    };
    if let Some(expected) = expected {
        return Err(QuoteError::BodyOfOtherTee { tee_type, expected, found: body_type });
    }
    let offset = reader.at();
    let found = reader.u32_length("body size")?;
    if found != len {
        return Err(QuoteError::Length { field: "body size", offset, expected: len, found });
    }
    Ok(body_type)
}
