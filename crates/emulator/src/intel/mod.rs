//! Emulated Intel silicon: TDX and SGX quotes, event logs, and what the vendor publishes about the platform.
//!
//! - [`IntelSilicon`] has the keys; its [`IntelSilicon::td`] and [`IntelSilicon::enclave`] begin a quote.
//! - [`Collateral`] is everything that the provisioning certification service (PCS) would say, as
//!   templates that can be changed one by one; [`Collateral::answer`] says it.

mod boot;
mod build;
mod certificate;
mod certification;
mod collateral;
mod crl;
mod event_log;
mod evidence;
mod fields;
mod guest;
mod identity;
mod level;
pub mod oid;
mod pck;
mod pcs;
mod quote;
mod report;
mod sgx_fields;
mod shape;
mod signed_json;
mod silicon;
mod tcb_info;
mod tdx_fields;

pub use boot::{Boot, DEFAULT_COMMAND_LINE};
pub use certificate::{CertificateTemplate, Name, pem, pem_chain};
pub use certification::Certification;
pub use collateral::{Channel, Collateral};
pub use crl::{CrlTemplate, RevokedCertificate};
pub use event_log::{Event, EventLog, algorithm, event_type, index};
pub use evidence::IntelEvidence;
pub(crate) use fields::{SGX_FIELDS, TDX_FIELDS, guest};
pub use guest::IntelGuest;
pub use identity::{EnclaveTcb, EnclaveTcbLevel, Identity, IdentityKind};
pub use level::TcbLevelName;
pub use pck::{Configuration, PckCa, Platform, SgxExtension};
pub use pcs::{PcsAnswer, PcsRequest};
pub use quote::{INTEL_QE_VENDOR_ID, QuoteHeader, QuoteSignature};
pub use report::{Body, EnclaveReport, TdExtension, TdReport, attributes};
pub use shape::{AUTHORITY_VALIDITY, COLLATERAL_VALIDITY, thirty_days};
pub use signed_json::{AfterSigning, IssuedJson, SignedJson};
pub use silicon::{IntelSilicon, Role};
pub use tcb_info::{TcbComponent, TcbInfo, TcbLevel, TcbLevelTcb, TdxModule, TdxModuleIdentity};
