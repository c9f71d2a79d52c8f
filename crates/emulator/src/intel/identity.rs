//! Identities of quoting enclaves, version 2 (Intel PCS API v4, "Get Quoting Enclave Identity").

use serde::Serialize;

/// Which quoting enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// That of SGX quotes.
    Qe,
    /// That of TDX quotes.
    TdQe,
}

impl IdentityKind {
    /// The id in the JSON: `QE`, `TD_QE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            IdentityKind::Qe => "QE",
            IdentityKind::TdQe => "TD_QE",
        }
    }

    /// The product id of the enclave.
    pub const fn isv_prod_id(self) -> u16 {
        match self {
            IdentityKind::Qe => 1,
            IdentityKind::TdQe => 2,
        }
    }

    /// The version of an enclave that is up to date.
    pub const fn isv_svn(self) -> u16 {
        match self {
            IdentityKind::Qe => 8,
            IdentityKind::TdQe => 4,
        }
    }
}

/// What a quoting enclave must be. Dates and hexadecimal digits are texts so that wrong ones can be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `QE` or `TD_QE`.
    pub id: String,
    /// The version of the structure, 2.
    pub version: u64,
    /// When it was made, RFC 3339.
    pub issue_date: String,
    /// When the next one is due, RFC 3339.
    pub next_update: String,
    /// The number of the evaluation.
    pub tcb_evaluation_data_number: u64,
    /// MISCSELECT, 8 hexadecimal digits in the order of the report's bytes.
    pub miscselect: String,
    /// Which of its bits count.
    pub miscselect_mask: String,
    /// ATTRIBUTES, 32 hexadecimal digits in the order of the report's bytes.
    pub attributes: String,
    /// Which of their bits count.
    pub attributes_mask: String,
    /// MRSIGNER, 64 hexadecimal digits.
    pub mrsigner: String,
    /// ISVPRODID.
    pub isvprodid: u64,
    /// The levels, the best first.
    pub tcb_levels: Vec<EnclaveTcbLevel>,
}

/// A level of an enclave or of a TDX module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnclaveTcbLevel {
    /// The version that it needs.
    pub tcb: EnclaveTcb,
    /// The date up to which it has all mitigations, RFC 3339.
    pub tcb_date: String,
    /// What it is worth.
    pub tcb_status: String,
    /// The advisories against it; left out where there are none.
    #[serde(rename = "advisoryIDs", skip_serializing_if = "Option::is_none")]
    pub advisory_ids: Option<Vec<String>>,
}

/// The version that a level needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EnclaveTcb {
    /// The least ISVSVN.
    pub isvsvn: u64,
}

impl EnclaveTcbLevel {
    pub(super) fn new(isvsvn: u16, date: &str, status: &str, advisories: &[&str]) -> Self {
        EnclaveTcbLevel {
            tcb: EnclaveTcb { isvsvn: isvsvn.into() },
            tcb_date: date.into(),
            tcb_status: status.into(),
            advisory_ids: advisory_list(advisories),
        }
    }
}

/// The member `advisoryIDs`: nothing rather than an empty list.
pub(super) fn advisory_list(advisories: &[&str]) -> Option<Vec<String>> {
    (!advisories.is_empty()).then(|| advisories.iter().map(|id| (*id).to_owned()).collect())
}
