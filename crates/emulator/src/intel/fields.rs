//! The fields of Intel evidence that can be set by text: those that TDX and SGX share, and the order in which
//! settings take effect.
//!
//! What is set is what the emulated platform is: signatures and certificates follow, so the evidence stays
//! genuine, and it is the policy's task to refuse it.

use assay_types::{Digest, ReportData, Tee};

use super::certification::Certification;
use super::guest::IntelGuest;
use super::level::TcbLevelName;
use super::pck::{Configuration, PckCa, Platform};
use super::quote::QuoteHeader;
use super::report::{EnclaveReport, attributes};
use super::silicon::IntelSilicon;
use super::{sgx_fields, tdx_fields};
use crate::EmulatorError;
use crate::set::{Setting, settings};

/// The fields of one TEE: its own, then the shared ones.
macro_rules! with_shared {
    ($($name:literal: $meaning:literal,)*) => {
        &[
            $(Field { name: $name, meaning: $meaning },)*
            Field { name: "quote_version", meaning: "version of the quote, 16 bits; TDX 4 (default) or 5, SGX 3" },
            Field { name: "attestation_key_type", meaning: "type of the attestation key, 16 bits; default 2 (ECDSA with P-256)" },
            Field { name: "tee_type", meaning: "type of the TEE, 32 bits; TDX 0x81, SGX 0" },
            Field { name: "vendor_id", meaning: "vendor of the quoting enclave, 16 bytes in hexadecimal" },
            Field { name: "user_data", meaning: "user data of the header, 20 bytes in hexadecimal" },
            Field { name: "tcb", meaning: "level of the platform: up-to-date (default), sw-hardening-needed, configuration-needed, configuration-and-sw-hardening-needed, out-of-date, out-of-date-configuration-needed, revoked" },
            Field { name: "ca", meaning: "authority that certifies the platform: platform (default), processor" },
            Field { name: "fmspc", meaning: "kind of the platform, 6 bytes in hexadecimal" },
            Field { name: "pce_id", meaning: "id of the provisioning certification enclave, 2 bytes in hexadecimal" },
            Field { name: "ppid", meaning: "id of the processor package, 16 bytes in hexadecimal" },
            Field { name: "cpu_svn", meaning: "CPUSVN, 16 bytes in hexadecimal; the components of the TCB follow unless set" },
            Field { name: "tcb_components", meaning: "the 16 components of the TCB in the PCK certificate, 16 bytes in hexadecimal" },
            Field { name: "pce_svn", meaning: "version of the provisioning certification enclave, 16 bits" },
            Field { name: "sgx_type", meaning: "SGX type in the PCK certificate: 0 standard, 1 scalable (default), 2 scalable with integrity" },
            Field { name: "platform_instance_id", meaning: "id of the platform, 16 bytes in hexadecimal; absent with ca=processor unless set" },
            Field { name: "dynamic_platform", meaning: "packages can be added: true (default) or false; absent with ca=processor unless set" },
            Field { name: "cached_keys", meaning: "the vendor keeps the platform's root keys: true (default) or false; absent with ca=processor unless set" },
            Field { name: "smt_enabled", meaning: "simultaneous multithreading is on: true (default) or false; absent with ca=processor unless set" },
            Field { name: "pck_revoked", meaning: "another platform, whose PCK certificate the vendor has revoked: true or false (default)" },
            Field { name: "pck.not_before", meaning: "first moment of the PCK certificate's validity, RFC 3339" },
            Field { name: "pck.not_after", meaning: "last moment of the PCK certificate's validity, RFC 3339" },
            Field { name: "certification", meaning: "how the quote names the PCK certificate: 1 (PPID), 2 (PPID, RSA-2048), 3 (PPID, RSA-3072), 4 (certificate), 5 (chain, default)" },
            Field { name: "auth_data", meaning: "data that the quoting enclave adds to its key, at most 1024 bytes in hexadecimal" },
            Field { name: "qe.misc_select", meaning: "MISCSELECT of the quoting enclave, 32 bits; default 0" },
            Field { name: "qe.attributes.debug", meaning: "the quoting enclave can be debugged: true or false (default)" },
            Field { name: "qe.mr_enclave", meaning: "measurement of the quoting enclave, 32 bytes in hexadecimal" },
            Field { name: "qe.mr_signer", meaning: "signer of the quoting enclave, 32 bytes in hexadecimal" },
            Field { name: "qe.isv_prod_id", meaning: "product of the quoting enclave, 16 bits; default 2, SGX 1" },
            Field { name: "qe.isv_svn", meaning: "version of the quoting enclave, 16 bits; default 4, SGX 8" },
        ]
    };
}
pub(super) use with_shared;

pub(crate) use sgx_fields::FIELDS as SGX_FIELDS;
pub(crate) use tdx_fields::FIELDS as TDX_FIELDS;

/// A TD or an enclave with these report data and init data, and what is set.
///
/// # Errors
/// [`EmulatorError`], [`EmulatorError::NotIntel`] for another TEE.
pub(crate) fn guest(
    silicon: &IntelSilicon,
    tee: Tee,
    report_data: ReportData,
    init_data: Option<&Digest>,
    set: &[(String, String)],
) -> Result<IntelGuest<'static>, EmulatorError> {
    let (fields, mut guest) = match tee {
        Tee::Tdx => (TDX_FIELDS, silicon.td()),
        Tee::Sgx => (SGX_FIELDS, silicon.enclave()),
        tee => return Err(EmulatorError::NotIntel { tee }),
    };
    let config = init_data.map(Digest::as_bytes).unwrap_or_default();
    guest = guest
        .td_report(|td| {
            td.report_data = *report_data.as_bytes();
            td.mr_config_id = cut_or_padded(config);
        })
        .enclave_report(|report| {
            report.report_data = *report_data.as_bytes();
            report.config_id = cut_or_padded(config);
        });
    let mut settings: Vec<Setting<'_>> = settings(tee, fields, set)?;
    settings.sort_by_key(|setting| order(setting.name));
    for setting in &settings {
        guest = match shared(guest, setting)? {
            Applied::Yes(guest) => guest,
            Applied::No(guest) if tee == Tee::Tdx => tdx_fields::apply(guest, setting)?,
            Applied::No(guest) => sgx_fields::apply(guest, setting)?,
        };
    }
    Ok(guest)
}

/// First what decides the defaults of the rest: the body has a version, a level has versions, the CPUSVN has
/// components, what is booted has registers, and a log is changed when it is whole.
fn order(name: &str) -> u8 {
    match name {
        "body" | "ca" => 0,
        "tcb" => 1,
        "cpu_svn" => 2,
        "secure_boot" | "kernel" | "kernel.cmdline" | "initrd" | "aael" => 3,
        "event_log" => 4,
        "td_attributes" | "attributes.flags" | "tcb_svn" => 5,
        _ => 6,
    }
}

/// The digest of the init data in a field of `N` bytes: zeros fill up on the right, and what is longer is
/// cut (guest-components, TDX attester; Trustee, `regularize_data`).
fn cut_or_padded<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = *from;
    }
    out
}

enum Applied {
    Yes(IntelGuest<'static>),
    No(IntelGuest<'static>),
}

fn shared(guest: IntelGuest<'static>, setting: &Setting<'_>) -> Result<Applied, EmulatorError> {
    let guest = match setting.name {
        "tcb" => {
            let names = TcbLevelName::ALL.map(|level| (level.as_str(), level));
            guest.tcb_level(setting.one_of(&names)?)
        }
        "pck_revoked" => guest.pck_revoked(setting.boolean()?),
        "pck.not_before" => {
            let time = setting.time()?;
            guest.pck(move |certificate| certificate.validity.not_before = time)
        }
        "pck.not_after" => {
            let time = setting.time()?;
            guest.pck(move |certificate| certificate.validity.not_after = time)
        }
        "certification" => guest.certification(setting.one_of(&[
            ("1", Certification::Ppid),
            ("2", Certification::PpidRsa2048),
            ("3", Certification::PpidRsa3072),
            ("4", Certification::PckCertificate),
            ("5", Certification::PckChain),
        ])?),
        "auth_data" => guest.auth_data(setting.some_bytes(1024)?),
        name if name.starts_with("qe.") => {
            let edit = quoting_enclave(setting)?;
            guest.qe_report(edit)
        }
        "quote_version" | "attestation_key_type" | "tee_type" | "vendor_id" | "user_data" => {
            let mut outcome = Ok(());
            let guest = guest.header(|header| outcome = header_field(header, setting));
            outcome.map(|()| guest)?
        }
        "ca"
        | "fmspc"
        | "pce_id"
        | "ppid"
        | "cpu_svn"
        | "tcb_components"
        | "pce_svn"
        | "sgx_type"
        | "platform_instance_id"
        | "dynamic_platform"
        | "cached_keys"
        | "smt_enabled" => {
            let mut outcome = Ok(());
            let guest = guest.platform(|platform| outcome = platform_field(platform, setting));
            outcome.map(|()| guest)?
        }
        _ => return Ok(Applied::No(guest)),
    };
    Ok(Applied::Yes(guest))
}

fn header_field(header: &mut QuoteHeader, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    match setting.name {
        "quote_version" => header.version = setting.number()?,
        "attestation_key_type" => header.attestation_key_type = setting.number()?,
        "tee_type" => header.tee_type = setting.number()?,
        "vendor_id" => header.qe_vendor_id = setting.bytes()?,
        _ => header.user_data = setting.bytes()?,
    }
    Ok(())
}

fn platform_field(platform: &mut Platform, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    match setting.name {
        "ca" => {
            platform.ca =
                setting.one_of(&[("platform", PckCa::Platform), ("processor", PckCa::Processor)])?;
            if platform.ca == PckCa::Processor {
                platform.platform_instance_id = None;
                platform.configuration = None;
            }
        }
        "fmspc" => platform.fmspc = setting.bytes()?,
        "pce_id" => platform.pce_id = setting.bytes()?,
        "ppid" => platform.ppid = setting.bytes()?,
        "cpu_svn" => platform.set_cpu_svn(setting.bytes()?),
        "tcb_components" => platform.components = setting.bytes()?,
        "pce_svn" => platform.pce_svn = setting.number()?,
        "sgx_type" => platform.sgx_type = setting.number()?,
        "platform_instance_id" => platform.platform_instance_id = Some(setting.bytes()?),
        name => {
            let value = setting.boolean()?;
            let configuration = platform.configuration.get_or_insert(Configuration {
                dynamic_platform: false,
                cached_keys: false,
                smt_enabled: false,
            });
            match name {
                "dynamic_platform" => configuration.dynamic_platform = value,
                "cached_keys" => configuration.cached_keys = value,
                _ => configuration.smt_enabled = value,
            }
        }
    }
    Ok(())
}

type QeEdit = Box<dyn FnOnce(&mut EnclaveReport)>;

fn quoting_enclave(setting: &Setting<'_>) -> Result<QeEdit, EmulatorError> {
    Ok(match setting.name {
        "qe.misc_select" => {
            let value = setting.number()?;
            Box::new(move |report| report.misc_select = value)
        }
        "qe.attributes.debug" => {
            let debug = setting.boolean()?;
            Box::new(move |report| set_bit(&mut report.flags, attributes::SGX_DEBUG, debug))
        }
        "qe.mr_enclave" => {
            let value = setting.bytes()?;
            Box::new(move |report| report.mr_enclave = value)
        }
        "qe.mr_signer" => {
            let value = setting.bytes()?;
            Box::new(move |report| report.mr_signer = value)
        }
        "qe.isv_prod_id" => {
            let value = setting.number()?;
            Box::new(move |report| report.isv_prod_id = value)
        }
        _ => {
            let value = setting.number()?;
            Box::new(move |report| report.isv_svn = value)
        }
    })
}

pub(super) fn bit(bits: &mut u64, mask: u64, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    set_bit(bits, mask, setting.boolean()?);
    Ok(())
}

fn set_bit(bits: &mut u64, mask: u64, value: bool) {
    *bits = if value { *bits | mask } else { *bits & !mask };
}

/// A name among the fields that nothing knows; a test sets every one of them.
pub(super) fn unhandled(tee: Tee, setting: &Setting<'_>) -> EmulatorError {
    EmulatorError::UnknownField { tee, name: setting.name.into(), known: String::new() }
}
