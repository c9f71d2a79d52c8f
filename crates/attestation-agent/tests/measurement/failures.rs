//! Devices and disks that fail, and others who extend our register.

use std::fs;

use assay_attestation_agent::measurement::wal::Wal;
use assay_attestation_agent::measurement::{MeasurementError, Measurements, Recovered, State, Step};
use assay_eventlog::{Aael, AaelEntry, TcgAlgorithm};
use assay_types::{Digest, HashAlgorithm};

use crate::world::{Device, FailAt, FailSteps, Guest, event, event_in};

const NOSPC: i32 = 28;
const IO: i32 = 5;

fn ready(measurements: &Measurements) -> bool {
    matches!(measurements.state(), State::Ready)
}

#[test]
fn a_device_that_refuses_measures_nothing_and_the_next_event_is_measured() {
    for device in [Device::Refuses, Device::Lies] {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open();
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
        guest.registers.device.set(device);
        let error = measurements.extend(&mut guest.registers, &event("b")).unwrap_err();
        assert!(matches!(error, MeasurementError::NotExtended { register: "RTMR3", .. }), "{error}");
        assert!(error.to_string().contains("nothing was measured"), "{error}");
        assert!(!guest.wal_path().exists() && ready(&measurements));
        measurements.extend(&mut guest.registers, &event("c")).unwrap();
        assert_eq!(guest.logged(), ["a", "c"]);
    }
}

#[test]
fn a_device_that_fails_after_it_extended_has_measured() {
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open();
    guest.registers.device.set(Device::FailsAfter);
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    assert_eq!(guest.logged(), ["a"]);
}

#[test]
fn what_cannot_be_decided_is_decided_by_the_next_call_or_start() {
    for (device, restart, expected) in [
        (Device::Works, false, &["a", "b", "c"][..]),
        (Device::Works, true, &["a", "b", "c"]),
        (Device::FailsAfter, true, &["a", "b", "c"]),
        (Device::Refuses, false, &["a", "c"]),
        (Device::Refuses, true, &["a", "c"]),
    ] {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open();
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
        guest.registers.device.set(device);
        guest.registers.reads_until_failure.set(Some(1));
        let error = measurements.extend(&mut guest.registers, &event("b")).unwrap_err();
        assert!(matches!(error, MeasurementError::Undecided { .. }), "{error}");
        assert!(matches!(measurements.state(), State::Unsettled { .. }));
        // While it cannot be read nothing else is measured.
        let error = measurements.extend(&mut guest.registers, &event("x")).unwrap_err();
        assert!(matches!(error, MeasurementError::Unsettled(_)), "{error}");
        if restart {
            drop(measurements);
            let (mut opened, recovered) = guest.open();
            assert!(matches!(recovered, Recovered::Unsettled(_)), "{recovered:?}");
            assert!(opened.extend(&mut guest.registers, &event("x")).is_err());
            drop(opened);
            guest.registers.reads_until_failure.set(None);
            let (opened, recovered) = guest.open();
            match expected.len() {
                3 => assert!(matches!(recovered, Recovered::Completed), "{recovered:?}"),
                _ => assert!(matches!(recovered, Recovered::Dropped), "{recovered:?}"),
            }
            measurements = opened;
        }
        guest.registers.reads_until_failure.set(None);
        measurements.extend(&mut guest.registers, &event("c")).unwrap();
        assert_eq!(guest.logged(), expected, "{device:?} {restart}");
        assert!(ready(&measurements));
    }
}

#[test]
fn a_register_that_cannot_be_read_at_first_is_not_extended() {
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open();
    guest.registers.reads_until_failure.set(Some(0));
    let error = measurements.extend(&mut guest.registers, &event("a")).unwrap_err();
    assert!(matches!(error, MeasurementError::Attester(_)), "{error}");
    guest.registers.reads_until_failure.set(None);
    guest.registers.odd_hash.set(Some(4));
    let error = measurements.extend(&mut guest.registers, &event("a")).unwrap_err();
    assert!(matches!(error, MeasurementError::WrongValue { found: "sha256", .. }), "{error}");
    guest.registers.odd_hash.set(None);
    assert!(ready(&measurements) && !guest.wal_path().exists());
    measurements.extend(&mut guest.registers, &event("b")).unwrap();
    assert_eq!(guest.logged(), ["b"]);
}

#[test]
fn a_disk_that_is_full_before_the_register_is_extended() {
    for step in [Step::WalCreate, Step::WalWrite, Step::WalSync, Step::WalNameSync] {
        for (code, full) in [(NOSPC, true), (IO, false)] {
            let mut guest = Guest::new();
            let (mut measurements, _) = guest.open_with(FailSteps(vec![step], code));
            let error = measurements.extend(&mut guest.registers, &event("a")).unwrap_err();
            assert_eq!(matches!(error, MeasurementError::DiskFull { .. }), full, "{error}");
            assert_eq!(matches!(error, MeasurementError::File { .. }), !full, "{error}");
            assert!(error.to_string().ends_with("nothing was measured"), "{error}");
            assert!(!guest.wal_path().exists() && ready(&measurements), "{step:?}");
            assert_eq!(guest.logged(), [""; 0]);
        }
    }
}

#[test]
fn a_record_that_can_be_neither_written_nor_removed_is_removed_later() {
    for step in [Step::WalWrite, Step::WalSync, Step::WalNameSync] {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open_with(FailSteps(vec![step, Step::WalRemove], NOSPC));
        assert!(measurements.extend(&mut guest.registers, &event("a")).is_err());
        assert!(guest.wal_path().exists());
        let error = measurements.extend(&mut guest.registers, &event("b")).unwrap_err();
        assert!(matches!(error, MeasurementError::Unsettled(_)), "{error}");
        drop(measurements);
        let (mut measurements, recovered) = guest.open();
        assert!(matches!(recovered, Recovered::Torn | Recovered::Dropped), "{recovered:?}");
        measurements.extend(&mut guest.registers, &event("c")).unwrap();
        assert_eq!(guest.logged(), ["c"]);
    }
}

#[test]
fn a_log_that_cannot_be_written_is_completed_by_the_next_call_or_start() {
    for step in [Step::LogWrite, Step::LogSync] {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open_with(FailSteps(vec![step], NOSPC));
        for call in 0..2 {
            let error = measurements.extend(&mut guest.registers, &event("a")).unwrap_err();
            match (call, error) {
                (0, error @ MeasurementError::NotLogged { .. }) => {
                    assert!(error.to_string().contains("do not send it again"), "{error}");
                }
                (1, MeasurementError::Unsettled(_)) => {}
                (_, error) => panic!("{error}"),
            }
        }
        drop(measurements);
        let (mut measurements, recovered) = guest.open();
        assert!(matches!(recovered, Recovered::Completed), "{recovered:?}");
        measurements.extend(&mut guest.registers, &event("b")).unwrap();
        assert_eq!(guest.logged(), ["a", "b"]);
    }
}

#[test]
fn an_error_at_each_step_once_and_the_next_call_goes_on() {
    for code in [NOSPC, IO] {
        let mut at = 0;
        loop {
            let mut guest = Guest::new();
            let fail = FailAt::nth(at, code);
            let (mut measurements, _) = guest.open_with(fail.clone());
            let answer = measurements.extend(&mut guest.registers, &event("a"));
            let reached = fail.count.load(std::sync::atomic::Ordering::Relaxed) > at;
            if !reached {
                answer.unwrap();
                break;
            }
            measurements.extend(&mut guest.registers, &event("b")).unwrap();
            let logged = guest.logged();
            match &answer {
                Ok(()) | Err(MeasurementError::NotLogged { .. }) => assert_eq!(logged, ["a", "b"]),
                Err(error) => {
                    assert!(error.to_string().ends_with("nothing was measured"), "{error}");
                    assert_eq!(logged, ["b"], "{at}");
                }
            }
            assert!(ready(&measurements) && !guest.wal_path().exists(), "{at}");
            at += 1;
        }
        assert_eq!(at, Step::ALL.len() - 1);
    }
}

#[test]
fn someone_else_extends_the_register() {
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open();
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    measurements.extend(&mut guest.registers, &event_in(8, "b")).unwrap();
    let ours = guest.registers.value(4);
    guest.registers.extend_by(4, &[7; 48]);
    let theirs = guest.registers.value(4);
    let error = measurements.extend(&mut guest.registers, &event("c")).unwrap_err();
    let MeasurementError::RegisterChanged { register: "RTMR3", expected, found } = &error else {
        panic!("{error}")
    };
    assert!(expected.contains(&hex::encode(&ours)), "{expected}");
    assert_eq!(found, &hex::encode(&theirs));
    // It is said, and nothing is extended any more: not by this agent, not by the next.
    let State::Broken { why } = measurements.state().clone() else { panic!("not broken") };
    assert!(why.contains("RTMR3"), "{why}");
    let log = measurements.log().to_vec();
    for _ in 0..2 {
        for event in [event("d"), event_in(8, "d")] {
            let error = measurements.extend(&mut guest.registers, &event).unwrap_err();
            assert!(matches!(error, MeasurementError::Broken { .. }), "{error}");
        }
        drop(measurements);
        let (opened, recovered) = guest.open();
        assert!(
            matches!(recovered, Recovered::Broken(MeasurementError::RegisterChanged { .. })),
            "{recovered:?}"
        );
        measurements = opened;
    }
    assert_eq!(guest.registers.value(4), theirs);
    assert_eq!(measurements.log(), log);
}

#[test]
fn someone_else_extends_another_register_before_our_first_event_there() {
    let mut guest = Guest::new();
    guest.registers.extend_by(3, &[7; 48]);
    guest.starts_here();
    let (mut measurements, _) = guest.open();
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    measurements.extend(&mut guest.registers, &event_in(8, "b")).unwrap();
    assert_eq!(guest.logged(), ["a", "b"]);
}

/// A record whose register has moved on: as if someone else extended it just after ours.
#[test]
fn someone_else_extends_the_register_while_the_agent_is_dead() {
    let mut guest = Guest::new();
    drop(guest.open());
    let entry = AaelEntry::new(TcgAlgorithm::Sha384, 4, &Aael::new("d", "o", "c").unwrap()).unwrap();
    let digest = entry.digest.clone();
    let before = Digest::new(HashAlgorithm::Sha384, guest.registers.value(4)).unwrap();
    let wal = Wal::new(0, 4, before, entry).to_bytes();
    fs::write(guest.wal_path(), &wal).unwrap();
    guest.registers.extend_by(4, &digest);
    guest.registers.extend_by(4, &[1; 48]);
    let (measurements, recovered) = guest.open();
    assert!(
        matches!(recovered, Recovered::Broken(MeasurementError::RegisterChanged { .. })),
        "{recovered:?}"
    );
    assert!(matches!(measurements.state(), State::Broken { .. }));
    assert_eq!(fs::read(guest.wal_path()).unwrap(), wal, "it stays, so that the next start finds it too");
}

#[test]
fn a_record_of_another_agent_is_left_and_nothing_is_extended() {
    let mut guest = Guest::new();
    drop(guest.open());
    let other = [&0u64.to_be_bytes()[..], &[0x11; 48], b"domain operation content"].concat();
    fs::write(guest.wal_path(), &other).unwrap();
    let (mut measurements, recovered) = guest.open();
    assert!(matches!(recovered, Recovered::Broken(MeasurementError::Broken { .. })), "{recovered:?}");
    let before = guest.registers.value(4);
    let error = measurements.extend(&mut guest.registers, &event("a")).unwrap_err();
    assert!(error.to_string().contains(".wal_event_entry"), "{error}");
    assert_eq!(guest.registers.value(4), before);
    assert_eq!(fs::read(guest.wal_path()).unwrap(), other);
}
