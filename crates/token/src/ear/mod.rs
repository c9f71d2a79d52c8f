//! Attestation results: EAT Attestation Results (EAR) with AR4SI trust vectors, and what Assay adds under
//! names of its own (`ear.assay.…`). One [`EarClaims`] has several spellings: the dialects of
//! [`EarDialect`] as JSON, and a form in CBOR (the module `cwt`).

mod accept;
mod claims;
mod dialect;
mod form;
mod nonce;
mod read;

pub use claims::{Appraised, EarClaims, InDialect, Submodule, VerifierId};
pub use dialect::{EarDialect, TRUSTEE_PROFILE};
pub(crate) use dialect::{dotted, underscored};
pub use form::{EarEncoding, EarForm, EarMedia, NotAcceptable};
pub(crate) use nonce::decode_either;
