//! Quotes, version 3, 4 and 5 (Intel SGX ECDSA Quote Library Reference, A.4; Intel TDX DCAP Quoting Library
//! API, A.3). Numbers are little-endian.

use super::report::Body;

/// The id of Intel's quoting enclaves.
pub const INTEL_QE_VENDOR_ID: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];

/// The header, 48 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteHeader {
    /// 3, 4 or 5.
    pub version: u16,
    /// 2: ECDSA with P-256.
    pub attestation_key_type: u16,
    /// 0 SGX, 0x81 TDX.
    pub tee_type: u32,
    /// Version of the quoting enclave; in versions 4 and 5 reserved, 0.
    pub qe_svn: u16,
    /// Version of the provisioning certification enclave; in versions 4 and 5 reserved, 0.
    pub pce_svn: u16,
    /// Whose quoting enclave.
    pub qe_vendor_id: [u8; 16],
    /// The first 16 bytes name the quoting enclave of the platform.
    pub user_data: [u8; 20],
}

impl QuoteHeader {
    /// The encoded header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts: [&[u8]; 7] = [
            &self.version.to_le_bytes(),
            &self.attestation_key_type.to_le_bytes(),
            &self.tee_type.to_le_bytes(),
            &self.qe_svn.to_le_bytes(),
            &self.pce_svn.to_le_bytes(),
            &self.qe_vendor_id,
            &self.user_data,
        ];
        parts.concat()
    }
}

/// The signed part: header, in version 5 the descriptor of the body, body.
pub(super) fn signed_part(header: &QuoteHeader, body: &Body) -> Vec<u8> {
    let mut out = header.to_bytes();
    let body_bytes = body.to_bytes();
    if header.version >= 5 {
        out.extend_from_slice(&body.body_type().to_le_bytes());
        out.extend_from_slice(&length32(body_bytes.len()));
    }
    out.extend_from_slice(&body_bytes);
    out
}

/// Everything behind the signed part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteSignature {
    /// The signature over the signed part: r || s, 64 bytes.
    pub signature: Vec<u8>,
    /// The attestation key: x || y, 64 bytes.
    pub attestation_key: Vec<u8>,
    /// The report of the quoting enclave, 384 bytes.
    pub qe_report: Vec<u8>,
    /// Its signature with the PCK: r || s, 64 bytes.
    pub qe_report_signature: Vec<u8>,
    /// What the quoting enclave adds to its key, 32 bytes with Intel's.
    pub qe_auth_data: Vec<u8>,
    /// The type of the certification data.
    pub certification_type: u16,
    /// The certification data.
    pub certification_data: Vec<u8>,
}

impl QuoteSignature {
    /// The encoded signature data without the length in front. From version 4 on, what concerns the
    /// quoting enclave is certification data of type 6.
    pub fn to_bytes(&self, version: u16) -> Vec<u8> {
        let enclave = [
            self.qe_report.as_slice(),
            &self.qe_report_signature,
            &length16(self.qe_auth_data.len()),
            &self.qe_auth_data,
            &self.certification_type.to_le_bytes(),
            &length32(self.certification_data.len()),
            &self.certification_data,
        ]
        .concat();
        let mut out = [self.signature.as_slice(), &self.attestation_key].concat();
        if version >= 4 {
            out.extend_from_slice(&6_u16.to_le_bytes());
            out.extend_from_slice(&length32(enclave.len()));
        }
        out.extend_from_slice(&enclave);
        out
    }
}

/// A length of 32 bits; what is longer is beyond what a test can need, and says so by a wrong length.
pub(super) fn length32(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

fn length16(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes()
}
