//! What evidence carries while an event is half done.

use std::fs;

use assay_attestation_agent::measurement::{MeasurementError, State, Step};

use crate::world::{Device, FailAt, FailSteps, Guest, event, event_in};

const NOSPC: i32 = 28;

#[test]
fn evidence_has_an_event_that_is_measured_and_cannot_be_written() {
    for step in [Step::LogWrite, Step::LogSync] {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open();
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
        drop(measurements);
        let (mut measurements, _) = guest.open_with(FailSteps(vec![step], NOSPC));
        let error = measurements.extend(&mut guest.registers, &event("b")).unwrap_err();
        assert!(matches!(error, MeasurementError::NotLogged { .. }), "{error}");
        assert_eq!(guest.replayed(measurements.log()), ["a", "b"]);
        // As often as evidence is asked for: there once, not once more with each.
        for _ in 0..3 {
            let error = measurements.settle(&mut guest.registers).unwrap_err();
            assert!(matches!(error, MeasurementError::Unsettled(_)), "{error}");
            assert_eq!(guest.replayed(measurements.log()), ["a", "b"]);
        }
    }
}

#[test]
fn settling_completes_what_failed_once() {
    // Every step, so that nothing is left whichever failed; the number of steps is that of the tests of failures.
    for at in 0..Step::ALL.len() - 1 {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open_with(FailAt::nth(at, NOSPC));
        measurements.extend(&mut guest.registers, &event("a")).ok();
        measurements.settle(&mut guest.registers).unwrap();
        assert!(matches!(measurements.state(), State::Ready), "{at}");
        assert!(!guest.wal_path().exists(), "{at}");
        assert_eq!(fs::read(guest.log_path()).unwrap(), measurements.log(), "{at}");
        guest.logged();
    }
}

#[test]
fn settling_says_what_still_fails_although_the_log_is_written() {
    for step in [Step::RegistersWrite, Step::RegistersSync, Step::RegistersRename, Step::WalRemove] {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open_with(FailSteps(vec![step], NOSPC));
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
        assert!(matches!(measurements.settle(&mut guest.registers), Err(MeasurementError::Unsettled(_))));
        assert!(guest.wal_path().exists());
        assert_eq!(guest.replayed(measurements.log()), ["a"], "{step:?}");
    }
}

#[test]
fn settling_decides_what_was_not_decided() {
    for (device, expected) in [
        (Device::Works, &["a", "b"][..]),
        (Device::FailsAfter, &["a", "b"]),
        (Device::Refuses, &["a"]),
        (Device::Lies, &["a"]),
    ] {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open();
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
        guest.registers.device.set(device);
        guest.registers.reads_until_failure.set(Some(1));
        measurements.extend(&mut guest.registers, &event("b")).unwrap_err();
        let error = measurements.settle(&mut guest.registers).unwrap_err();
        let MeasurementError::Unsettled(why) = error else { panic!("{error}") };
        assert!(matches!(*why, MeasurementError::Undecided { .. }), "{why}");
        guest.registers.reads_until_failure.set(None);
        measurements.settle(&mut guest.registers).unwrap();
        assert_eq!(guest.replayed(measurements.log()), expected, "{device:?}");
        assert_eq!(guest.logged(), expected, "{device:?}");
        assert!(!guest.wal_path().exists() && matches!(measurements.state(), State::Ready));
    }
}

#[test]
fn settling_finds_another_writer() {
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open_with(FailSteps(vec![Step::LogWrite], NOSPC));
    measurements.extend(&mut guest.registers, &event("a")).unwrap_err();
    guest.registers.extend_by(4, &[7; 48]);
    let error = measurements.settle(&mut guest.registers).unwrap_err();
    assert!(matches!(error, MeasurementError::RegisterChanged { register: "RTMR3", .. }), "{error}");
    assert!(matches!(measurements.state(), State::Broken { .. }));
}

#[test]
fn settling_with_nothing_half_done_does_nothing_and_mends_nothing() {
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open();
    guest.registers.reads_until_failure.set(Some(0));
    measurements.settle(&mut guest.registers).unwrap();
    guest.registers.reads_until_failure.set(None);
    measurements.extend(&mut guest.registers, &event_in(8, "a")).unwrap();
    // An event that is not decided, and at the next start another register that someone else extended.
    guest.registers.reads_until_failure.set(Some(1));
    measurements.extend(&mut guest.registers, &event("b")).unwrap_err();
    drop(measurements);
    guest.registers.reads_until_failure.set(None);
    guest.registers.extend_by(3, &[7; 48]);
    guest.registers.odd_hash.set(Some(4));
    let (mut measurements, _) = guest.open();
    guest.registers.odd_hash.set(None);
    measurements.settle(&mut guest.registers).unwrap();
    let State::Broken { why } = measurements.state() else { panic!("not broken") };
    assert!(why.contains("RTMR2"), "{why}");
}
