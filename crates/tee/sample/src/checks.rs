//! The catalogue of checks on sample evidence.

use assay_types::Check;

/// The evidence is the expected JSON, within its limits.
pub const STRUCTURE: Check = Check {
    code: "SAMPLE-001",
    name: "structure of the evidence",
    remedy: "send a JSON object with the strings svn and report_data (standard base64, with padding)",
    source: "Confidential Containers guest-components, sample attester",
};

/// The report data are the expected ones, byte for byte, without padding.
pub const REPORT_DATA: Check = Check {
    code: "SAMPLE-002",
    name: "report data",
    remedy: "make new evidence for the current nonce and key",
    source: "RCAR protocol, attestation; Trustee, sample verifier",
};

/// Init data are not bound by this TEE. Never made.
pub const INIT_DATA: Check = Check {
    code: "SAMPLE-003",
    name: "init data",
    remedy: "use a TEE that measures init data",
    source: "Trustee, sample verifier",
};

/// Nothing signs sample evidence. Never made.
pub const ORIGIN: Check = Check {
    code: "SAMPLE-004",
    name: "origin of the evidence",
    remedy: "use a hardware TEE wherever the answer matters",
    source: "Trustee, sample verifier",
};

/// Every check, in the order of its code.
pub const CATALOGUE: &[Check] = &[STRUCTURE, REPORT_DATA, INIT_DATA, ORIGIN];
