//! Attestation results from any JSON: no panic, and what was read can be written and read again.
#![no_main]

use assay_token::{EarClaims, tee_public_key};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(claims) = serde_json::from_slice::<Value>(bytes) else { return };
    let _ = tee_public_key(&claims);
    let Ok(ear) = EarClaims::from_value(&claims) else { return };
    // A member that looks like one of ours, and that we do not know, is read and never written.
    let Ok(written) = serde_json::to_value(&ear) else { return };
    assert_eq!(EarClaims::from_value(&written).expect("what was written can be read"), ear);
});
