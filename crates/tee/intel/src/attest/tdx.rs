//! How a TD obtains the evidence: a quote from configfs-tsm (provider `tdx_guest`), the event logs of the firmware
//! and the agent.
//!
//! - Report data: at most 64 bytes, padded with zeros on the right.
//! - Init data: MRCONFIGID, 48 bytes, is compared with the first 48 bytes of the digest, or all of them and zeros.
//! - Registers: RTMR2 and RTMR3 can be extended, where the kernel shows them.

use std::path::PathBuf;
use std::time::Instant;

use assay_attester::ioctl::tdx as device;
use assay_attester::tsm::{Tsm, TsmOptions, search};
use assay_attester::{
    Attester, AttesterError, DeviceThread, EvidenceRequest, Host, InitDataBinding, MeasurementRegisters,
    Probe, binding, files,
};
use assay_types::{Digest, ReportData, Tee};
use serde_json::Value;

use super::registers::{MEASUREMENTS, Rtmrs};
use super::{checked_quote, event_log, to_value};
use crate::IntelEvidence;
use crate::quote::{Body, Quote};

/// The provider's name in configfs-tsm.
pub const PROVIDER: &str = "tdx_guest";
/// The device of the guest driver. It makes a TDREPORT, but no quote.
pub const DEVICE: &str = "/dev/tdx_guest";
/// The event log of the firmware, an ACPI table.
pub const CCEL: &str = "/sys/firmware/acpi/tables/data/CCEL";

/// Looks for TDX.
pub fn probe(host: &Host) -> Probe {
    let mut probe = Probe::new(Tee::Tdx);
    let Some(tsm) = search(host, TsmOptions::default(), PROVIDER, &mut probe) else {
        let there = host.path(DEVICE).exists();
        let detail = if there {
            "it is there, so this is a TD; but it makes no quote: configfs-tsm is needed for that (Linux 6.7, \
             mounted at /sys/kernel/config)"
        } else {
            "not there"
        };
        probe.step(DEVICE, false, detail);
        return probe;
    };
    let registers = Rtmrs::find(host);
    let detail = if registers.is_some() {
        "RTMR2 and RTMR3 can be extended at run time"
    } else {
        "not there (Linux 6.16 has it): quotes can be made, but nothing can be measured at run time"
    };
    probe.step(MEASUREMENTS, registers.is_some(), detail);
    probe.attester = Some(Box::new(TdxAttester {
        tsm,
        registers,
        ccel: host.path(CCEL),
        mr_config_id: host.path(MEASUREMENTS).join("mrconfigid"),
        device: host.path(DEVICE),
        thread: DeviceThread::new(host.device_timeout),
    }));
    probe
}

struct TdxAttester {
    tsm: Tsm,
    registers: Option<Rtmrs>,
    ccel: PathBuf,
    mr_config_id: PathBuf,
    device: PathBuf,
    thread: DeviceThread,
}

impl TdxAttester {
    fn quote(&mut self, report_data: &ReportData, deadline: Instant) -> Result<Quote, AttesterError> {
        let report = self.tsm.report(PROVIDER, report_data.as_bytes(), deadline)?;
        checked_quote(Tee::Tdx, &report.entry.display().to_string(), report.outblob, report_data)
    }

    /// MRCONFIGID from where it is had most easily: the kernel's file, a TDREPORT, a quote.
    fn mr_config_id(&mut self, deadline: Instant) -> Result<[u8; 48], AttesterError> {
        if let Some(bytes) = files::read_if_there(&self.mr_config_id, 48)? {
            return bytes.as_slice().try_into().map_err(|_| AttesterError::Malformed {
                what: self.mr_config_id.display().to_string(),
                why: format!("MRCONFIGID has 48 bytes, found {}", bytes.len()),
            });
        }
        if self.device.exists() {
            let (what, path) = (self.device.display().to_string(), self.device.clone());
            let report = self
                .thread
                .run(&what, deadline, move |deadline| device::report(&path, &[0; 64], deadline))?;
            return Ok(report.mr_config_id);
        }
        let quote = self.quote(&ReportData::new([0; 64]), deadline)?;
        match quote.body {
            Body::Td(report) => Ok(report.mr_config_id),
            Body::Sgx(_) => Err(AttesterError::Malformed {
                what: PROVIDER.to_owned(),
                why: "the quote is that of an enclave".to_owned(),
            }),
        }
    }
}

impl Attester for TdxAttester {
    fn tee(&self) -> Tee {
        Tee::Tdx
    }

    fn evidence(&mut self, request: &EvidenceRequest<'_>) -> Result<Value, AttesterError> {
        let report_data = binding::report_data(Tee::Tdx, request.report_data)?;
        // Before the quote: a log that cannot be sent needs no quote.
        let event_log = event_log::to_send(&self.ccel, request.aael)?;
        let quote = self.quote(&report_data, request.deadline)?;
        to_value(&IntelEvidence { quote, event_log })
    }

    fn bind_init_data(
        &mut self,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<InitDataBinding, AttesterError> {
        binding::init_data("MRCONFIGID", digest, &self.mr_config_id(deadline)?)
    }

    fn registers(&mut self) -> Option<&mut dyn MeasurementRegisters> {
        let registers = self.registers.as_mut()?;
        Some(registers)
    }
}
