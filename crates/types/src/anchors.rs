//! The file of trust anchors that an emulator writes and a verifier admits by a danger option.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Tee;

/// The value of [`AnchorsFile::format`].
pub const ANCHORS_FORMAT: &str = "assay-trust-anchors-v1";

/// Public trust anchors, one entry for each TEE. Each TEE's crate says what its entry holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorsFile {
    /// Always [`ANCHORS_FORMAT`].
    pub format: String,
    /// Always true so far: the anchors are not a vendor's, and results that rest on them say so.
    pub emulated: bool,
    /// What made them, for people.
    pub description: String,
    /// By TEE name.
    pub anchors: BTreeMap<Tee, Value>,
}

/// A text that is not a file of trust anchors.
#[derive(Debug, thiserror::Error)]
pub enum NotAnchors {
    /// It is not the expected JSON.
    #[error("not a file of trust anchors: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of another format.
    #[error("the file of trust anchors has the format {found:?}, expected {ANCHORS_FORMAT:?}")]
    Format {
        /// The format found.
        found: String,
    },
}

impl AnchorsFile {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// [`NotAnchors`] when it is anything else; unknown members are refused.
    pub fn from_json(text: &[u8]) -> Result<Self, NotAnchors> {
        let file: AnchorsFile = serde_json::from_slice(text)?;
        if file.format == ANCHORS_FORMAT { Ok(file) } else { Err(NotAnchors::Format { found: file.format }) }
    }
}
