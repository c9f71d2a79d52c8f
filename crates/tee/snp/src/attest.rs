//! How the guest obtains the evidence: a report from configfs-tsm (provider `sev_guest`), else from
//! `/dev/sev-guest`; the certificates that the hypervisor has come with it.
//!
//! - Report data: at most 64 bytes, padded with zeros on the right.
//! - Init data: HOSTDATA of a fresh report, 32 bytes, is compared with the first 32 bytes of the digest.
//! - No register can be extended at run time.

use std::path::PathBuf;
use std::time::Instant;

use assay_attester::ioctl::snp as device;
use assay_attester::tsm::{Tsm, TsmOptions, search};
use assay_attester::{
    Attester, AttesterError, DeviceThread, EvidenceRequest, Host, InitDataBinding, Probe, binding, files,
};
use assay_types::{Digest, HashAlgorithm, ReportData, Tee};
use serde_json::Value;

use crate::certificate_table::read_table;
use crate::evidence::{REPORT_LEN, Report, SnpEvidence};

/// The provider's name in configfs-tsm.
pub const PROVIDER: &str = "sev_guest";
/// The device of the guest driver.
pub const DEVICE: &str = "/dev/sev-guest";
/// The privilege level that the kernel runs at (Linux 6.11), a decimal number.
pub const KERNEL_VMPL: &str = "/sys/devices/system/cpu/sev/vmpl";

/// Looks for SEV-SNP.
pub fn probe(host: &Host) -> Probe {
    let mut probe = Probe::new(Tee::Snp);
    let source = match search(host, TsmOptions::of(host), PROVIDER, &mut probe) {
        Some(tsm) => Some(Source::Tsm(tsm)),
        None => device_source(host, &mut probe),
    };
    let services = host.service_provider.is_some();
    let attester = source.map(|source| SnpAttester { source, level: host.privilege_level, services });
    probe.attester = attester.map(|attester| -> Box<dyn Attester> { Box::new(attester) });
    probe
}

fn device_source(host: &Host, probe: &mut Probe) -> Option<Source> {
    if let Some(service) = &host.service_provider {
        let why = format!("not looked at: it cannot ask the service {service}; configfs-tsm can");
        probe.step(DEVICE, false, why);
        return None;
    }
    probe.device(host, DEVICE).then(|| Source::Device {
        path: host.path(DEVICE),
        kernel_vmpl: host.path(KERNEL_VMPL),
        thread: DeviceThread::new(host.device_timeout),
    })
}

/// Where reports come from.
enum Source {
    Tsm(Tsm),
    Device { path: PathBuf, kernel_vmpl: PathBuf, thread: DeviceThread },
}

struct SnpAttester {
    source: Source,
    /// The privilege level that was configured.
    level: Option<u8>,
    /// Whether a service is asked.
    services: bool,
}

/// What a source gives.
struct Answer {
    /// The device or file, for messages.
    what: String,
    report: Vec<u8>,
    /// The certificate table, empty without any.
    table: Vec<u8>,
    manifest: Vec<u8>,
}

impl Source {
    fn ask(
        &mut self,
        report_data: &ReportData,
        level: Option<u8>,
        deadline: Instant,
    ) -> Result<Answer, AttesterError> {
        match self {
            Source::Tsm(tsm) => {
                let report = tsm.report(PROVIDER, report_data.as_bytes(), deadline)?;
                Ok(Answer {
                    what: report.entry.display().to_string(),
                    report: report.outblob,
                    table: report.auxblob.unwrap_or_default(),
                    manifest: report.manifestblob.unwrap_or_default(),
                })
            }
            Source::Device { path, kernel_vmpl, thread } => {
                let vmpl = match level {
                    Some(level) => u32::from(level),
                    None => kernel_level(kernel_vmpl)?,
                };
                let (what, path, report_data) =
                    (path.display().to_string(), path.clone(), *report_data.as_bytes());
                let found = thread.run(&what, deadline, move |deadline| {
                    device::report(&path, &report_data, vmpl, deadline)
                })?;
                let table = found.certificates.unwrap_or_default();
                Ok(Answer { what, report: found.report, table, manifest: Vec::new() })
            }
        }
    }
}

/// The kernel's own level; 0 where it does not say, as kernels that run at another say it.
fn kernel_level(path: &std::path::Path) -> Result<u32, AttesterError> {
    let Some(bytes) = files::read_if_there(path, 64)? else { return Ok(0) };
    let level = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok());
    level.filter(|level| *level <= 3).ok_or_else(|| {
        let why = format!("expected a privilege level, 0 to 3, found {:?}", bytes.escape_ascii().to_string());
        AttesterError::Malformed { what: path.display().to_string(), why }
    })
}

impl SnpAttester {
    /// A fresh report that carries these report data.
    fn fresh(&mut self, report_data: &ReportData, deadline: Instant) -> Result<SnpEvidence, AttesterError> {
        let answer = self.source.ask(report_data, self.level, deadline)?;
        if !answer.manifest.is_empty() {
            tracing::debug!(
                entry = answer.what,
                bytes = answer.manifest.len(),
                "the services' manifest is not sent: the evidence has no place for it"
            );
        }
        let malformed = |why| AttesterError::Malformed { what: answer.what.clone(), why };
        let bytes: &[u8; REPORT_LEN] = answer.report.as_slice().try_into().map_err(|_| {
            malformed(format!("a report has {REPORT_LEN} bytes, found {}", answer.report.len()))
        })?;
        let report = Report::read(bytes).map_err(|error| malformed(error.to_string()))?;
        report.check_form().map_err(|error| malformed(error.to_string()))?;
        check_binding(&answer, report_data, &report)?;
        // A service's report may be of the service's own level.
        if let Some(level) = self.level.filter(|_| !self.services)
            && u32::from(level) != report.vmpl
        {
            return Err(malformed(format!("a report of VMPL {level} was asked for, found {}", report.vmpl)));
        }
        // The evidence carries the fields and not the bytes.
        let rebuilt = report.to_bytes();
        if let Some(place) = rebuilt.iter().zip(bytes).position(|(a, b)| a != b) {
            let why = format!(
                "byte {place:#05x} of the report is reserved and not zero: the evidence cannot carry it, and its \
                 signature would not hold"
            );
            return Err(malformed(why));
        }
        let entries = match answer.table.as_slice() {
            [] => Vec::new(),
            table => read_table(table).map_err(|error| malformed(error.to_string()))?,
        };
        Ok(SnpEvidence::new(report, Some(entries).filter(|entries| !entries.is_empty())))
    }
}

/// The report carries what was asked for. A service (SVSM) binds its manifest as well (AMD 58019,
/// SVSM_ATTEST_SERVICES: SHA-512 over nonce and manifest), which nobody can check without the manifest.
fn check_binding(answer: &Answer, asked: &ReportData, report: &Report) -> Result<(), AttesterError> {
    let with_manifest =
        HashAlgorithm::Sha512.digest(&[asked.as_bytes(), answer.manifest.as_slice()].concat());
    if !answer.manifest.is_empty() && with_manifest.as_bytes() == report.report_data {
        let why = "the report binds the services' manifest, and the evidence has no place for it: ask without a \
                   service provider";
        return Err(AttesterError::Malformed { what: answer.what.clone(), why: why.to_owned() });
    }
    binding::same_report_data(&answer.what, asked, &report.report_data)
}

impl Attester for SnpAttester {
    fn tee(&self) -> Tee {
        Tee::Snp
    }

    fn evidence(&mut self, request: &EvidenceRequest<'_>) -> Result<Value, AttesterError> {
        let report_data = binding::report_data(Tee::Snp, request.report_data)?;
        let evidence = self.fresh(&report_data, request.deadline)?;
        serde_json::from_slice(&evidence.to_json()).map_err(|error| AttesterError::Malformed {
            what: "the evidence".to_owned(),
            why: error.to_string(),
        })
    }

    fn bind_init_data(
        &mut self,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<InitDataBinding, AttesterError> {
        let evidence = self.fresh(&ReportData::new([0; 64]), deadline)?;
        binding::init_data("HOSTDATA", digest, &evidence.report.host_data)
    }
}
