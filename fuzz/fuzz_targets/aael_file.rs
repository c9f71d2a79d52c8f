//! Any bytes as the agent's file of AAEL entries: reading never panics, what was read fills the file, and each entry
//! is written again as the same bytes.
#![no_main]

use assay_eventlog::{AaelEntry, Details, TcgAlgorithm, read_aael_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for algorithm in [TcgAlgorithm::Sha256, TcgAlgorithm::Sha384, TcgAlgorithm::Sha512] {
        let Ok(log) = read_aael_file(algorithm, bytes.to_vec()) else { continue };
        let mut again = Vec::new();
        for event in log.events() {
            let Details::Aael(text) = event.details() else { panic!("no AAEL entry") };
            let entry = AaelEntry::new(algorithm, event.index, &text).expect("what was read can be written");
            assert_eq!(event.digest(algorithm), Some(entry.digest.as_slice()));
            again.extend_from_slice(&entry.bytes);
        }
        assert_eq!(again, bytes);
    }
});
