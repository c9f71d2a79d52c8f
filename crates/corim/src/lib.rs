//! Concise reference integrity manifests: CoRIM and CoMID (draft-ietf-rats-corim), read strictly and
//! written.
//!
//! ```text
//! bytes ──read──▶ Document::Unsigned(Corim)
//!                 Document::Signed(SignedCorim { corim, message, meta, key })
//! Corim ──encode_unsigned / encode_signed──▶ bytes
//! ```
//! - Nothing is verified here: whose signature is needed, what a profile asks for, and whether the
//!   document is valid now is for the caller to judge.
//! - The subset is what profiles of attestation need: reference, endorsed, identity and attest-key
//!   triples. Tags and triples of other kinds are not read, and what is not read is listed in
//!   [`Corim::notes`]. Members that could narrow what a measurement or key means are kept
//!   ([`MeasurementValues::other`], [`KeyTriple::conditions`]), so that a profile can refuse them.
//! - Limits: 4 MiB, 24 levels, 1 048 576 items, 256 tags, 100 000 triples.

mod comid;
mod document;
mod entity;
mod environment;
mod error;
mod identifier;
mod manifest;
mod measurement;
mod member;
mod path;
mod signed;
mod validity;

pub use comid::{Comid, KeyTriple, MAX_MEASUREMENTS, MAX_TRIPLES, Triples, ValueTriple};
pub use document::{Document, read};
pub use entity::Entity;
pub use environment::{Class, Environment};
pub use error::CorimError;
pub use identifier::{CryptoKey, Identifier, Profile, TagId};
pub use manifest::{Corim, LIMITS, MAX_TAGS, Tag};
pub use measurement::{
    Digest, DigestAlgorithm, MAX_DIGESTS, MAX_KEYS, Measurement, MeasurementKey, MeasurementValues, RawValue,
    Version,
};
pub use member::Note;
pub use signed::{CONTENT_TYPE, KeyHint, MAX_CERTIFICATES, Meta, SignedCorim};
