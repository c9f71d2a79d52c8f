//! The fields of TDX evidence, named as in Trustee's claims.

use assay_types::{ReportData, Tee};
use sha2::{Digest as _, Sha384};

use super::event_log::{EventLog, algorithm, event_type, index};
use super::fields::{bit, unhandled, with_shared};
use super::guest::IntelGuest;
use super::report::{TdReport, attributes};
use crate::EmulatorError;
use crate::set::{Field, Setting};

/// Every field.
pub(crate) const FIELDS: &[Field] = with_shared! {
    "body": "report of the TD: 1.0 (default), 1.5 (in a quote of version 5)",
    "tcb_svn": "TEE_TCB_SVN, 16 bytes in hexadecimal; with body=1.5 tee_tcb_svn2 follows unless set",
    "mr_seam": "measurement of the TDX module, 48 bytes in hexadecimal",
    "mrsigner_seam": "signer of the TDX module, 48 bytes in hexadecimal; default zeros",
    "seam_attributes": "attributes of the TDX module, 8 bytes in hexadecimal; default zeros",
    "td_attributes": "attributes of the TD, 64 bits; default 0x10000000",
    "td_attributes.debug": "debugging is allowed: true or false (default)",
    "td_attributes.septve_disable": "accesses to pending pages do not raise #VE: true (default) or false",
    "td_attributes.migratable": "the TD can be migrated: true or false (default)",
    "td_attributes.protection_keys": "supervisor protection keys: true or false (default)",
    "td_attributes.key_locker": "key locker: true or false (default)",
    "td_attributes.perfmon": "performance monitoring: true or false (default)",
    "xfam": "extended features, 64 bits; default 0x642e7",
    "mr_td": "measurement of the TD, 48 bytes in hexadecimal",
    "mr_config_id": "configuration of the TD, 48 bytes in hexadecimal; default the digest of the init data",
    "mr_owner": "owner of the TD, 48 bytes in hexadecimal; default zeros",
    "mr_owner_config": "configuration of the owner, 48 bytes in hexadecimal; default zeros",
    "rtmr_0": "register of the firmware's configuration, 48 bytes in hexadecimal; follows the event log unless set",
    "rtmr_1": "register of the kernel, 48 bytes in hexadecimal; follows the event log unless set",
    "rtmr_2": "register of command line and initial file system, 48 bytes in hexadecimal; follows the event log unless set",
    "rtmr_3": "register of what the guest measures, 48 bytes in hexadecimal; follows the event log unless set",
    "report_data": "report data, at most 64 bytes in hexadecimal, zeros fill up on the right",
    "tee_tcb_svn2": "TEE_TCB_SVN of the module that runs now, 16 bytes in hexadecimal; body=1.5 only",
    "mr_servicetd": "measurement of the service TDs, 48 bytes in hexadecimal; body=1.5 only",
    "secure_boot": "UEFI Secure Boot is on: true or false (default)",
    "kernel": "kernel, a text that is measured",
    "kernel.cmdline": "command line, text; default root=/dev/vda1 console=hvc0 ro",
    "initrd": "initial file system, a text that is measured",
    "aael": "event of the Attestation Agent instead of the default one: <domain> <operation> <content>",
    "event_log": "event log: present (default), none, tampered (another kernel's digest), altered-text (another command line under the old digest), unbound and unbound-5 (another kernel in a register 0 or 5 that is none), other-algorithm (another kernel with SHA-256 alone)",
};

#[derive(Clone, Copy)]
enum LogMode {
    Present,
    None,
    Tampered,
    AlteredText,
    Unbound(u32),
    OtherAlgorithm,
}

pub(super) fn apply(
    guest: IntelGuest<'static>,
    setting: &Setting<'_>,
) -> Result<IntelGuest<'static>, EmulatorError> {
    match setting.name {
        "body" => Ok(if setting.one_of(&[("1.0", false), ("1.5", true)])? { guest.tdx_1_5() } else { guest }),
        "secure_boot" => {
            let on = setting.boolean()?;
            Ok(guest.boot(|boot| boot.secure_boot = on))
        }
        "kernel" => {
            let text = setting.text()?;
            Ok(guest.boot(|boot| boot.kernel = text.into()))
        }
        "kernel.cmdline" => {
            let text = setting.text()?;
            Ok(guest.boot(|boot| boot.command_line = text.into()))
        }
        "initrd" => {
            let text = setting.text()?;
            Ok(guest.boot(|boot| boot.initrd = Some(text.into())))
        }
        "aael" => {
            let mut parts = setting.text()?.splitn(3, ' ');
            let event = (parts.next(), parts.next(), parts.next());
            let (Some(domain), Some(operation), Some(content)) = event else {
                return Err(setting.bad("<domain> <operation> <content>"));
            };
            Ok(guest.boot(|boot| boot.agent_events = vec![(domain.into(), operation.into(), content.into())]))
        }
        "event_log" => Ok(event_log(guest, setting)?),
        _ => {
            let mut outcome = Ok(());
            let guest = guest.td_report(|td| outcome = report_field(td, setting));
            outcome.map(|()| guest)
        }
    }
}

fn event_log(
    guest: IntelGuest<'static>,
    setting: &Setting<'_>,
) -> Result<IntelGuest<'static>, EmulatorError> {
    let mode = setting.one_of(&[
        ("present", LogMode::Present),
        ("none", LogMode::None),
        ("tampered", LogMode::Tampered),
        ("altered-text", LogMode::AlteredText),
        ("unbound", LogMode::Unbound(0)),
        ("unbound-5", LogMode::Unbound(5)),
        ("other-algorithm", LogMode::OtherAlgorithm),
    ])?;
    Ok(match mode {
        LogMode::Present => guest,
        LogMode::None => guest.without_log(),
        LogMode::Tampered => guest.sent_log(|log| {
            if let Some(event) = log.find_mut(index::RTMR1, event_type::EFI_BOOT_SERVICES_APPLICATION) {
                event.digests = vec![(algorithm::SHA384, other_kernel())];
            }
        }),
        LogMode::AlteredText => guest.sent_log(|log| {
            if let Some(event) = log.find_mut(index::RTMR2, event_type::IPL) {
                event.data = b"kernel_cmdline: assay.other=1\0".to_vec();
            }
        }),
        LogMode::Unbound(index) => guest.sent_log(move |log| {
            add_kernel(log, |event| {
                event.index = index;
                event.digests = vec![(algorithm::SHA384, other_kernel())];
            });
        }),
        LogMode::OtherAlgorithm => guest.sent_log(|log| {
            log.algorithms.push((algorithm::SHA256, 32));
            add_kernel(log, |event| *event = event.clone().with_sha256());
        }),
    })
}

fn other_kernel() -> Vec<u8> {
    Sha384::digest("assay emulator other kernel").to_vec()
}

/// Adds a copy of the kernel's event at the end, changed.
fn add_kernel(log: &mut EventLog, change: impl FnOnce(&mut super::event_log::Event)) {
    let kernel = log.find_mut(index::RTMR1, event_type::EFI_BOOT_SERVICES_APPLICATION).cloned();
    if let Some(mut event) = kernel {
        change(&mut event);
        log.events.push(event);
    }
}

fn report_field(td: &mut TdReport, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    let [rtmr0, rtmr1, rtmr2, rtmr3] = &mut td.rtmr;
    match setting.name {
        "tcb_svn" => {
            td.tee_tcb_svn = setting.bytes()?;
            if let Some(extension) = &mut td.extension {
                extension.tee_tcb_svn2 = td.tee_tcb_svn;
            }
        }
        "mr_seam" => td.mr_seam = setting.bytes()?,
        "mrsigner_seam" => td.mr_signer_seam = setting.bytes()?,
        "seam_attributes" => td.seam_attributes = setting.bytes()?,
        "td_attributes" => td.td_attributes = setting.number()?,
        "td_attributes.debug" => bit(&mut td.td_attributes, attributes::TD_DEBUG, setting)?,
        "td_attributes.septve_disable" => {
            bit(&mut td.td_attributes, attributes::TD_SEPT_VE_DISABLE, setting)?
        }
        "td_attributes.migratable" => bit(&mut td.td_attributes, attributes::TD_MIGRATABLE, setting)?,
        "td_attributes.protection_keys" => bit(&mut td.td_attributes, attributes::TD_PKS, setting)?,
        "td_attributes.key_locker" => bit(&mut td.td_attributes, attributes::TD_KL, setting)?,
        "td_attributes.perfmon" => bit(&mut td.td_attributes, attributes::TD_PERFMON, setting)?,
        "xfam" => td.xfam = setting.number()?,
        "mr_td" => td.mr_td = setting.bytes()?,
        "mr_config_id" => td.mr_config_id = setting.bytes()?,
        "mr_owner" => td.mr_owner = setting.bytes()?,
        "mr_owner_config" => td.mr_owner_config = setting.bytes()?,
        "rtmr_0" => *rtmr0 = setting.bytes()?,
        "rtmr_1" => *rtmr1 = setting.bytes()?,
        "rtmr_2" => *rtmr2 = setting.bytes()?,
        "rtmr_3" => *rtmr3 = setting.bytes()?,
        "report_data" => {
            td.report_data = *ReportData::padded(&setting.some_bytes(64)?)?.as_bytes();
        }
        "tee_tcb_svn2" | "mr_servicetd" => {
            let extension = td
                .extension
                .as_mut()
                .ok_or_else(|| setting.bad("body=1.5 beside it: 1.0 has no such field"))?;
            match setting.name {
                "tee_tcb_svn2" => extension.tee_tcb_svn2 = setting.bytes()?,
                _ => extension.mr_service_td = setting.bytes()?,
            }
        }
        _ => return Err(unhandled(Tee::Tdx, setting)),
    }
    Ok(())
}
