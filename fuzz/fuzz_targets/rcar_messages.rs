//! The messages of RCAR from any bytes: no panic; what was read can be written and read again; and
//! the texts that a digest is bound to come through unchanged.
#![no_main]

use assay_types::{
    Attestation, AttestationAnswer, Challenge, Digest, ErrorInformation, HashAlgorithm, Request,
    ResourcePath, Response, TeePubKey, additional_runtime_data, canonical_digest, primary_runtime_data,
};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads, writes and reads again.
fn twice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<(T, T)> {
    let first: T = serde_json::from_slice(bytes).ok()?;
    let text = serde_json::to_vec(&first).expect("what was read can be written");
    let second = serde_json::from_slice(&text).expect("what was written can be read");
    Some((first, second))
}

fuzz_target!(|bytes: &[u8]| {
    if let Some((first, second)) = twice::<Request>(bytes) {
        assert_eq!((first.version, first.tee), (second.version, second.tee));
    }
    if let Some((first, second)) = twice::<Challenge>(bytes) {
        assert_eq!(first.nonce, second.nonce);
    }
    if let Some((first, second)) = twice::<Attestation>(bytes) {
        assert_eq!(first.init_data, second.init_data);
        let (a, b) = (&first.tee_evidence, &second.tee_evidence);
        assert_eq!(a.primary_evidence.get(), b.primary_evidence.get());
        assert_eq!(a.additional_evidence, b.additional_evidence);
        let data = &first.runtime_data;
        for value in [primary_runtime_data(data, &a.additional_evidence), additional_runtime_data(data)] {
            let digest = canonical_digest(&value, HashAlgorithm::Sha384);
            assert_eq!(digest.ok(), canonical_digest(&value, HashAlgorithm::Sha384).ok());
        }
    }
    if let Some((first, second)) = twice::<TeePubKey>(bytes) {
        assert_eq!(first, second);
    }
    if let Some((first, second)) = twice::<Response>(bytes) {
        assert_eq!(first, second);
    }
    if let Some((first, second)) = twice::<AttestationAnswer>(bytes) {
        assert_eq!(first, second);
    }
    let _ = twice::<ErrorInformation>(bytes);

    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(path) = text.parse::<ResourcePath>() {
            assert_eq!(path.as_str(), text);
            assert!(path.segments().iter().all(|s| !s.starts_with('.')));
        }
        if let Ok(digest) = text.parse::<Digest>() {
            assert_eq!(digest.to_string().parse::<Digest>().as_ref(), Ok(&digest));
        }
    }
});
