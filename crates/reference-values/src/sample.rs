//! The message type `sample`: a JSON object, name to value, without a signature.

use crate::extractor::{Context, Extract, Extracted};
use crate::{MAX_DEPTH, ReferenceValueError, strict_json};

pub(crate) const NAME: &str = "sample";

/// The largest message of this type in bytes.
pub(crate) const MAX_MESSAGE: usize = 1 << 20;

/// What the names of endorsements begin with. They come with types of their own, which check what they
/// say and who says it.
const ENDORSEMENTS: [&str; 3] = ["cca/trust-anchor/", "cca/platform/", "cca/realm/"];

pub(crate) fn extract(payload: &[u8], _context: &Context<'_>) -> Extracted {
    let members = strict_json::object(payload, MAX_DEPTH)
        .map_err(|error| ReferenceValueError::Payload { kind: NAME, detail: error.to_string() })?;
    let endorsement = |name: &str| ENDORSEMENTS.iter().any(|prefix| name.starts_with(prefix));
    if let Some((name, _)) = members.iter().find(|(name, _)| endorsement(name)) {
        return Err(ReferenceValueError::ReservedName { name: name.chars().take(64).collect() });
    }
    Ok(Extract::of(members))
}
