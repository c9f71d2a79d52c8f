//! What stands behind the signed part: signature, attestation key, and what certifies that key.
//!
//! Intel DCAP quoting library API, A.3.7 to A.3.11 (version 3), A.4.7 to A.4.13 (versions 4 and 5).

use bytes::Bytes;

use super::reader::Reader;
use super::{EnclaveReport, QuoteError};

/// The type of certification data that holds report, signature and certification of the quoting enclave.
const QE_REPORT: u16 = 6;

/// The signature of a quote, and what certifies the key that made it. Version 3 has the fields one after
/// the other, versions 4 and 5 have those of the quoting enclave inside certification data of type 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureData {
    /// ECDSA on P-256 with SHA-256 over [`Quote::signed_bytes`](super::Quote::signed_bytes): r, s, 32 bytes
    /// each, big endian.
    pub signature: [u8; 64],
    /// The attestation key, a point on P-256: x, y, 32 bytes each, big endian.
    pub attestation_key: [u8; 64],
    /// The report of the quoting enclave.
    pub qe_report: EnclaveReport,
    /// The bytes of that report, which the PCK signed.
    pub qe_report_bytes: [u8; EnclaveReport::LEN],
    /// ECDSA on P-256 with SHA-256 by the PCK over the report: r, s, 32 bytes each, big endian.
    pub qe_report_signature: [u8; 64],
    /// What the quoting enclave hashed into its report data behind the attestation key.
    pub qe_auth_data: Bytes,
    /// What the PCK is known by.
    pub certification: CertificationData,
}

/// What the PCK is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificationData {
    /// Types 1 to 3: what a provisioning service finds the PCK certificate with.
    Ppid(PpidCertification),
    /// Type 4: the PCK certificate, as it stands in the quote.
    PckLeaf(Bytes),
    /// Type 5: the PCK certificate and its issuers in PEM, as they stand in the quote; most have a NUL
    /// byte at their end.
    PckChain(Bytes),
}

/// Platform and TCB that a PCK certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PpidCertification {
    /// In which form the PPID is.
    pub form: PpidForm,
    /// The platform's id, or its ciphertext; as long as [`PpidForm::len`] says.
    pub ppid: Bytes,
    /// Security version numbers of the processor.
    pub cpu_svn: [u8; 16],
    /// Security version number of the provisioning certification enclave.
    pub pce_svn: u16,
    /// Id of the provisioning certification enclave.
    pub pce_id: u16,
}

/// In which form a PPID is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PpidForm {
    /// Type 1: as it is.
    Plain,
    /// Type 2: encrypted with RSA-2048 and OAEP.
    Rsa2048,
    /// Type 3: encrypted with RSA-3072 and OAEP.
    Rsa3072,
}

impl PpidForm {
    /// The length of the PPID in bytes.
    #[expect(clippy::len_without_is_empty, reason = "none is empty")]
    pub const fn len(self) -> usize {
        match self {
            PpidForm::Plain => 16,
            PpidForm::Rsa2048 => 256,
            PpidForm::Rsa3072 => 384,
        }
    }

    const fn from_type(of: u16) -> Option<Self> {
        match of {
            1 => Some(PpidForm::Plain),
            2 => Some(PpidForm::Rsa2048),
            3 => Some(PpidForm::Rsa3072),
            _ => None,
        }
    }
}

impl CertificationData {
    /// The type by which the quote names it.
    pub const fn type_number(&self) -> u16 {
        match self {
            CertificationData::Ppid(PpidCertification { form: PpidForm::Plain, .. }) => 1,
            CertificationData::Ppid(PpidCertification { form: PpidForm::Rsa2048, .. }) => 2,
            CertificationData::Ppid(PpidCertification { form: PpidForm::Rsa3072, .. }) => 3,
            CertificationData::PckLeaf(_) => 4,
            CertificationData::PckChain(_) => 5,
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, QuoteError> {
        let offset = reader.at();
        let found = reader.u16("certification data type")?;
        let expected = match found {
            1..=5 => None,
            7 => Some("1 to 5 (7 is a platform manifest: register the platform and use its PCK certificate)"),
            _ => Some("1 to 5 (PPID, PCK certificate or PCK certificate chain)"),
        };
        if let Some(expected) = expected {
            return Err(QuoteError::CertificationType { offset, expected, found });
        }
        let at = reader.at();
        let len = reader.u32_length("certification data length")?;
        if found == 4 {
            return reader.bytes("PCK certificate", len).map(CertificationData::PckLeaf);
        }
        let Some(form) = PpidForm::from_type(found) else {
            return reader.bytes("PCK certificate chain", len).map(CertificationData::PckChain);
        };
        let mut inner = reader.inner("certification data", len)?;
        let ppid = PpidCertification {
            form,
            ppid: inner.bytes("PPID", form.len())?,
            cpu_svn: inner.array("CPUSVN")?,
            pce_svn: inner.u16("PCESVN")?,
            pce_id: inner.u16("PCEID")?,
        };
        inner.close("certification data length", at, len)?;
        Ok(CertificationData::Ppid(ppid))
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let content = match self {
            CertificationData::Ppid(ppid) => {
                [ppid.ppid.as_ref(), &ppid.cpu_svn, &ppid.pce_svn.to_le_bytes(), &ppid.pce_id.to_le_bytes()]
                    .concat()
            }
            CertificationData::PckLeaf(content) | CertificationData::PckChain(content) => content.to_vec(),
        };
        bytes.extend_from_slice(&self.type_number().to_le_bytes());
        with_length(bytes, &content);
    }
}

impl SignatureData {
    /// Reads what a quote of `version` has behind its signed part, from the length to the end.
    pub(super) fn read(reader: &mut Reader, version: u16) -> Result<Self, QuoteError> {
        const LENGTH: &str = "signature data length";
        let at = reader.at();
        let len = reader.u32_length(LENGTH)?;
        let mut inner = reader.inner("signature data", len)?;
        let signature = inner.array("quote signature")?;
        let attestation_key = inner.array("attestation key")?;
        let data = if version == 3 {
            Self::read_qe(&mut inner, signature, attestation_key)?
        } else {
            let offset = inner.at();
            let found = inner.u16("certification data type")?;
            if found != QE_REPORT {
                let expected = "6 (report of the quoting enclave, and what certifies it)";
                return Err(QuoteError::CertificationType { offset, expected, found });
            }
            let at = inner.at();
            let len = inner.u32_length("certification data length")?;
            let mut wrapped = inner.inner("certification data", len)?;
            let data = Self::read_qe(&mut wrapped, signature, attestation_key)?;
            wrapped.close("certification data length", at, len)?;
            data
        };
        inner.close(LENGTH, at, len)?;
        Ok(data)
    }

    fn read_qe(
        reader: &mut Reader,
        signature: [u8; 64],
        attestation_key: [u8; 64],
    ) -> Result<Self, QuoteError> {
        let qe_report_bytes = reader.array("QE report")?;
        let qe_report_signature = reader.array("QE report signature")?;
        let auth_len = usize::from(reader.u16("QE authentication data length")?);
        Ok(SignatureData {
            signature,
            attestation_key,
            qe_report: EnclaveReport::from_bytes(&qe_report_bytes),
            qe_report_bytes,
            qe_report_signature,
            qe_auth_data: reader.bytes("QE authentication data", auth_len)?,
            certification: CertificationData::read(reader)?,
        })
    }

    /// What a quote of `version` has behind its signed part, beginning with the length.
    ///
    /// The report of the quoting enclave is written from its bytes. A length beyond what its field holds is
    /// written as the most it holds, so that the bytes do not read as this again.
    pub fn to_bytes(&self, version: u16) -> Vec<u8> {
        let mut qe = [self.qe_report_bytes.as_slice(), &self.qe_report_signature].concat();
        let auth_len = u16::try_from(self.qe_auth_data.len()).unwrap_or(u16::MAX);
        qe.extend_from_slice(&auth_len.to_le_bytes());
        qe.extend_from_slice(&self.qe_auth_data);
        self.certification.write(&mut qe);
        let mut content = [self.signature, self.attestation_key].concat();
        if version == 3 {
            content.append(&mut qe);
        } else {
            content.extend_from_slice(&QE_REPORT.to_le_bytes());
            with_length(&mut content, &qe);
        }
        let mut bytes = Vec::with_capacity(content.len().saturating_add(4));
        with_length(&mut bytes, &content);
        bytes
    }
}

fn with_length(bytes: &mut Vec<u8>, content: &[u8]) {
    let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(content);
}
