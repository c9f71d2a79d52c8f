//! Any bytes as the header with an issuer chain: no panic; what is read is short, printable, and reads the
//! same once more when it has no percent sign.
#![no_main]

use assay_collateral::decode_issuer_chain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match decode_issuer_chain(bytes) {
        Ok(text) => {
            assert!(text.len() <= 16 << 10 && text.len() <= bytes.len());
            assert!(text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\r')));
            if !text.contains('%') {
                assert_eq!(decode_issuer_chain(text.as_bytes()), Ok(text));
            }
        }
        Err(why) => assert!(!why.is_empty()),
    }
});
