//! CoRIMs from any bytes: no panic, and what is read is written as something that is read as the same.
#![no_main]

use assay_corim::{CorimError, Document, Tag, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = read(bytes) else { return };
    let mut corim = document.corim().clone();
    // Triples of kinds that are not read are noted, not kept: where there are no others, nothing that
    // could be written is left.
    if corim.tags.iter().any(|tag| matches!(tag, Tag::Comid(comid) if comid.triples.is_empty())) {
        assert!(!corim.notes.is_empty());
        return;
    }
    let mut again = match read(&corim.encode_unsigned()) {
        Ok(Document::Unsigned(again)) => again,
        Ok(Document::Signed(_)) => panic!("an unsigned CoRIM became signed"),
        // The tag that was missing can be one level, item or byte too many.
        Err(CorimError::Cbor { .. }) => return,
        Err(error) => panic!("what was written is not read: {error}"),
    };
    corim.notes.clear();
    again.notes.clear();
    // Not a number is not equal to itself.
    if corim == corim.clone() {
        assert_eq!(corim, again);
    }
});
