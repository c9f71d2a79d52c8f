//! The stores of other programs, read and never written.
//!
//! What comes out is foreign: each value stands beside its key as it was found, or as the reason why it
//! cannot be had. Whether it may be taken is for the caller to say.

mod error;
pub mod trustee;

pub use error::{EntryError, ForeignError};

use assay_types::SecretBytes;

/// A key with its value, or why there is none. Values may be secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, as the other program knows it. Where the key itself cannot be read, what stands in its
    /// place, with replacement characters for what is no text.
    pub key: String,
    /// The value, or what is wrong with this one entry.
    pub value: Result<SecretBytes, EntryError>,
}
