//! A file of endorsements, whatever its form.

use assay_corim::{Document, Note};
use assay_types::Validity;

use super::corim::not_used;
use super::{EndorsementError, NamedEndorsement, json_store, of_corim};

/// What a file endorses.
#[derive(Clone, Debug, PartialEq)]
pub struct EndorsementFile {
    /// The endorsements, one or more.
    pub endorsements: Vec<NamedEndorsement>,
    /// Whether it is signed.
    pub signature: SignatureState,
    /// When it is valid.
    pub validity: Validity,
    /// What was read differently from what stands there, or not at all.
    pub notes: Vec<Note>,
}

/// Whether a file is signed. Signatures are not checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureState {
    /// It is not.
    Unsigned,
    /// It is; whether the signature holds, and by whom it is, was not looked at.
    Unchecked {
        /// The signer's name by the document's own word.
        signer: String,
    },
}

/// Reads a CoRIM, or a JSON store of trust anchors (an array) or reference values (an object).
///
/// # Errors
/// [`EndorsementError`].
pub fn read_file(bytes: &[u8]) -> Result<EndorsementFile, EndorsementError> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let json = |endorsements| EndorsementFile {
        endorsements,
        signature: SignatureState::Unsigned,
        validity: Validity::ALWAYS,
        notes: Vec::new(),
    };
    // No CoRIM begins with one of these bytes, nor with white space.
    match first {
        Some(b'[') => return json_store::trust_anchors(bytes).map(json),
        Some(b'{') => return json_store::reference_values(bytes).map(json),
        _ => {}
    }
    let document = assay_corim::read(bytes)?;
    let signature = match &document {
        Document::Unsigned(_) => SignatureState::Unsigned,
        Document::Signed(signed) => SignatureState::Unchecked { signer: signed.meta.signer.clone() },
    };
    let endorsements = of_corim(document.corim(), None).map_err(EndorsementError::Profile)?;
    let validity = document.validity();
    let mut notes = document.corim().notes.clone();
    notes.extend(not_used(document.corim()));
    Ok(EndorsementFile { endorsements, signature, validity, notes })
}
