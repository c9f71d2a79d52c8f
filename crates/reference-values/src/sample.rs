//! The message type `sample`: a JSON object, name to value, without a signature.

use crate::extractor::Extracted;
use crate::{MAX_DEPTH, MAX_VALUES, ReferenceValueError, strict_json};

pub(crate) const NAME: &str = "sample";

pub(crate) fn extract(payload: &[u8]) -> Extracted {
    let members = strict_json::object(payload, MAX_DEPTH)
        .map_err(|error| ReferenceValueError::Payload { kind: NAME, detail: error.to_string() })?;
    if members.len() > MAX_VALUES {
        return Err(ReferenceValueError::TooMany { limit: MAX_VALUES, found: members.len() });
    }
    Ok(members)
}
