//! The kernel cuts a write short: as on a full disk, but really.

use std::env;
use std::path::Path;
use std::process::Command;

use assay_attestation_agent::measurement::{MeasurementError, Recovered};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::world::{Guest, event};

const FOLDER: &str = "ASSAY_TEST_MEASUREMENT_LIMITED";
/// No file grows beyond this. An entry has 92 bytes, so the twelfth is cut.
const LIMIT: u64 = 1024;

/// The child, whose files cannot grow; does nothing where it is not a child.
#[test]
fn limited_child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let mut guest = Guest::at(Path::new(&folder));
    let (mut measurements, _) = guest.open();
    setrlimit(Resource::Fsize, Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) }).unwrap();
    for _ in 0..11 {
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
    }
    let error = measurements.extend(&mut guest.registers, &event("b")).unwrap_err();
    assert!(matches!(error, MeasurementError::NotLogged { .. }), "{error}");
    assert_eq!(std::fs::metadata(guest.log_path()).unwrap().len(), LIMIT, "a part of the entry was written");
    let error = measurements.extend(&mut guest.registers, &event("c")).unwrap_err();
    assert!(matches!(error, MeasurementError::Unsettled(_)), "{error}");
    assert!(matches!(measurements.settle(&mut guest.registers), Err(MeasurementError::Unsettled(_))));
    // What evidence carries meanwhile has the entry that does not fit, and not what was refused.
    assert_eq!(guest.replayed(measurements.log()).last().unwrap(), "b");
    assert_eq!(measurements.log().len(), 12 * 92);
}

/// The child again, for a record that does not fit.
#[test]
fn limited_child_with_a_long_event() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let mut guest = Guest::at(Path::new(&folder));
    let (mut measurements, _) = guest.open();
    setrlimit(Resource::Fsize, Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) }).unwrap();
    let error = measurements.extend(&mut guest.registers, &event("x".repeat(1000))).unwrap_err();
    assert!(matches!(error, MeasurementError::File { .. }), "{error}");
    assert!(!guest.wal_path().exists());
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
}

fn run(guest: &Guest, test: &str) {
    // A write beyond the limit is answered with an error only where the signal is ignored.
    let run = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, &guest.folder)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn an_entry_that_is_cut_short_is_completed_at_the_next_start() {
    let mut guest = Guest::new();
    run(&guest, "limits::limited_child");
    let (mut measurements, recovered) = guest.open();
    assert!(matches!(recovered, Recovered::Completed), "{recovered:?}");
    measurements.extend(&mut guest.registers, &event("d")).unwrap();
    let logged = guest.logged();
    assert_eq!(logged.len(), 13);
    assert_eq!(logged[11..], ["b", "d"]);
}

#[test]
fn a_record_that_is_cut_short_measures_nothing() {
    let mut guest = Guest::new();
    run(&guest, "limits::limited_child_with_a_long_event");
    assert!(matches!(guest.open().1, Recovered::Nothing));
    assert_eq!(guest.logged(), ["a"]);
}
