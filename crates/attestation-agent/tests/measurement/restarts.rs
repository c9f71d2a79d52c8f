//! What a start finds of the registers as the last agent left them.

use std::fs;

use assay_attestation_agent::measurement::{MeasurementError, Recovered, State, Step};

use crate::world::{FailSteps, Guest, event, event_in};

/// A guest whose agent measured an event in RTMR3 and one in RTMR2, and ended.
fn after_two_events() -> Guest {
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open();
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    measurements.extend(&mut guest.registers, &event_in(8, "b")).unwrap();
    guest
}

#[test]
fn someone_else_extends_a_register_between_two_starts() {
    for (index, name) in [(4, "RTMR3"), (3, "RTMR2")] {
        let mut guest = after_two_events();
        let ours = hex::encode(guest.registers.value(index));
        guest.registers.extend_by(index, &[7; 48]);
        let theirs = guest.registers.value(index);
        // It does not wear off with the starts, and nothing is extended.
        for _ in 0..3 {
            let (mut measurements, recovered) = guest.open();
            let Recovered::Broken(error) = recovered else { panic!("{recovered:?}") };
            let MeasurementError::RegisterChanged { register, expected, found } = &error else {
                panic!("{error}")
            };
            assert_eq!((*register, expected, found), (name, &ours, &hex::encode(&theirs)));
            let State::Broken { why } = measurements.state().clone() else { panic!("not broken") };
            assert_eq!(why, error.to_string());
            for event in [event("c"), event_in(8, "c")] {
                let error = measurements.extend(&mut guest.registers, &event).unwrap_err();
                assert!(matches!(error, MeasurementError::Broken { .. }), "{error}");
            }
        }
        assert_eq!(guest.registers.value(index), theirs);
    }
}

#[test]
fn a_register_without_our_events_may_change() {
    let mut guest = after_two_events();
    guest.registers.extend_by(2, &[7; 48]);
    guest.start[1] = guest.registers.value(2);
    let (mut measurements, recovered) = guest.open();
    assert!(matches!(recovered, Recovered::Nothing), "{recovered:?}");
    measurements.extend(&mut guest.registers, &event("c")).unwrap();
    assert_eq!(guest.logged(), ["a", "b", "c"]);
}

#[test]
fn a_register_that_cannot_be_read_at_the_start_is_compared_at_its_next_event() {
    let mut guest = after_two_events();
    guest.registers.reads_until_failure.set(Some(0));
    let (mut measurements, recovered) = guest.open();
    assert!(matches!(recovered, Recovered::Nothing), "{recovered:?}");
    guest.registers.reads_until_failure.set(None);
    measurements.extend(&mut guest.registers, &event("c")).unwrap();
    guest.registers.extend_by(3, &[7; 48]);
    let error = measurements.extend(&mut guest.registers, &event_in(8, "d")).unwrap_err();
    assert!(matches!(error, MeasurementError::RegisterChanged { register: "RTMR2", .. }), "{error}");
}

#[test]
fn one_register_that_cannot_be_read_hides_no_other() {
    let mut guest = after_two_events();
    guest.registers.odd_hash.set(Some(3));
    guest.registers.extend_by(4, &[7; 48]);
    let (_, recovered) = guest.open();
    assert!(
        matches!(recovered, Recovered::Broken(MeasurementError::RegisterChanged { register: "RTMR3", .. })),
        "{recovered:?}"
    );
}

#[test]
fn another_register_changes_while_an_event_is_half_done() {
    let mut guest = after_two_events();
    let (mut measurements, _) = guest.open_with(FailSteps(vec![Step::LogWrite], 28));
    measurements.extend(&mut guest.registers, &event("c")).unwrap_err();
    drop(measurements);
    guest.registers.extend_by(3, &[7; 48]);
    // The event is completed at the first start; what is wrong stays wrong at the second.
    for _ in 0..2 {
        let (measurements, recovered) = guest.open();
        assert!(
            matches!(
                recovered,
                Recovered::Broken(MeasurementError::RegisterChanged { register: "RTMR2", .. })
            ),
            "{recovered:?}"
        );
        assert_eq!(measurements.log(), fs::read(guest.log_path()).unwrap());
        assert!(!guest.wal_path().exists());
    }
}

#[test]
fn without_the_file_it_is_the_first_start() {
    let mut guest = after_two_events();
    fs::remove_file(guest.kept_path()).unwrap();
    let (mut measurements, recovered) = guest.open();
    assert!(matches!(recovered, Recovered::Nothing), "{recovered:?}");
    measurements.extend(&mut guest.registers, &event("c")).unwrap();
    assert_eq!(guest.logged(), ["a", "b", "c"]);
    assert!(guest.kept_path().exists());
}

#[test]
fn a_file_that_is_not_as_it_was_written_ends_measuring_and_nothing_is_touched() {
    let len = fs::read(after_two_events().kept_path()).unwrap().len();
    let cuts = [0, 7, 8, 40, len - 1].map(|keep| (keep, None));
    for (keep, flipped) in cuts.into_iter().chain([(len, Some(0)), (len, Some(20)), (len, Some(len - 1))]) {
        let mut guest = after_two_events();
        // With an event half done, too: its record stays.
        let (mut measurements, _) = guest.open_with(FailSteps(vec![Step::LogWrite], 28));
        measurements.extend(&mut guest.registers, &event("c")).unwrap_err();
        drop(measurements);
        let mut kept = fs::read(guest.kept_path()).unwrap();
        kept.truncate(keep);
        if let Some(place) = flipped {
            kept[place] ^= 1;
        }
        fs::write(guest.kept_path(), &kept).unwrap();
        let record = fs::read(guest.wal_path()).unwrap();
        let value = guest.registers.value(4);
        for _ in 0..2 {
            let (mut measurements, recovered) = guest.open();
            let Recovered::Broken(MeasurementError::Broken { why }) = recovered else {
                panic!("{recovered:?}")
            };
            assert!(why.contains("/.registers: "), "{why}");
            let error = measurements.extend(&mut guest.registers, &event("d")).unwrap_err();
            assert!(matches!(error, MeasurementError::Broken { .. }), "{error}");
        }
        assert_eq!(guest.registers.value(4), value);
        assert_eq!(fs::read(guest.kept_path()).unwrap(), kept);
        assert_eq!(fs::read(guest.wal_path()).unwrap(), record);
    }
}

/// Its record says what its register may hold; what is kept is only one of the two.
#[test]
fn the_register_of_an_event_that_is_not_decided_yet_is_not_taken_for_changed() {
    let mut guest = after_two_events();
    let (mut measurements, _) = guest.open();
    guest.registers.reads_until_failure.set(Some(1));
    measurements.extend(&mut guest.registers, &event("c")).unwrap_err();
    drop(measurements);
    guest.registers.reads_until_failure.set(None);
    guest.registers.next_read_fails.set(true);
    let (mut measurements, recovered) = guest.open();
    assert!(matches!(recovered, Recovered::Unsettled(MeasurementError::Undecided { .. })), "{recovered:?}");
    measurements.settle(&mut guest.registers).unwrap();
    assert_eq!(guest.replayed(measurements.log()), ["a", "b", "c"]);
    assert_eq!(guest.logged(), ["a", "b", "c"]);
}
