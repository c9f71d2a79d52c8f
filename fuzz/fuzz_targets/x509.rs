//! Any bytes as PEM, as a certificate and as a revocation list: no panic, and the same bytes read the same.
#![no_main]

use assay_x509::{Certificate, Crl, Der, split_pem};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let values = match split_pem(bytes) {
        Ok(values) => values,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    assert!(values.len() <= 16);
    for value in values {
        let (Der::Certificate(der) | Der::Crl(der) | Der::Unlabelled(der)) = value;
        if let Ok(certificate) = Certificate::from_der(&der) {
            let again = Certificate::from_der(&der).expect("it was read before");
            assert_eq!(certificate.fingerprint, again.fingerprint);
            // Whatever the answer is.
            let _ = certificate.signed.is_signed_by(&certificate.key);
        }
        if let Ok(list) = Crl::from_der(&der) {
            assert!(list.revoked.iter().all(|serial| serial.first() != Some(&0)));
        }
    }
});
