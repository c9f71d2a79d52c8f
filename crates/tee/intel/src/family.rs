//! The two families of TEEs that Intel's collateral is about.

use std::fmt;

use assay_types::Tee;

/// Which TEE a quote or a piece of collateral is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Enclaves.
    Sgx,
    /// Trust domains.
    Tdx,
}

impl Family {
    /// The TEE whose evidence it is.
    pub const fn tee(self) -> Tee {
        match self {
            Family::Sgx => Tee::Sgx,
            Family::Tdx => Tee::Tdx,
        }
    }

    /// The name in paths of the service: `sgx`, `tdx`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Family::Sgx => "sgx",
            Family::Tdx => "tdx",
        }
    }

    /// The member `id` of its TCB info: `SGX`, `TDX`.
    pub const fn tcb_info_id(self) -> &'static str {
        match self {
            Family::Sgx => "SGX",
            Family::Tdx => "TDX",
        }
    }

    /// The member `id` of the identity of its quoting enclave: `QE`, `TD_QE`.
    pub const fn qe_identity_id(self) -> &'static str {
        match self {
            Family::Sgx => "QE",
            Family::Tdx => "TD_QE",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tcb_info_id())
    }
}
