//! The sample TEE, which needs no silicon.

use assay_tee_sample::Evidence;
use assay_types::{Tee, TooLong};
use serde_json::{Value, json};

use crate::EmulatorError;
use crate::set::{Field, settings};

/// Every field, named as in the JSON of the evidence.
pub(crate) const FIELDS: &[Field] = &[
    Field { name: "svn", meaning: "security version number, text; default 1" },
    Field { name: "report_data", meaning: "report data, at most 4096 bytes in hexadecimal" },
    Field { name: "launch_digest", meaning: "launch digest, text; default abcde" },
    Field { name: "platform_version.major", meaning: "32 bits; default 1" },
    Field { name: "platform_version.minor", meaning: "32 bits; default 4" },
    Field { name: "debug", meaning: "whether the guest can be debugged: true or false (default)" },
];

pub(crate) fn evidence(report_data: &[u8], set: &[(String, String)]) -> Result<Value, EmulatorError> {
    let max = Evidence::MAX_REPORT_DATA_LEN;
    if report_data.len() > max {
        return Err(TooLong { what: "report data", found: report_data.len(), max }.into());
    }
    let mut evidence = Evidence::new(report_data);
    for setting in settings(Tee::Sample, FIELDS, set)? {
        match setting.name {
            "svn" => evidence.svn = setting.text()?.into(),
            "report_data" => evidence.report_data = setting.some_bytes(max)?,
            "launch_digest" => evidence.launch_digest = setting.text()?.into(),
            "platform_version.major" => evidence.platform_version.major = setting.number()?,
            "platform_version.minor" => evidence.platform_version.minor = setting.number()?,
            _ => evidence.debug = setting.boolean()?,
        }
    }
    Ok(json!(evidence))
}
