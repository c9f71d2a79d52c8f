//! The message types `cca-trust-anchors` and `cca-reference-values`: the JSON stores of rust-ccatoken
//! and Trustee. Nobody signs them.

use assay_tee_cca::endorsement::{EndorsementError, NamedEndorsement, json_store};

use crate::ReferenceValueError;
use crate::extractor::{Context, Extract, Extracted, named_values};

pub(crate) const TRUST_ANCHORS: &str = "cca-trust-anchors";
pub(crate) const REFERENCE_VALUES: &str = "cca-reference-values";

/// What decides whether evidence is genuine is taken from an unsigned file only where unsigned CoRIMs
/// are taken too.
pub(crate) fn trust_anchors(payload: &[u8], context: &Context<'_>) -> Extracted {
    if !context.trust.allow_unsigned {
        return Err(ReferenceValueError::Unsigned { what: "a JSON store of trust anchors" });
    }
    extract(json_store::trust_anchors(payload))
}

pub(crate) fn reference_values(payload: &[u8], _context: &Context<'_>) -> Extracted {
    extract(json_store::reference_values(payload))
}

fn extract(read: Result<Vec<NamedEndorsement>, EndorsementError>) -> Extracted {
    Ok(Extract::of(named_values(&read?)))
}
