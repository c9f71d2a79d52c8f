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

use serde::{Deserialize, Serialize};

pub use crate::certificate_table::{CertEntry, CertType, Guid, MAX_CERTIFICATE_LEN, MAX_CERTIFICATES};
use crate::certificate_table::{certificate_list, read_table, write_table};
use crate::plain_json;
pub use crate::report::{
    ECDSA_P384_SHA384, FirmwareVersion, REPORT_LEN, Report, ReportError, SIGNED_LEN, Signature, SigningKey,
    VERSIONS, platform, policy,
};
pub use crate::report_bytes::{ReservedByte, reserved_bytes};
pub use crate::tcb::{TcbLayout, TcbVersion};

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
        let (mut report, cert_chain) = match plain_json::read(text) {
            Some(parts) => parts,
            None => read_json(text)?,
        };
        report.check_form()?;
        if report.version >= 5 {
            // What was left out is signed as zero, or not at all.
            report.launch_mit_vector.get_or_insert(0);
            report.current_mit_vector.get_or_insert(0);
        }
        Ok(SnpEvidence::new(report, cert_chain))
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

/// Reads any JSON of evidence.
fn read_json(text: &[u8]) -> Result<(Report, Option<Vec<CertEntry>>), EvidenceError> {
    let json: JsonIn = serde_json::from_slice(text).map_err(|e| EvidenceError::Json(e.to_string()))?;
    Ok((json.attestation_report, json.cert_chain))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn evidence() -> SnpEvidence {
        let mut report = Report {
            version: 5,
            policy: u64::MAX,
            cpuid_fam_id: Some(0x1a),
            cpuid_mod_id: Some(2),
            cpuid_step: Some(1),
            launch_mit_vector: Some(0),
            ..Report::default()
        };
        for (byte, n) in report.chip_id.iter_mut().zip(70..) {
            *byte = n;
        }
        let tcb = TcbVersion { fmc: Some(255), bootloader: 1, tee: 20, snp: 99, microcode: 100 };
        for place in [&mut report.current_tcb, &mut report.reported_tcb, &mut report.committed_tcb] {
            *place = tcb;
        }
        report.launch_tcb = tcb;
        let data = (0..=255).collect();
        let entries = vec![
            CertEntry { cert_type: CertType::Vcek, data },
            CertEntry { cert_type: CertType::Empty, data: vec![] },
        ];
        SnpEvidence::new(report, Some(entries))
    }

    #[test]
    fn the_quick_reader_takes_evidence_as_guests_write_it() {
        let text = evidence().to_json();
        let sorted: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let pretty = serde_json::to_vec_pretty(&sorted).unwrap();
        for text in [text, serde_json::to_vec(&sorted).unwrap(), pretty] {
            assert_eq!(plain_json::read(&text), Some(read_json(&text).unwrap()));
        }
        let bare = SnpEvidence::new(evidence().report, None).to_json();
        assert_eq!(plain_json::read(&bare), Some(read_json(&bare).unwrap()));
        let empty = SnpEvidence::new(evidence().report, Some(vec![])).to_json();
        assert_eq!(plain_json::read(&empty), Some(read_json(&empty).unwrap()));
    }

    #[test]
    fn the_quick_reader_leaves_a_string_with_a_control_character_to_serde() {
        let text = String::from_utf8(evidence().to_json()).unwrap();
        for broken in ["\"vmpl\t\"", "\"vmpl\n\"", "\"\tvmpl\""] {
            let text = text.replacen("\"vmpl\"", broken, 1);
            assert_eq!(plain_json::read(text.as_bytes()), None);
            assert!(SnpEvidence::from_json(text.as_bytes()).is_err());
        }
    }

    /// Pieces that numbers, arrays and objects are easily mistaken for.
    const PIECES: &[&str] = &[
        "",
        "0",
        "00",
        "01",
        "9",
        "255",
        "256",
        "999",
        "1000",
        "-1",
        "1.0",
        "1e2",
        "null",
        "true",
        ",",
        ",,",
        "[",
        "]",
        "[]",
        "{",
        "}",
        "{}",
        "\"",
        "\\",
        " ",
        "\t",
        "\u{c}",
        "\u{e9}",
        "x",
        ":",
        "\"data\":[]",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Whatever is done to the text, the quick reader takes nothing that `serde` refuses, and
        /// what it takes it takes for the same.
        #[test]
        fn the_quick_reader_never_differs_from_serde(
            at in any::<proptest::sample::Index>(),
            cut in 0_usize..5,
            piece in proptest::sample::select(PIECES),
            pretty in any::<bool>(),
        ) {
            let mut text = evidence().to_json();
            if pretty {
                let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
                text = serde_json::to_vec_pretty(&value).unwrap();
            }
            let start = at.index(text.len());
            let end = (start + cut).min(text.len());
            text.splice(start..end, piece.bytes());
            if let Some(read) = plain_json::read(&text) {
                prop_assert_eq!(read, read_json(&text).unwrap());
            }
        }
    }
}
