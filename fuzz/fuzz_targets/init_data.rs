//! Init data from any text: no panic, and the digest is over exactly the text that came in.
#![no_main]

use assay_types::{InitData, InitDataMessage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let read = InitData::from_toml(text);
    if let Ok(read) = &read {
        assert_eq!(read.digest, read.digest.algorithm().digest(text.as_bytes()));
    }
    let message = InitDataMessage { format: "toml".to_owned(), body: text.to_owned() };
    assert_eq!(InitData::from_message(&message), read);
});
