//! The fields of SGX evidence, named as in Trustee's claims.

use assay_types::{ReportData, Tee};

use super::fields::{bit, unhandled, with_shared};
use super::guest::IntelGuest;
use super::report::{EnclaveReport, attributes};
use crate::EmulatorError;
use crate::set::{Field, Setting};

/// Every field.
pub(crate) const FIELDS: &[Field] = with_shared! {
    "qe_svn": "version of the quoting enclave in the header, 16 bits; default 8",
    "header.pce_svn": "version of the provisioning certification enclave in the header, 16 bits; default 13",
    "report.cpu_svn": "CPUSVN in the report, 16 bytes in hexadecimal; follows the platform unless set",
    "misc_select": "MISCSELECT, 32 bits; default 0",
    "attributes.flags": "flags, 64 bits; default 0x5",
    "attributes.debug": "debugging is allowed: true or false (default)",
    "attributes.mode64bit": "64 bits: true (default) or false",
    "attributes.provision_key": "the provisioning key is available: true or false (default)",
    "attributes.einittoken_key": "the launch key is available: true or false (default)",
    "attributes.kss": "key separation and sharing: true or false (default)",
    "attributes.xfrm": "extended features, 64 bits; default 0xe7",
    "mr_enclave": "measurement, 32 bytes in hexadecimal",
    "mr_signer": "signer, 32 bytes in hexadecimal",
    "isv_prod_id": "product, 16 bits; default 1",
    "isv_svn": "version, 16 bits; default 1",
    "isv_ext_prod_id": "extended product, 16 bytes in hexadecimal; default zeros",
    "isv_family_id": "family, 16 bytes in hexadecimal; default zeros",
    "config_id": "configuration, 64 bytes in hexadecimal; default the digest of the init data",
    "config_svn": "version of the configuration, 16 bits; default 0",
    "report_data": "report data, at most 64 bytes in hexadecimal, zeros fill up on the right",
};

pub(super) fn apply(
    guest: IntelGuest<'static>,
    setting: &Setting<'_>,
) -> Result<IntelGuest<'static>, EmulatorError> {
    let mut outcome = Ok(());
    let guest = match setting.name {
        "qe_svn" => {
            let value = setting.number()?;
            guest.header(|header| header.qe_svn = value)
        }
        "header.pce_svn" => {
            let value = setting.number()?;
            guest.header(|header| header.pce_svn = value)
        }
        _ => guest.enclave_report(|report| outcome = report_field(report, setting)),
    };
    outcome.map(|()| guest)
}

fn report_field(report: &mut EnclaveReport, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    match setting.name {
        "report.cpu_svn" => report.cpu_svn = setting.bytes()?,
        "misc_select" => report.misc_select = setting.number()?,
        "attributes.flags" => report.flags = setting.number()?,
        "attributes.debug" => bit(&mut report.flags, attributes::SGX_DEBUG, setting)?,
        "attributes.mode64bit" => bit(&mut report.flags, attributes::SGX_MODE64, setting)?,
        "attributes.provision_key" => bit(&mut report.flags, attributes::SGX_PROVISION_KEY, setting)?,
        "attributes.einittoken_key" => bit(&mut report.flags, attributes::SGX_EINIT_TOKEN_KEY, setting)?,
        "attributes.kss" => bit(&mut report.flags, attributes::SGX_KSS, setting)?,
        "attributes.xfrm" => report.xfrm = setting.number()?,
        "mr_enclave" => report.mr_enclave = setting.bytes()?,
        "mr_signer" => report.mr_signer = setting.bytes()?,
        "isv_prod_id" => report.isv_prod_id = setting.number()?,
        "isv_svn" => report.isv_svn = setting.number()?,
        "isv_ext_prod_id" => report.isv_ext_prod_id = setting.bytes()?,
        "isv_family_id" => report.isv_family_id = setting.bytes()?,
        "config_id" => report.config_id = setting.bytes()?,
        "config_svn" => report.config_svn = setting.number()?,
        "report_data" => {
            report.report_data = *ReportData::padded(&setting.some_bytes(64)?)?.as_bytes();
        }
        _ => return Err(unhandled(Tee::Sgx, setting)),
    }
    Ok(())
}
