//! `/dev/tdx_guest` (Linux, `include/uapi/linux/tdx-guest.h`). It makes a TDREPORT, which the same machine can
//! check; a quote it cannot make.

use std::path::Path;
use std::time::Instant;

use rustix::ioctl::{Opcode, opcode};

use super::{malformed, open, update};
use crate::AttesterError;
use crate::patience::Patience;

/// The length of a TDREPORT in bytes (Intel TDX module ABI, TDREPORT_STRUCT).
pub const TD_REPORT_LEN: usize = 1024;

/// `struct tdx_report_req`, 1088 bytes.
#[repr(C)]
struct ReportRequest {
    reportdata: [u8; 64],
    tdreport: [u8; TD_REPORT_LEN],
}

const _: () = assert!(size_of::<ReportRequest>() == 1088);

const TDX_CMD_GET_REPORT0: Opcode = opcode::read_write::<ReportRequest>(b'T', 1);

/// Where a TDREPORT has its type (0x81 is TDX), the report data and MRCONFIGID: REPORTMACSTRUCT has 256 bytes,
/// with TEE_TCB_INFO 512; TDINFO begins there with attributes (8), XFAM (8), MRTD (48).
const TYPE_TDX: u8 = 0x81;
const REPORT_DATA: usize = 128;
const MR_CONFIG_ID: usize = 512 + 8 + 8 + 48;

/// The fields of a TDREPORT that are used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdReport {
    /// MRCONFIGID: what the host gave along at launch.
    pub mr_config_id: [u8; 48],
}

/// Asks the TDX module for a TDREPORT with these report data.
///
/// # Errors
/// [`AttesterError::Device`], [`AttesterError::Deadline`]; [`AttesterError::Malformed`] for an answer that is
/// no TDREPORT or carries other report data.
pub fn report(path: &Path, report_data: &[u8; 64], deadline: Instant) -> Result<TdReport, AttesterError> {
    let (file, patience) = (open(path)?, Patience::until(deadline));
    let mut request = ReportRequest { reportdata: *report_data, tdreport: [0; TD_REPORT_LEN] };
    patience.retry("asking", path, || {
        // SAFETY: the opcode takes a `struct tdx_report_req`, which holds no pointer.
        unsafe { update::<TDX_CMD_GET_REPORT0, _>(&file, &mut request) }
    })?;
    read(&request.tdreport, report_data).map_err(|why| malformed(path, why.to_owned()))
}

fn read(tdreport: &[u8; TD_REPORT_LEN], report_data: &[u8; 64]) -> Result<TdReport, &'static str> {
    if tdreport.first() != Some(&TYPE_TDX) {
        return Err("the answer is no TDREPORT: its type is not 0x81");
    }
    if tdreport.get(REPORT_DATA..).and_then(|rest| rest.first_chunk()) != Some(report_data) {
        return Err("the TDREPORT carries other report data than those asked for");
    }
    let field = tdreport.get(MR_CONFIG_ID..).and_then(|rest| rest.first_chunk());
    field.map(|field| TdReport { mr_config_id: *field }).ok_or("the TDREPORT is too short")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn the_opcode_is_that_of_the_header() {
        // _IOC(read and write, 'T', 1, 1088)
        assert_eq!(TDX_CMD_GET_REPORT0, 0xc440_5401);
        assert_eq!(std::mem::offset_of!(ReportRequest, tdreport), 64);
    }

    #[test]
    fn the_field_is_read_and_other_answers_are_refused() {
        let mut bytes = [0; TD_REPORT_LEN];
        bytes[0] = TYPE_TDX;
        bytes[128..192].fill(7);
        bytes[576..624].fill(9);
        assert_eq!(read(&bytes, &[7; 64]).unwrap().mr_config_id, [9; 48]);
        assert!(read(&bytes, &[8; 64]).unwrap_err().contains("other report data"));
        bytes[0] = 0;
        assert!(read(&bytes, &[7; 64]).unwrap_err().contains("type"));
    }
}
