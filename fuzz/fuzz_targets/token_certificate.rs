//! Certificates from any bytes, as a configuration or a token's header brings them: no panic.
#![no_main]

use assay_token::{TokenVerifier, TrustedKeys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    let _ = TokenVerifier::new(TrustedKeys { certificates: vec![der.to_vec()], ..TrustedKeys::default() });
});
