//! Real quotes, where they are at hand, and synthetic ones of every form.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

use assay_tee_intel::quote::{
    Body, CertificationData, EnclaveReport, Header, INTEL_VENDOR_ID, PpidCertification, PpidForm, Quote,
    SignatureData, Td10, Td15, Td15Extension, TdReport,
};
use bytes::Bytes;

/// The folder of published evidence, when it is at hand.
pub(crate) fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/intel");
    if folder.exists() {
        Some(folder)
    } else {
        println!("skipped: the folder of published evidence is not at hand");
        None
    }
}

/// The folder of samples in cargo's copy of the `dcap-qvl` crate, when it is at hand.
pub(crate) fn samples() -> Option<PathBuf> {
    let package = || {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--offline", "--format-version", "1"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .ok()?;
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let package = metadata["packages"].as_array()?.iter().find(|p| p["name"] == "dcap-qvl")?;
        Some(Path::new(package["manifest_path"].as_str()?).parent()?.join("sample"))
    };
    let folder = package().filter(|folder| folder.exists());
    if folder.is_none() {
        println!("skipped: the samples of dcap-qvl are not at hand");
    }
    folder
}

/// Bytes that count up, so that no two fields are alike.
fn count<const N: usize>(from: u8) -> [u8; N] {
    let mut next = from;
    std::array::from_fn(|_| {
        next = next.wrapping_add(7);
        next
    })
}

pub(crate) fn enclave() -> EnclaveReport {
    EnclaveReport::from_bytes(&count(1))
}

/// A TD's report for a body of this type: 2, 3 or 4.
pub(crate) fn td(body_type: u16) -> TdReport {
    TdReport {
        v10: Td10::from_bytes(&count(2)),
        v15: (body_type >= 3).then(|| Td15::from_bytes(&count(3))),
        extension: (body_type >= 4).then(|| Td15Extension::from_bytes(&count(4))),
    }
}

pub(crate) fn certification(of: u16) -> CertificationData {
    let ppid = |form: PpidForm| {
        CertificationData::Ppid(PpidCertification {
            form,
            ppid: vec![5; form.len()].into(),
            cpu_svn: count(6),
            pce_svn: 0x1122,
            pce_id: 0x3344,
        })
    };
    match of {
        1 => ppid(PpidForm::Plain),
        2 => ppid(PpidForm::Rsa2048),
        3 => ppid(PpidForm::Rsa3072),
        4 => CertificationData::PckLeaf(Bytes::from_static(b"leaf")),
        5 => CertificationData::PckChain(Bytes::from_static(b"-----BEGIN\0")),
        other => panic!("no certification data of type {other}"),
    }
}

pub(crate) fn signature(certification: CertificationData) -> SignatureData {
    let qe_report = enclave();
    SignatureData {
        signature: count(8),
        attestation_key: count(9),
        qe_report_bytes: qe_report.to_bytes().try_into().unwrap(),
        qe_report,
        qe_report_signature: count(10),
        qe_auth_data: vec![11; 32].into(),
        certification,
    }
}

/// The forms of quotes: version and body type.
pub(crate) const FORMS: [(u16, u16); 7] = [(3, 1), (4, 1), (4, 2), (5, 1), (5, 2), (5, 3), (5, 4)];

pub(crate) fn quote(version: u16, body_type: u16, certification_type: u16) -> Quote {
    let header = Header {
        version,
        attestation_key_type: 2,
        tee_type: if body_type == 1 { 0 } else { 0x81 },
        qe_svn: 0x0102,
        pce_svn: 0x0304,
        vendor_id: INTEL_VENDOR_ID,
        user_data: count(12),
    };
    let body = if body_type == 1 { Body::Sgx(enclave()) } else { Body::Td(td(body_type)) };
    Quote::new(header, body, signature(certification(certification_type)))
}

/// Every form with every type of certification data.
pub(crate) fn quotes() -> impl Iterator<Item = Quote> {
    FORMS.into_iter().flat_map(|(version, body)| (1..=5).map(move |of| quote(version, body, of)))
}
