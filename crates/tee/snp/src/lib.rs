//! AMD SEV-SNP evidence: parsing, verification, claims.
//!
//! ```text
//! bytes ──evidence──▶ SnpEvidence ──verify(collateral, anchors, now, binding)──▶ Authenticated
//! ```
//! [`SnpVerifier`] implements [`assay_types::Verifier`]. It does no I/O: it names the certificates
//! it lacks ([`collateral`]), and the caller brings them. Every check has a code ([`CHECKS`]).
//!
//! The formats are those of AMD's documents 56860 (SEV-SNP firmware ABI), 57230 (VCEK certificate
//! and KDS interface) and 56421 (GHCB), and of Trustee's evidence in JSON.

mod anchors;
#[cfg(feature = "attester")]
pub mod attest;
mod byte_array;
mod certificate_table;
mod chain;
pub mod checks;
mod claims;
pub mod collateral;
pub mod evidence;
mod extensions;
mod plain_json;
mod presented;
mod product;
mod report;
mod report_bytes;
mod roots;
mod settings;
mod tcb;
mod verify;

pub use anchors::{AnchorsError, SnpAnchors};
pub use checks::CHECKS;
pub use product::{KeyKind, Product};
pub use settings::{CrlPolicy, SnpSettings, VmplPolicy};
pub use verify::SnpVerifier;
