//! TCB info, version 3 (Intel PCS API v4, "Get TCB Info"). Members stand in Intel's order.

use serde::Serialize;

/// The TCB info of a kind of platform. Dates are texts so that a wrong one can be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbInfo {
    /// `SGX` or `TDX`.
    pub id: String,
    /// The version of the structure, 3.
    pub version: u64,
    /// When it was made, RFC 3339.
    pub issue_date: String,
    /// When the next one is due, RFC 3339.
    pub next_update: String,
    /// The kind of platform, 12 hexadecimal digits.
    pub fmspc: String,
    /// The id of the provisioning certification enclave, 4 hexadecimal digits.
    pub pce_id: String,
    /// How levels are compared; 0.
    pub tcb_type: u64,
    /// The number of the evaluation.
    pub tcb_evaluation_data_number: u64,
    /// The TDX module where no identity is for its version; TDX only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tdx_module: Option<TdxModule>,
    /// The TDX modules by version; TDX only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tdx_module_identities: Option<Vec<TdxModuleIdentity>>,
    /// The levels, the best first.
    pub tcb_levels: Vec<TcbLevel>,
}

/// What a TDX module must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModule {
    /// MRSIGNERSEAM, 96 hexadecimal digits; zeros for Intel's module.
    pub mrsigner: String,
    /// SEAMATTRIBUTES, 16 hexadecimal digits.
    pub attributes: String,
    /// Which bits of the attributes count, 16 hexadecimal digits.
    pub attributes_mask: String,
}

/// What a TDX module of one version must be, and its levels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModuleIdentity {
    /// `TDX_` and the version in two hexadecimal digits.
    pub id: String,
    /// As in [`TdxModule`].
    pub mrsigner: String,
    /// As in [`TdxModule`].
    pub attributes: String,
    /// As in [`TdxModule`].
    pub attributes_mask: String,
    /// The levels, the best first.
    pub tcb_levels: Vec<super::identity::EnclaveTcbLevel>,
}

/// A level of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbLevel {
    /// The versions that it needs.
    pub tcb: TcbLevelTcb,
    /// The date up to which it has all mitigations, RFC 3339.
    pub tcb_date: String,
    /// What it is worth: `UpToDate`, `SWHardeningNeeded` and so on.
    pub tcb_status: String,
    /// The advisories against it; left out where there are none.
    #[serde(rename = "advisoryIDs", skip_serializing_if = "Option::is_none")]
    pub advisory_ids: Option<Vec<String>>,
}

/// The versions that a level needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TcbLevelTcb {
    /// The 16 components of SGX.
    pub sgxtcbcomponents: Vec<TcbComponent>,
    /// The version of the provisioning certification enclave.
    pub pcesvn: u64,
    /// The 16 components of TDX; TDX only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tdxtcbcomponents: Option<Vec<TcbComponent>>,
}

/// One component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TcbComponent {
    /// The least version.
    pub svn: u64,
    /// Who updates it: `BIOS`, `OS/VMM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What it is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}
