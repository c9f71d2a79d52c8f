//! The registry of message types. A new type is one module and one line here.

use serde_json::Value;

use crate::{ReferenceValueError, sample};

/// Names and values, or what is wrong with the payload.
pub(crate) type Extracted = Result<Vec<(String, Value)>, ReferenceValueError>;

/// Reads the payload of one message type.
pub(crate) struct Extractor {
    /// The type's name in messages.
    pub(crate) name: &'static str,
    /// From the payload (base64 undone) to names and values. Limits on them are checked by the caller.
    pub(crate) extract: fn(payload: &[u8]) -> Extracted,
}

const EXTRACTORS: &[Extractor] = &[Extractor { name: sample::NAME, extract: sample::extract }];

/// The extractor for the type of that name.
pub(crate) fn find(name: &str) -> Result<&'static Extractor, ReferenceValueError> {
    EXTRACTORS.iter().find(|e| e.name == name).ok_or_else(|| {
        let known: Vec<&str> = EXTRACTORS.iter().map(|e| e.name).collect();
        ReferenceValueError::UnknownType { found: name.chars().take(64).collect(), known: known.join(", ") }
    })
}
