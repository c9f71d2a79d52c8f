//! Messages to a guest from any bytes: no panic, and none decrypts that was not made for its key.
#![no_main]

use std::sync::LazyLock;

use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::Response;
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<Vec<DecryptionKey>> = LazyLock::new(|| {
    KeyAlgorithm::ALL.into_iter().map(|a| DecryptionKey::generate(a).expect("a key")).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = serde_json::from_slice::<Response>(bytes) else { return };
    for key in KEYS.iter() {
        assert!(key.decrypt(&message).is_err());
    }
});
