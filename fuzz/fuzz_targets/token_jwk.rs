//! Public keys from any text: no panic, and what was read can be written and read again.
#![no_main]

use assay_token::{Jwk, JwkSet, VerifyingKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = Jwk::from_json(text) {
        let written = serde_json::to_string(&key).expect("what was read can be written");
        assert_eq!(Jwk::from_json(&written).expect("what was written can be read"), key);
        assert_eq!(key.thumbprint().len(), 43);
        let _ = VerifyingKey::new(&key);
    }
    if let Ok(set) = JwkSet::from_json(text) {
        let written = serde_json::to_string(&set).expect("what was read can be written");
        assert_eq!(JwkSet::from_json(&written).expect("what was written can be read"), set);
    }
});
