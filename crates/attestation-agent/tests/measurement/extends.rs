//! What is measured, where, and what is not.

use assay_attestation_agent::measurement::{
    MeasurementError, MeasurementSettings, Measurements, Recovered, State,
};
use assay_attester::AttesterError;
use assay_eventlog::{TcgAlgorithm, read_aael_file};
use assay_types::{Coded, Fault};

use crate::world::{Guest, event, event_in};

#[test]
fn the_published_entry_to_the_byte() {
    let mut guest = Guest::new();
    let (mut measurements, recovered) = guest.open();
    assert!(matches!(recovered, Recovered::Nothing));
    measurements.extend(&mut guest.registers, &event("content")).unwrap();
    assert_eq!(
        hex::encode(measurements.log()),
        "0400000006000000010000000c00\
         dad5f0e226318ffa9839b75a472c6aa7fdb5834949d0a0a22990cf04d5692440fb00f3aa0609db7e49cd8d793f670d02\
         200000004c45414118000000646f6d61696e206f7065726174696f6e20636f6e74656e74"
    );
    assert_eq!(std::fs::read(guest.log_path()).unwrap(), measurements.log());
    assert_eq!(guest.logged(), ["content"]);
}

#[test]
fn the_index_in_the_log_is_that_of_the_register_that_is_extended() {
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open();
    for (pcr, content) in [(8, "a"), (17, "b"), (8, "c")] {
        measurements.extend(&mut guest.registers, &event_in(pcr, content)).unwrap();
    }
    let log = read_aael_file(TcgAlgorithm::Sha384, measurements.log().to_vec()).unwrap();
    assert_eq!(log.events().map(|event| event.index).collect::<Vec<_>>(), [3, 4, 3]);
    assert_eq!(guest.logged(), ["a", "b", "c"]);
}

#[test]
fn the_default_register_can_be_set() {
    let mut guest = Guest::new();
    let settings = MeasurementSettings { default_pcr: 8, ..guest.settings() };
    let (mut measurements, _) = Measurements::open(settings, &mut guest.registers).unwrap();
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    assert_eq!(measurements.log()[0], 3);
    guest.logged();
}

#[test]
fn the_log_goes_on_after_a_restart() {
    let mut guest = Guest::new();
    for content in ["a", "b", "c"] {
        let (mut measurements, recovered) = guest.open();
        assert!(matches!(recovered, Recovered::Nothing));
        measurements.extend(&mut guest.registers, &event(content)).unwrap();
        assert!(matches!(measurements.state(), State::Ready));
    }
    assert_eq!(guest.logged(), ["a", "b", "c"]);
}

#[test]
fn what_is_refused_leaves_no_trace() {
    let mut guest = Guest::new();
    let settings = MeasurementSettings { max_event_bytes: 40, ..guest.settings() };
    let (mut measurements, _) = Measurements::open(settings, &mut guest.registers).unwrap();
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    let before = (guest.registers.value(4), measurements.log().to_vec());
    let error = measurements.extend(&mut guest.registers, &event("a\nb")).unwrap_err();
    assert!(matches!(error, MeasurementError::Event { part: "content", .. }), "{error}");
    // `domain operation ` has 17 bytes.
    let error = measurements.extend(&mut guest.registers, &event("x".repeat(24))).unwrap_err();
    assert!(matches!(error, MeasurementError::EventTooLong { found: 41, max: 40 }), "{error}");
    let error = measurements.extend(&mut guest.registers, &event_in(264, "a")).unwrap_err();
    assert!(
        matches!(error, MeasurementError::Attester(AttesterError::NoSuchRegister { pcr: 264, .. })),
        "{error}"
    );
    assert_eq!(before, (guest.registers.value(4), measurements.log().to_vec()));
    measurements.extend(&mut guest.registers, &event("x".repeat(23))).unwrap();
    assert_eq!(guest.logged().len(), 2);
}

#[test]
fn a_full_log_takes_no_more_and_is_still_read() {
    let mut guest = Guest::new();
    // An entry of the content `a` has 92 bytes.
    let settings = MeasurementSettings { max_log_bytes: 2 * 92, ..guest.settings() };
    let (mut measurements, _) = Measurements::open(settings, &mut guest.registers).unwrap();
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    let error = measurements.extend(&mut guest.registers, &event("bb")).unwrap_err();
    assert!(matches!(error, MeasurementError::LogFull { needed: 185, max: 184 }), "{error}");
    // Not as if trying again helped.
    assert_eq!(error.fault(), Fault::Unprocessable);
    assert!(error.to_string().contains("until the guest starts anew"), "{error}");
    measurements.extend(&mut guest.registers, &event("b")).unwrap();
    drop(measurements);
    let settings = MeasurementSettings { max_log_bytes: 1, ..guest.settings() };
    let (mut measurements, _) = Measurements::open(settings, &mut guest.registers).unwrap();
    assert!(measurements.extend(&mut guest.registers, &event("c")).is_err());
    assert_eq!(guest.logged(), ["a", "b"]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let mut guest = Guest::new();
    let settings = MeasurementSettings { max_event_bytes: 0, ..guest.settings() };
    let error = Measurements::open(settings, &mut guest.registers).unwrap_err();
    assert!(matches!(error, MeasurementError::Setting { key: "max_event_bytes", .. }), "{error}");
}
