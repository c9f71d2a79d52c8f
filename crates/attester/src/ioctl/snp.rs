//! `/dev/sev-guest` (Linux, `include/uapi/linux/sev-guest.h`, `Documentation/virt/coco/sev-guest.rst`).

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use rustix::ioctl::{Opcode, opcode};

use super::{malformed, open, update};
use crate::AttesterError;
use crate::patience::Patience;

/// `struct snp_report_req`, 96 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
struct ReportRequest {
    user_data: [u8; 64],
    vmpl: u32,
    reserved: [u8; 28],
}

/// `struct snp_ext_report_req`, 112 bytes.
#[repr(C)]
struct ExtendedReportRequest {
    data: ReportRequest,
    /// Where the certificate table goes.
    certs_address: u64,
    /// Its length in bytes, a multiple of the page size.
    certs_len: u32,
}

/// `struct snp_guest_request_ioctl`, 32 bytes.
#[repr(C)]
struct GuestRequest {
    msg_version: u8,
    req_data: u64,
    resp_data: u64,
    /// Of the union `exitinfo2`: an error of the firmware.
    fw_error: u32,
    /// And one of the hypervisor.
    vmm_error: u32,
}

const _: () = {
    assert!(size_of::<ReportRequest>() == 96);
    assert!(size_of::<ExtendedReportRequest>() == 112);
    assert!(size_of::<GuestRequest>() == 32);
};

const SNP_GET_REPORT: Opcode = opcode::read_write::<GuestRequest>(b'S', 0);
const SNP_GET_EXT_REPORT: Opcode = opcode::read_write::<GuestRequest>(b'S', 2);

/// `SNP_GUEST_VMM_ERR_INVALID_LEN`: the table is longer than the buffer.
const VMM_INVALID_LEN: u32 = 1;
/// `SNP_GUEST_VMM_ERR_BUSY`.
const VMM_BUSY: u32 = 2;

/// `struct snp_report_resp`, in bytes.
const RESPONSE_LEN: usize = 4000;
/// The head of MSG_REPORT_RSP: u32 status, u32 report size, 24 reserved (AMD 56860, table
/// "MSG_REPORT_RSP Message Structure").
const RESPONSE_HEAD_LEN: usize = 32;
/// The longest certificate table that the kernel takes (`SEV_FW_BLOB_MAX_SIZE`, 16 KiB).
const CERTIFICATES_LEN: usize = 0x4000;

/// A report, and the certificates that the hypervisor has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnpReport {
    /// The report's bytes, as many as the firmware says.
    pub report: Vec<u8>,
    /// The buffer with the certificate table (GHCB specification 56421) and zeros behind; `None` when it
    /// was refused.
    pub certificates: Option<Vec<u8>>,
}

/// Asks the firmware for a report with `user_data`, for the privilege level `vmpl`.
///
/// The certificate table is asked for too. Where the hypervisor refuses it, or has more than fits, the report
/// is asked for alone, and a line is logged.
///
/// # Errors
/// [`AttesterError::Device`], [`AttesterError::Deadline`], [`AttesterError::Malformed`].
pub fn report(
    path: &Path,
    user_data: &[u8; 64],
    vmpl: u32,
    deadline: Instant,
) -> Result<SnpReport, AttesterError> {
    let (file, patience) = (open(path)?, Patience::until(deadline));
    let request = ReportRequest { user_data: *user_data, vmpl, reserved: [0; 28] };
    match patience.retry("asking", path, || extended(&file, request)) {
        Ok((response, certificates)) => {
            let report = in_response(&response).map_err(|why| malformed(path, why))?;
            Ok(SnpReport { report, certificates: Some(certificates) })
        }
        Err(AttesterError::Device { source, .. }) => {
            tracing::info!(device = %path.display(), error = %source, "no certificate table; asking for the report alone");
            let response = patience.retry("asking", path, || plain(&file, request))?;
            let report = in_response(&response).map_err(|why| malformed(path, why))?;
            Ok(SnpReport { report, certificates: None })
        }
        Err(error) => Err(error),
    }
}

type Response = Box<[u8; RESPONSE_LEN]>;

fn plain(file: &File, mut request: ReportRequest) -> io::Result<Response> {
    let mut response = Box::new([0; RESPONSE_LEN]);
    let mut call = guest_request(&raw mut request, &mut response);
    // SAFETY: the opcode takes a `struct snp_guest_request_ioctl`. It points to a `struct snp_report_req` and to
    // as many bytes as `struct snp_report_resp` has, both alive until the end of this function.
    let done = unsafe { update::<SNP_GET_REPORT, _>(file, &mut call) };
    outcome(done, &call)?;
    Ok(response)
}

fn extended(file: &File, request: ReportRequest) -> io::Result<(Response, Vec<u8>)> {
    let mut response = Box::new([0; RESPONSE_LEN]);
    let mut certificates = vec![0; CERTIFICATES_LEN];
    let mut request = ExtendedReportRequest {
        data: request,
        certs_address: address(certificates.as_mut_ptr()),
        certs_len: u32::try_from(certificates.len()).map_err(io::Error::other)?,
    };
    let mut call = guest_request(&raw mut request, &mut response);
    // SAFETY: as in `plain`, with a `struct snp_ext_report_req`, which points to a buffer of `certs_len` bytes that
    // is alive until the end of this function.
    let done = unsafe { update::<SNP_GET_EXT_REPORT, _>(file, &mut call) };
    outcome(done, &call)?;
    Ok((response, certificates))
}

fn guest_request<T>(request: *mut T, response: &mut Response) -> GuestRequest {
    GuestRequest {
        msg_version: 1,
        req_data: address(request),
        resp_data: address(response.as_mut_ptr()),
        fw_error: 0,
        vmm_error: 0,
    }
}

/// A pointer as the kernel takes it. It is exposed, since the kernel writes through the number.
fn address<T>(pointer: *mut T) -> u64 {
    // A pointer has at most 64 bits on every machine that Linux runs on.
    u64::try_from(pointer.expose_provenance()).unwrap_or(0)
}

/// Some kernels return 0 although the hypervisor failed, so both are looked at.
fn outcome(done: io::Result<()>, call: &GuestRequest) -> io::Result<()> {
    let GuestRequest { fw_error, vmm_error, .. } = *call;
    match (done, vmm_error, fw_error) {
        (_, VMM_BUSY, _) => Err(io::ErrorKind::ResourceBusy.into()),
        (_, VMM_INVALID_LEN, _) => Err(io::Error::other(format!(
            "the hypervisor has a certificate table of more than {CERTIFICATES_LEN} bytes"
        ))),
        (Ok(()), 0, 0) => Ok(()),
        (Err(error), 0, 0) => Err(error),
        (done, _, _) => {
            let reason = done.err().map(|error| format!("{error}, ")).unwrap_or_default();
            let text = format!("{reason}firmware error {fw_error:#x}, hypervisor error {vmm_error:#x}");
            Err(io::Error::other(text))
        }
    }
}

/// The report in a response.
fn in_response(response: &[u8; RESPONSE_LEN]) -> Result<Vec<u8>, String> {
    let number = |at: usize| {
        let bytes = response.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(u32::MAX, u32::from_le_bytes)
    };
    let (status, len) = (number(0), number(4));
    if status != 0 {
        return Err(format!("the firmware refuses the report with status {status:#x}"));
    }
    let report = usize::try_from(len)
        .ok()
        .and_then(|len| response.get(RESPONSE_HEAD_LEN..)?.get(..len))
        .ok_or_else(|| format!("the firmware says that the report has {len} bytes, more than the answer"))?;
    Ok(report.to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_are_those_of_the_header() {
        // _IOC(read and write, 'S', number, 32)
        assert_eq!(SNP_GET_REPORT, 0xc020_5300);
        assert_eq!(SNP_GET_EXT_REPORT, 0xc020_5302);
    }

    #[test]
    fn places_are_those_of_the_header() {
        assert_eq!(std::mem::offset_of!(ReportRequest, vmpl), 64);
        assert_eq!(std::mem::offset_of!(ExtendedReportRequest, certs_address), 96);
        assert_eq!(std::mem::offset_of!(ExtendedReportRequest, certs_len), 104);
        assert_eq!(std::mem::offset_of!(GuestRequest, req_data), 8);
        assert_eq!(std::mem::offset_of!(GuestRequest, resp_data), 16);
        assert_eq!(std::mem::offset_of!(GuestRequest, fw_error), 24);
        assert_eq!(std::mem::offset_of!(GuestRequest, vmm_error), 28);
    }

    #[test]
    fn the_report_is_taken_by_the_length_that_the_firmware_says() {
        let mut response = [9; RESPONSE_LEN];
        response[..4].copy_from_slice(&0_u32.to_le_bytes());
        response[4..8].copy_from_slice(&1184_u32.to_le_bytes());
        assert_eq!(in_response(&response).unwrap(), [9; 1184]);
        response[4..8].copy_from_slice(&3968_u32.to_le_bytes());
        assert_eq!(in_response(&response).unwrap().len(), 3968);
        for len in [3969, u32::MAX] {
            response[4..8].copy_from_slice(&len.to_le_bytes());
            assert!(in_response(&response).unwrap_err().contains("more than the answer"));
        }
        response[0] = 0x16;
        assert!(in_response(&response).unwrap_err().contains("status 0x16"));
    }

    #[test]
    fn errors_of_firmware_and_hypervisor_are_told_apart() {
        let call = |fw_error, vmm_error| GuestRequest {
            msg_version: 1,
            req_data: 0,
            resp_data: 0,
            fw_error,
            vmm_error,
        };
        let io_error = || Err(io::Error::from_raw_os_error(5));
        outcome(Ok(()), &call(0, 0)).unwrap();
        assert_eq!(outcome(io_error(), &call(0, VMM_BUSY)).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(outcome(io_error(), &call(0, 0)).unwrap_err().raw_os_error(), Some(5));
        for (done, vmm, fw, part) in [
            (Ok(()), VMM_INVALID_LEN, 0, "certificate table"),
            (io_error(), 0, 0x16, "firmware error 0x16"),
            (Ok(()), 7, 0, "hypervisor error 0x7"),
        ] {
            let text = outcome(done, &call(fw, vmm)).unwrap_err().to_string();
            assert!(text.contains(part), "{text}");
        }
    }
}
