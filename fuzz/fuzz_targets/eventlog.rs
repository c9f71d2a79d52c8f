//! Any bytes as an event log: parsing, replay, claims and boot components never panic, the bound and the
//! unbound events part the log, and what was read is read again as the same without its end.
#![no_main]

use assay_eventlog::{EventLog, TcgAlgorithm, boot_claims, event_claims, unbound_event_claims};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = EventLog::parse(bytes.to_vec()) else { return };
    for algorithm in [TcgAlgorithm::Sha256, TcgAlgorithm::Sha384, TcgAlgorithm::Sha512] {
        let registers = log.replay(algorithm).expect("the algorithm is computed here");
        let bound: Vec<_> = log.bound(algorithm, 1..=4).collect();
        assert!(bound.iter().all(|event| registers.value(event.index).iter().any(|byte| *byte != 0)));
        let unbound: Vec<_> = log.unbound(algorithm, 1..=4).collect();
        assert_eq!(bound.len() + unbound.len(), log.events().len());
        let components = log.boot_components(algorithm, 1..=3).expect("the algorithm is computed here");
        assert!(components.len() <= bound.len());
        boot_claims(&components, algorithm);
        event_claims(bound, algorithm);
        unbound_event_claims(unbound, algorithm);
    }
    assert!(log.replay(TcgAlgorithm::Sm3).is_err());
    let again = EventLog::parse(log.without_end()).expect("the events are read again");
    assert_eq!(again.events().len(), log.events().len());
});
