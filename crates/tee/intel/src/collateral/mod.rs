//! Intel's collateral: what it is, how it is asked for, and whether it is genuine.

mod document;
mod envelope;
mod import;
mod inspector;
mod json;
mod needed;
pub(crate) mod pieces;
mod qe_identity;
mod requests;
mod tcb_info;
mod v3;

pub use document::{BadDocument, Verdict};
pub use import::{NotCollateral, split_collateral};
pub use inspector::IntelInspector;
pub use json::BadJson;
pub use needed::needed;
pub use qe_identity::{EnclaveId, QeIdentity};
pub use requests::{
    MAX_COLLATERAL_LEN, PckCa, PlatformIds, UpdateChannel, pck_certificate_request, pck_crl_request,
    qe_identity_request, root_crl_request, tcb_info_request,
};
pub use tcb_info::{IsvSvnLevel, TcbInfo, TcbLevel, TdxModule, TdxModuleIdentity};
