//! What a remote reference value provider answers: sets in parts, and single values. Whatever is believed
//! has the digest that it came with, and nothing panics.
#![no_main]

use assay_reference_values::proto::assay_v1::SetPart;
use assay_reference_values::{MAX_VALUE_LEN, SetReader, read_value};
use assay_types::ReferenceValueSnapshot as _;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && read_value(text).is_ok()
    {
        assert!(text.len() <= 2 * MAX_VALUE_LEN);
    }
    let mut reader = SetReader::default();
    let mut digest = Vec::new();
    for piece in data.split(|byte| *byte == 0xff).take(8) {
        let Ok(part) = SetPart::decode(piece) else { return };
        digest.clone_from(&part.digest);
        if reader.add(part).is_err() {
            return;
        }
    }
    if let Ok(Some(set)) = reader.finish(&[]) {
        assert_eq!(set.digest().as_bytes(), digest);
    }
});
