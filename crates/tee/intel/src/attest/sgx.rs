//! How an enclave obtains the evidence: a quote from Gramine's pseudo files (`/dev/attestation`, Gramine
//! documentation, "Attestation and secret provisioning"), or from Occlum's `/dev/sgx`.
//!
//! - Report data: at most 64 bytes, padded with zeros on the right.
//! - Init data: CONFIGID of a fresh quote, 64 bytes, is compared with the digest and zeros.
//! - No register can be extended at run time.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use assay_attester::ioctl::occlum;
use assay_attester::{
    Attester, AttesterError, DeviceThread, EvidenceRequest, Host, InitDataBinding, Probe, binding, files,
};
use assay_types::{Digest, ReportData, Tee};
use serde_json::Value;

use super::{checked_quote, to_value};
use crate::IntelEvidence;
use crate::quote::{Body, MAX_QUOTE_LEN, Quote};

/// Where Gramine has its pseudo files.
pub const GRAMINE: &str = "/dev/attestation";
/// Occlum's device.
pub const OCCLUM: &str = "/dev/sgx";
/// The variable by which a program knows that it runs in Occlum.
pub const OCCLUM_VARIABLE: &str = "OCCLUM";

/// Looks for an enclave.
pub fn probe(host: &Host) -> Probe {
    let mut probe = Probe::new(Tee::Sgx);
    let source = match occlum(host, &mut probe) {
        None => gramine(host, &mut probe),
        found => found,
    };
    let thread = DeviceThread::new(host.device_timeout);
    let attester = source.map(|source| SgxAttester { source, thread });
    probe.attester = attester.map(|attester| -> Box<dyn Attester> { Box::new(attester) });
    probe
}

fn occlum(host: &Host, probe: &mut Probe) -> Option<Source> {
    let set = host.variable(OCCLUM_VARIABLE).is_some();
    let detail = if set { "set: this is an enclave of Occlum" } else { "not set" };
    let found = probe.step(format!("the variable {OCCLUM_VARIABLE}"), set, detail);
    (found && probe.device(host, OCCLUM)).then(|| Source::Occlum(host.path(OCCLUM)))
}

fn gramine(host: &Host, probe: &mut Probe) -> Option<Source> {
    let directory = host.path(GRAMINE);
    let (found, detail) = match files::read_if_there(&directory.join("attestation_type"), 64) {
        Ok(Some(bytes)) if bytes.trim_ascii_end() == b"dcap" => {
            (true, "dcap: this is an enclave of Gramine".to_owned())
        }
        Ok(Some(bytes)) => {
            let found = bytes.escape_ascii();
            (
                false,
                format!("\"{found}\", not dcap: set sgx.remote_attestation = \"dcap\" in Gramine's manifest"),
            )
        }
        Ok(None) => (false, "not there".to_owned()),
        Err(error) => (false, error.to_string()),
    };
    probe.step(format!("{GRAMINE}/attestation_type"), found, detail).then_some(Source::Gramine(directory))
}

/// Where quotes come from.
#[derive(Clone)]
enum Source {
    Gramine(PathBuf),
    Occlum(PathBuf),
}

impl Source {
    fn path(&self) -> PathBuf {
        match self {
            Source::Gramine(directory) => directory.join("quote"),
            Source::Occlum(device) => device.clone(),
        }
    }

    fn ask(&self, report_data: &ReportData, deadline: Instant) -> Result<Vec<u8>, AttesterError> {
        match self {
            Source::Gramine(directory) => {
                write(&directory.join("user_report_data"), report_data.as_bytes())?;
                files::read(&self.path(), MAX_QUOTE_LEN)
            }
            Source::Occlum(device) => occlum::quote(device, report_data.as_bytes(), deadline),
        }
    }
}

/// Writes a pseudo file that is there.
fn write(path: &Path, bytes: &[u8]) -> Result<(), AttesterError> {
    let written = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| AttesterError::device("writing", path, error))
}

struct SgxAttester {
    source: Source,
    thread: DeviceThread,
}

impl SgxAttester {
    fn quote(&mut self, report_data: &ReportData, deadline: Instant) -> Result<Quote, AttesterError> {
        let (source, report_data, what) =
            (self.source.clone(), *report_data, self.source.path().display().to_string());
        let bytes = self.thread.run(&what, deadline, move |deadline| source.ask(&report_data, deadline))?;
        checked_quote(Tee::Sgx, &what, bytes, &report_data)
    }
}

impl Attester for SgxAttester {
    fn tee(&self) -> Tee {
        Tee::Sgx
    }

    fn evidence(&mut self, request: &EvidenceRequest<'_>) -> Result<Value, AttesterError> {
        let report_data = binding::report_data(Tee::Sgx, request.report_data)?;
        let quote = self.quote(&report_data, request.deadline)?;
        to_value(&IntelEvidence { quote, event_log: None })
    }

    fn bind_init_data(
        &mut self,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<InitDataBinding, AttesterError> {
        let quote = self.quote(&ReportData::new([0; 64]), deadline)?;
        match &quote.body {
            Body::Sgx(report) => binding::init_data("CONFIGID", digest, &report.config_id),
            Body::Td(_) => Err(AttesterError::Malformed {
                what: self.source.path().display().to_string(),
                why: "the quote is that of a TD".to_owned(),
            }),
        }
    }
}
