//! Guests' public keys from any JSON: no panic, whatever a guest sends to be encrypted to.
#![no_main]

use assay_token::jwe::{encrypt, read_tee_public_key};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    if let Ok(key) = read_tee_public_key(&value) {
        let _ = encrypt(&key, b"secret");
    }
});
