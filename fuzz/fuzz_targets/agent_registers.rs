//! Any bytes as the agent's file of register values: reading never panics, and what was read is written as the same
//! bytes. The digest at the end is put right first in every second input, so that what it guards is reached.
#![no_main]

use assay_attestation_agent::measurement::kept;
use assay_types::{Digest, HashAlgorithm};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = bytes.to_vec();
    if let Some((choice, rest)) = bytes.split_first()
        && choice % 2 == 1
    {
        file = [&b"ASSAYRG1"[..], rest].concat();
        let seal = Digest::sha256(&file);
        file.extend_from_slice(seal.as_bytes());
    }
    for algorithm in HashAlgorithm::ALL {
        if let Ok(registers) = kept::parse(algorithm, &file) {
            assert_eq!(kept::to_bytes(algorithm, &registers), file);
        }
    }
});
