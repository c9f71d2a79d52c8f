//! The fields of SNP evidence that can be set by text.
//!
//! What is set is what the emulated silicon is: the certificate of the endorsement key follows the
//! report's TCB version and chip id, so the evidence stays genuine, and it is the policy's task to
//! refuse it. Fields that begin with `cert.` make the certificate differ from the silicon.

use assay_tee_snp::evidence::{FirmwareVersion, Report, TcbVersion, platform, policy};
use assay_tee_snp::{KeyKind, Product};
use assay_types::{ReportData, Tee};

use super::guest::{Certificates, Guest};
use super::oid;
use super::silicon::SnpSilicon;
use crate::EmulatorError;
use crate::set::{Field, Setting, settings};

macro_rules! fields {
    ($($name:literal: $meaning:literal,)*) => {
        &[$(Field { name: $name, meaning: $meaning }),*]
    };
}

/// Every field, named as in the JSON of the report.
pub(crate) const FIELDS: &[Field] = fields! {
    "product": "product line: milan (default), genoa, turin",
    "signer": "key that signs the report: vcek (default), vlek",
    "version": "version of the report; 3 is the default, 2 to 5 have a meaning",
    "guest_svn": "security version number of the guest, 32 bits",
    "policy": "guest policy, 64 bits; default 0x30000",
    "policy.abi_major": "least major version of the firmware ABI, 8 bits",
    "policy.abi_minor": "least minor version of the firmware ABI, 8 bits",
    "policy.smt": "simultaneous multithreading is allowed: true (default) or false",
    "policy.migrate_ma": "a migration agent is allowed: true or false (default)",
    "policy.debug": "debugging is allowed: true or false (default)",
    "policy.single_socket": "one socket only: true or false (default)",
    "policy.cxl_allow": "CXL is allowed: true or false (default)",
    "policy.mem_aes_256_xts": "AES-256-XTS is required: true or false (default)",
    "policy.rapl_dis": "running average power limit must be off: true or false (default)",
    "policy.ciphertext_hiding": "ciphertext hiding is required: true or false (default)",
    "policy.page_swap_disable": "page swapping is disabled: true or false (default)",
    "family_id": "family id, 16 bytes in hexadecimal",
    "image_id": "image id, 16 bytes in hexadecimal",
    "vmpl": "privilege level that asked for the report, 32 bits; default 0",
    "sig_algo": "signature algorithm, 32 bits; default 1",
    "plat_info": "platform information, 64 bits; default 0x25",
    "plat_info.smt_en": "simultaneous multithreading is on: true (default) or false",
    "plat_info.tsme_en": "transparent memory encryption is on: true or false (default)",
    "plat_info.ecc_en": "memory has error correction: true (default) or false",
    "plat_info.rapl_dis": "running average power limit is off: true or false (default)",
    "plat_info.ciphertext_hiding_en": "ciphertext hiding is on: true or false (default)",
    "plat_info.alias_check_complete": "no aliasing addresses were found: true (default) or false",
    "plat_info.tio_en": "trusted I/O is on: true or false (default)",
    "key_info": "which key signed, and what is masked, 32 bits; follows signer unless set",
    "report_data": "report data, at most 64 bytes in hexadecimal, zeros fill up on the right",
    "measurement": "launch measurement, 48 bytes in hexadecimal",
    "host_data": "host data, 32 bytes in hexadecimal; default the digest of the init data",
    "id_key_digest": "digest of the ID key, 48 bytes in hexadecimal",
    "author_key_digest": "digest of the author key, 48 bytes in hexadecimal",
    "report_id": "id of the guest, 32 bytes in hexadecimal",
    "report_id_ma": "id of the migration agent, 32 bytes in hexadecimal",
    "chip_id": "id of the chip, 64 bytes in hexadecimal; zeros hide it",
    "cpuid_fam_id": "combined family of CPUID, 8 bits; follows product unless set",
    "cpuid_mod_id": "combined model of CPUID, 8 bits; follows product unless set",
    "cpuid_step": "stepping of CPUID, 8 bits; follows product unless set",
    "reported_tcb.fmc": "TCB version of the silicon, 8 bits, Turin only; the other three follow unless set",
    "reported_tcb.bootloader": "TCB version of the silicon, 8 bits; the other three follow unless set",
    "reported_tcb.tee": "TCB version of the silicon, 8 bits; the other three follow unless set",
    "reported_tcb.snp": "TCB version of the silicon, 8 bits; the other three follow unless set",
    "reported_tcb.microcode": "TCB version of the silicon, 8 bits; the other three follow unless set",
    "current_tcb.fmc": "TCB version now running, 8 bits, Turin only",
    "current_tcb.bootloader": "TCB version now running, 8 bits",
    "current_tcb.tee": "TCB version now running, 8 bits",
    "current_tcb.snp": "TCB version now running, 8 bits",
    "current_tcb.microcode": "TCB version now running, 8 bits",
    "committed_tcb.fmc": "committed TCB version, 8 bits, Turin only",
    "committed_tcb.bootloader": "committed TCB version, 8 bits",
    "committed_tcb.tee": "committed TCB version, 8 bits",
    "committed_tcb.snp": "committed TCB version, 8 bits",
    "committed_tcb.microcode": "committed TCB version, 8 bits",
    "launch_tcb.fmc": "TCB version at launch, 8 bits, Turin only",
    "launch_tcb.bootloader": "TCB version at launch, 8 bits",
    "launch_tcb.tee": "TCB version at launch, 8 bits",
    "launch_tcb.snp": "TCB version at launch, 8 bits",
    "launch_tcb.microcode": "TCB version at launch, 8 bits",
    "current.major": "firmware now running, 8 bits",
    "current.minor": "firmware now running, 8 bits",
    "current.build": "firmware now running, 8 bits",
    "committed.major": "committed firmware, 8 bits",
    "committed.minor": "committed firmware, 8 bits",
    "committed.build": "committed firmware, 8 bits",
    "launch_mit_vector": "mitigations at launch, 64 bits, report version 5 only",
    "current_mit_vector": "mitigations now, 64 bits, report version 5 only",
    "certs": "certificates that come along: none, vek, chain (default: VCEK or VLEK with its ASK or ASVK), full (with the ARK)",
    "crl": "revocation list that comes along: none (default), present (revokes nothing), revoked (revokes the ASK or ASVK)",
    "cert.tcb.fmc": "TCB version in the certificate, 8 bits, Turin only",
    "cert.tcb.bootloader": "TCB version in the certificate, 8 bits",
    "cert.tcb.tee": "TCB version in the certificate, 8 bits",
    "cert.tcb.snp": "TCB version in the certificate, 8 bits",
    "cert.tcb.microcode": "TCB version in the certificate, 8 bits",
    "cert.hwid": "hardware id in the certificate, at most 64 bytes in hexadecimal",
    "cert.product_name": "product name in the certificate, text",
    "cert.csp_id": "cloud provider in the certificate, text",
    "cert.serial": "serial number of the certificate, 64 bits; default 0",
    "cert.not_before": "first moment of the certificate's validity, RFC 3339",
    "cert.not_after": "last moment of the certificate's validity, RFC 3339",
};

/// A guest with these report data and host data, and what is set.
pub(crate) fn guest(
    silicon: &SnpSilicon,
    report_data: ReportData,
    host_data: [u8; 32],
    set: &[(String, String)],
) -> Result<Guest<'static>, EmulatorError> {
    let settings = settings(Tee::Snp, FIELDS, set)?;
    let find = |name| settings.iter().find(|setting| setting.name == name);
    // First what decides the defaults of all the rest.
    let product = match find("product") {
        Some(setting) => setting.one_of(&[
            ("milan", Product::Milan),
            ("genoa", Product::Genoa),
            ("turin", Product::Turin),
        ])?,
        None => Product::Milan,
    };
    let mut guest = silicon.guest(product);
    if let Some(setting) = find("signer") {
        guest = guest.signed_by(setting.one_of(&[("vcek", KeyKind::Vcek), ("vlek", KeyKind::Vlek)])?);
    }
    if let Some(setting) = find("version") {
        guest = guest.version(setting.number()?);
    }
    guest = guest.report(|report| {
        report.report_data = *report_data.as_bytes();
        report.host_data = host_data;
    });
    // Then the silicon's TCB version, because three others follow it; then the rest as it comes.
    let (silicon_tcb, rest): (Vec<&Setting<'_>>, Vec<&Setting<'_>>) =
        settings.iter().partition(|setting| setting.name.starts_with("reported_tcb."));
    for setting in silicon_tcb.into_iter().chain(rest) {
        guest = apply(guest, product, setting)?;
    }
    Ok(guest)
}

fn apply(
    mut guest: Guest<'static>,
    product: Product,
    setting: &Setting<'_>,
) -> Result<Guest<'static>, EmulatorError> {
    match setting.name {
        "product" | "signer" | "version" => Ok(guest),
        "certs" => {
            let certificates = setting.one_of(&[
                ("none", Certificates::None),
                ("vek", Certificates::Vek),
                ("chain", Certificates::Chain),
                ("full", Certificates::Full),
            ])?;
            Ok(guest.certificates(certificates))
        }
        "crl" => {
            match setting.one_of(&[("none", None), ("present", Some(false)), ("revoked", Some(true))])? {
                None => Ok(guest),
                Some(false) => Ok(guest.crl(|_| {})),
                Some(true) => Ok(guest.revoke_authority()),
            }
        }
        name if name.starts_with("cert.") => certificate(guest, product, setting),
        _ => {
            let mut outcome = Ok(());
            guest = guest.report(|report| outcome = report_field(report, product, setting));
            outcome.map(|()| guest)
        }
    }
}

fn certificate(
    guest: Guest<'static>,
    product: Product,
    setting: &Setting<'_>,
) -> Result<Guest<'static>, EmulatorError> {
    let component = match setting.name {
        "cert.tcb.fmc" if product != Product::Turin => return Err(no_fmc(setting)),
        "cert.tcb.fmc" => oid::FMC,
        "cert.tcb.bootloader" => oid::BOOTLOADER,
        "cert.tcb.tee" => oid::TEE,
        "cert.tcb.snp" => oid::SNP,
        "cert.tcb.microcode" => oid::MICROCODE,
        "cert.hwid" => {
            let id = setting.some_bytes(64)?;
            return Ok(guest.vek(move |c| c.set_extension(oid::HARDWARE_ID, id)));
        }
        "cert.product_name" => {
            let name = setting.text()?.to_owned();
            return Ok(guest.vek(move |c| c.set_text(oid::PRODUCT_NAME, &name)));
        }
        "cert.csp_id" => {
            let name = setting.text()?.to_owned();
            return Ok(guest.vek(move |c| c.set_text(oid::CSP_ID, &name)));
        }
        "cert.serial" => {
            let serial = setting.number()?;
            return Ok(guest.vek(move |c| c.serial = serial));
        }
        "cert.not_before" => {
            let time = setting.time()?;
            return Ok(guest.vek(move |c| c.validity.not_before = time));
        }
        "cert.not_after" => {
            let time = setting.time()?;
            return Ok(guest.vek(move |c| c.validity.not_after = time));
        }
        _ => return Err(unhandled(setting)),
    };
    let version: u8 = setting.number()?;
    Ok(guest.vek(move |c| c.set_number(component, version.into())))
}

fn report_field(r: &mut Report, product: Product, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    match setting.name {
        "guest_svn" => r.guest_svn = setting.number()?,
        "policy" => r.policy = setting.number()?,
        "policy.abi_minor" => r.policy = r.policy & !0xff | u64::from(setting.number::<u8>()?),
        "policy.abi_major" => r.policy = r.policy & !0xff00 | u64::from(setting.number::<u8>()?) << 8,
        "policy.smt" => bit(&mut r.policy, policy::SMT, setting)?,
        "policy.migrate_ma" => bit(&mut r.policy, policy::MIGRATE_MA, setting)?,
        "policy.debug" => bit(&mut r.policy, policy::DEBUG, setting)?,
        "policy.single_socket" => bit(&mut r.policy, policy::SINGLE_SOCKET, setting)?,
        "policy.cxl_allow" => bit(&mut r.policy, policy::CXL_ALLOW, setting)?,
        "policy.mem_aes_256_xts" => bit(&mut r.policy, policy::MEM_AES_256_XTS, setting)?,
        "policy.rapl_dis" => bit(&mut r.policy, policy::RAPL_DIS, setting)?,
        "policy.ciphertext_hiding" => bit(&mut r.policy, policy::CIPHERTEXT_HIDING, setting)?,
        "policy.page_swap_disable" => bit(&mut r.policy, policy::PAGE_SWAP_DISABLE, setting)?,
        "family_id" => r.family_id = setting.bytes()?,
        "image_id" => r.image_id = setting.bytes()?,
        "vmpl" => r.vmpl = setting.number()?,
        "sig_algo" => r.sig_algo = setting.number()?,
        "plat_info" => r.plat_info = setting.number()?,
        "plat_info.smt_en" => bit(&mut r.plat_info, platform::SMT_EN, setting)?,
        "plat_info.tsme_en" => bit(&mut r.plat_info, platform::TSME_EN, setting)?,
        "plat_info.ecc_en" => bit(&mut r.plat_info, platform::ECC_EN, setting)?,
        "plat_info.rapl_dis" => bit(&mut r.plat_info, platform::RAPL_DIS, setting)?,
        "plat_info.ciphertext_hiding_en" => bit(&mut r.plat_info, platform::CIPHERTEXT_HIDING_EN, setting)?,
        "plat_info.alias_check_complete" => bit(&mut r.plat_info, platform::ALIAS_CHECK_COMPLETE, setting)?,
        "plat_info.tio_en" => bit(&mut r.plat_info, platform::TIO_EN, setting)?,
        "key_info" => r.key_info = setting.number()?,
        "report_data" => {
            let bytes = setting.some_bytes(64)?;
            r.report_data = *ReportData::padded(&bytes)?.as_bytes();
        }
        "measurement" => r.measurement = setting.bytes()?,
        "host_data" => r.host_data = setting.bytes()?,
        "id_key_digest" => r.id_key_digest = setting.bytes()?,
        "author_key_digest" => r.author_key_digest = setting.bytes()?,
        "report_id" => r.report_id = setting.bytes()?,
        "report_id_ma" => r.report_id_ma = setting.bytes()?,
        "chip_id" => r.chip_id = setting.bytes()?,
        "cpuid_fam_id" => r.cpuid_fam_id = Some(setting.number()?),
        "cpuid_mod_id" => r.cpuid_mod_id = Some(setting.number()?),
        "cpuid_step" => r.cpuid_step = Some(setting.number()?),
        "launch_mit_vector" => r.launch_mit_vector = Some(setting.number()?),
        "current_mit_vector" => r.current_mit_vector = Some(setting.number()?),
        name => match name.split_once('.') {
            Some(("reported_tcb", part)) => {
                for version in
                    [&mut r.reported_tcb, &mut r.current_tcb, &mut r.committed_tcb, &mut r.launch_tcb]
                {
                    tcb(version, part, product, setting)?;
                }
            }
            Some(("current_tcb", part)) => tcb(&mut r.current_tcb, part, product, setting)?,
            Some(("committed_tcb", part)) => tcb(&mut r.committed_tcb, part, product, setting)?,
            Some(("launch_tcb", part)) => tcb(&mut r.launch_tcb, part, product, setting)?,
            Some(("current", part)) => firmware(&mut r.current, part, setting)?,
            Some(("committed", part)) => firmware(&mut r.committed, part, setting)?,
            _ => return Err(unhandled(setting)),
        },
    }
    Ok(())
}

fn bit(bits: &mut u64, mask: u64, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    *bits = if setting.boolean()? { *bits | mask } else { *bits & !mask };
    Ok(())
}

fn tcb(
    version: &mut TcbVersion,
    part: &str,
    product: Product,
    setting: &Setting<'_>,
) -> Result<(), EmulatorError> {
    let value = setting.number()?;
    match part {
        "fmc" if product == Product::Turin => version.fmc = Some(value),
        "fmc" => return Err(no_fmc(setting)),
        "bootloader" => version.bootloader = value,
        "tee" => version.tee = value,
        "snp" => version.snp = value,
        "microcode" => version.microcode = value,
        _ => return Err(unhandled(setting)),
    }
    Ok(())
}

fn firmware(version: &mut FirmwareVersion, part: &str, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    let value = setting.number()?;
    match part {
        "major" => version.major = value,
        "minor" => version.minor = value,
        "build" => version.build = value,
        _ => return Err(unhandled(setting)),
    }
    Ok(())
}

fn no_fmc(setting: &Setting<'_>) -> EmulatorError {
    setting.bad("product=turin beside it: no other product has an FMC")
}

/// A name in [`FIELDS`] that nothing above knows; a test sets every one of them.
fn unhandled(setting: &Setting<'_>) -> EmulatorError {
    EmulatorError::UnknownField { tee: Tee::Snp, name: setting.name.into(), known: String::new() }
}
