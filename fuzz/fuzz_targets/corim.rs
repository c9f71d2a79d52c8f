//! CoRIMs from any bytes: no panic, and what is read is written as something that is read as the same.
#![no_main]

use assay_corim::{Document, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = read(bytes) else { return };
    let mut corim = document.corim().clone();
    let again = read(&corim.encode_unsigned()).expect("what was written is read");
    let Document::Unsigned(mut again) = again else { panic!("an unsigned CoRIM became signed") };
    corim.notes.clear();
    again.notes.clear();
    // Not a number is not equal to itself.
    if corim == corim.clone() {
        assert_eq!(corim, again);
    }
});
