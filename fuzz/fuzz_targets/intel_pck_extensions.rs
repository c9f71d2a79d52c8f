//! Any bytes as the extension of PCK certificates: no panic, and what is read is bounded.
#![no_main]

use assay_tee_intel::PckExtensions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match PckExtensions::from_der(bytes) {
        Ok(read) => {
            // A platform instance id and its configuration may be absent; nothing else may.
            assert!(bytes.len() > 300);
            assert!(read.unknown.len() <= 3 * 64);
        }
        Err(e) => assert!(!e.member.is_empty() && !e.problem.is_empty()),
    }
});
