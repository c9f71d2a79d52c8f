//! The message type `corim`: a CoRIM that follows one of Arm's CCA profiles, signed by one of the
//! configured signers.

use assay_corim::{Document, read};
use assay_tee_cca::endorsement::{EndorsementError, Origin, of_corim};

use crate::ReferenceValueError;
use crate::extractor::{Context, Extract, Extracted, named_values};

pub(crate) const NAME: &str = "corim";

/// Reads a message's payload.
pub(crate) fn extract(payload: &[u8], context: &Context<'_>) -> Extracted {
    extract_as(payload, None, context)
}

/// Reads a CoRIM of the profile that the transport names, if it names one: form, signature, validity,
/// then the rules of the profile.
pub(crate) fn extract_as(bytes: &[u8], profile: Option<&str>, context: &Context<'_>) -> Extracted {
    let document = read(bytes).map_err(EndorsementError::from)?;
    let signer = match &document {
        Document::Unsigned(_) if context.trust.allow_unsigned => assay_types::Validity::ALWAYS,
        Document::Unsigned(_) => return Err(ReferenceValueError::Unsigned { what: "the CoRIM" }),
        Document::Signed(signed) => context.trust.check(signed, context.now)?,
    };
    let stated = document.validity();
    if !stated.contains(context.now) {
        let what = "the CoRIM";
        return Err(ReferenceValueError::NotValidNow { what, validity: stated, now: context.now });
    }
    let corim = document.corim();
    let endorsements = of_corim(corim, profile).map_err(EndorsementError::Profile)?;
    Ok(Extract {
        values: named_values(&endorsements),
        not_after: Some(stated.intersect(signer).not_after),
        replaces: Some(Origin::mark_of_corim(&corim.id)),
        notes: corim.notes.iter().map(ToString::to_string).collect(),
    })
}
