//! A PKCS#11 token.
//!
//! A resource is a data object (`CKO_DATA`) of the token, private, with
//!
//! | attribute | value |
//! |---|---|
//! | `CKA_LABEL` | the whole resource path |
//! | `CKA_APPLICATION` | `assay:<version>`, the version in decimal digits |
//! | `CKA_VALUE` | the bytes, as they are |
//!
//! A write makes the object of the next version and then removes those before, so that a reader always
//! finds one; of several the highest version counts. Objects that others made are read as well: data
//! objects of another application, and secret keys (`CKO_SECRET_KEY`) with the path as their label whose
//! value can be read, which is how Trustee's plugin stores resources.

mod backend;
mod error;
mod objects;
mod token;

pub use backend::{Pkcs11Backend, Pkcs11Settings};
pub use error::Pkcs11Error;
