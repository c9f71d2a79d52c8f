//! COSE_Sign1, COSE_Key and CBOR: no panic; CBOR that is read is written and read again.
#![no_main]

use assay_cbor::{Limits, diagnostic, pretty, read};
use assay_cose::{PublicKey, Sign1};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(value) = read(data, Limits::DEFAULT) {
        let text = diagnostic(&value);
        let again = read(&value.encode(), Limits::DEFAULT);
        assert_eq!(again.map(|value| diagnostic(&value)), Ok(text));
        let _ = pretty(&value, &|_, _| None);
    }
    if let Ok(message) = Sign1::read(data) {
        let _ = message.algorithm();
        if let Ok(key) = PublicKey::from_cose_key(message.payload()) {
            assert!(message.verify(&key).is_err() || message.algorithm().is_ok());
        }
    }
    if let Ok(key) = PublicKey::from_cose_key(data) {
        assert_eq!(PublicKey::from_cose_key(&key.to_cose_key()), Ok(key));
    }
    let _ = (PublicKey::from_spki(data), PublicKey::from_certificate(data));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = PublicKey::from_pem(text);
        if let Ok(jwk) = serde_json::from_str(text)
            && let Ok(key) = PublicKey::from_jwk(&jwk)
        {
            assert_eq!(PublicKey::from_jwk(&key.to_jwk()), Ok(key));
        }
    }
});
