//! Any bytes as the agent's write-ahead log: reading never panics, and what was read is written as the same bytes. The
//! digest at the end is put right first in every second input, so that what it guards is reached.
#![no_main]

use assay_attestation_agent::measurement::wal::Wal;
use assay_types::Digest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut record = bytes.to_vec();
    if let Some((choice, rest)) = bytes.split_first()
        && choice % 2 == 1
    {
        record = [&b"ASSAYWL1"[..], rest].concat();
        let seal = Digest::sha256(&record);
        record.extend_from_slice(seal.as_bytes());
    }
    if let Ok(wal) = Wal::parse(&record) {
        assert_eq!(wal.to_bytes(), record);
        assert_ne!(wal.before(), wal.after());
        assert!(!wal.entry().is_empty());
    }
});
