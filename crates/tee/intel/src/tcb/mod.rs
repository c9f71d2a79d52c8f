//! How new a platform is: the levels of Intel's documents that it reaches, and the status that follows
//! (Intel PCS API v4, Get TCB Info; Intel quote verification library, evaluation of the TCB).
//!
//! All functions are pure. They ask neither who signed the documents nor whether they are in force.

mod evaluation;
mod levels;
mod status;

pub use evaluation::{Part, TcbEvaluation, TcbInputs};
pub use status::TcbStatus;

/// The TCB of a platform, from its PCK certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformTcb {
    /// The versions of the 16 SGX components.
    pub components: [u8; 16],
    /// PCESVN.
    pub pce_svn: u16,
}

/// What a quote says of the TDX module under a TD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdTcb {
    /// TEE_TCB_SVN at the TD's launch: byte 0 the module's security version, byte 1 its version.
    pub tee_tcb_svn: [u8; 16],
    /// TEE_TCB_SVN2: the same, now (TD 1.5).
    pub tee_tcb_svn2: Option<[u8; 16]>,
    /// MRSIGNERSEAM.
    pub mrsigner_seam: [u8; 48],
    /// SEAMATTRIBUTES, in the order of the quote.
    pub seam_attributes: [u8; 8],
}

/// What the report of the quoting enclave says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QeReport {
    /// MRSIGNER.
    pub mr_signer: [u8; 32],
    /// ISVPRODID.
    pub isv_prod_id: u16,
    /// ISVSVN.
    pub isv_svn: u16,
    /// MISCSELECT, little endian in the report.
    pub misc_select: u32,
    /// ATTRIBUTES, 16 bytes in the order of the report.
    pub attributes: [u8; 16],
}
