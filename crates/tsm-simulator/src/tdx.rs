//! The registers, the log and the quotes of a TD.

use assay_emulator::Emulator;
use assay_emulator::intel::{Body, EventLog, IntelGuest, TdReport, index};
use assay_types::{Digest, Tee};

use crate::SimulatorError;

/// A register: MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG, RTMR0 to RTMR3.
pub(crate) type Register = [u8; 48];

/// The room that firmware gives the log (EDK II, OvmfPkg: 64 KiB).
const LOG_AREA: usize = 0x1_0000;

/// A TD as it has booted.
#[derive(Debug)]
pub(crate) struct Boot {
    pub(crate) registers: [Register; 4],
    pub(crate) fixed: Vec<(&'static str, Register)>,
    pub(crate) ccel: Option<Vec<u8>>,
}

/// Boots it. Unless they are set, there are no entries of an agent, and RTMR3 is zero.
pub(crate) fn boot(
    emulator: &Emulator,
    init_data: Option<&Digest>,
    set: &[(String, String)],
) -> Result<Boot, SimulatorError> {
    let is_set = |field: &str| set.iter().any(|(name, _)| name == field);
    let mut guest = emulator.intel_guest(Tee::Tdx, &[], init_data, set)?;
    let report = td_report(&guest)?;
    let mut registers = report.rtmr;
    if !is_set("aael") {
        // The log as it is sent, so that whatever else was set about it holds.
        guest = guest.sent_log(without_agent);
        if !is_set("rtmr_3") {
            let [_, _, _, rtmr3] = &mut registers;
            *rtmr3 = [0; 48];
        }
    }
    let fixed = vec![
        ("mrconfigid", report.mr_config_id),
        ("mrowner", report.mr_owner),
        ("mrownerconfig", report.mr_owner_config),
        ("mrtd", report.mr_td),
    ];
    let ccel = guest.build()?.event_log.map(|mut log| {
        // Room for the agent's own copy to find its end: at least eight bytes of 0xFF.
        let room = (log.len() + 8).next_multiple_of(LOG_AREA);
        log.resize(room, 0xff);
        log
    });
    Ok(Boot { registers, fixed, ccel })
}

/// A quote with these registers.
pub(crate) fn quote(
    emulator: &Emulator,
    report_data: &[u8],
    init_data: Option<&Digest>,
    set: &[(String, String)],
    registers: [Register; 4],
) -> Result<Vec<u8>, SimulatorError> {
    let guest = emulator.intel_guest(Tee::Tdx, report_data, init_data, set)?;
    Ok(guest.td_report(|report| report.rtmr = registers).build()?.quote)
}

/// SHA-384(old ‖ digest).
pub(crate) fn extended(old: &Register, digest: &Register) -> Register {
    let mut new = [0; 48];
    for (to, from) in new.iter_mut().zip(Digest::sha384(&[*old, *digest].concat()).as_bytes()) {
        *to = *from;
    }
    new
}

fn td_report(guest: &IntelGuest<'_>) -> Result<TdReport, SimulatorError> {
    match guest.current_body() {
        Body::Td(report) => Ok(report.clone()),
        Body::Enclave(_) => Err(SimulatorError::UnsupportedTee { tee: Tee::Sgx }),
    }
}

fn without_agent(log: &mut EventLog) {
    log.events.retain(|event| event.index != index::RTMR3);
}
