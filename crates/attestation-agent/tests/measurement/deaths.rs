//! The process dies at every step. This test starts itself as a child, which aborts.

use std::env;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use assay_attestation_agent::measurement::{MeasurementError, Recovered, Step, Steps};

use crate::world::{Device, Guest, event};

const FOLDER: &str = "ASSAY_TEST_MEASUREMENT_FOLDER";
const DIE_AT: &str = "ASSAY_TEST_MEASUREMENT_DIE_AT";
const EVENT: &str = "ASSAY_TEST_MEASUREMENT_EVENT";
/// How many steps there are at most; a child that takes more is a fault.
const MOST: usize = 40;

/// Aborts before the n-th step, counted from 0 since the start.
struct DieAt {
    count: AtomicUsize,
    at: usize,
}

impl Steps for DieAt {
    fn before(&self, _step: Step) -> io::Result<()> {
        if self.count.fetch_add(1, Ordering::Relaxed) == self.at {
            std::process::abort();
        }
        Ok(())
    }
}

/// The child: opens the log and, where it is given an event, measures it, if it lives so long. Does nothing where
/// it is not a child.
#[test]
fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let at = env::var(DIE_AT).unwrap().parse().unwrap();
    let mut guest = Guest::at(Path::new(&folder));
    let (mut measurements, _) = guest.open_with(DieAt { count: AtomicUsize::new(0), at });
    let Ok(content) = env::var(EVENT) else { return };
    if content == "refused" {
        guest.registers.device.set(Device::Refuses);
        measurements.extend(&mut guest.registers, &event(content)).unwrap_err();
    } else {
        measurements.extend(&mut guest.registers, &event(content)).unwrap();
    }
}

/// Runs a child that dies before its `at`-th step. Whether it came to its end.
fn run_child(guest: &Guest, at: usize, content: Option<&str>) -> bool {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "deaths::child", "--nocapture"])
        .env(FOLDER, &guest.folder)
        .env(DIE_AT, at.to_string())
        .env_remove(EVENT);
    if let Some(content) = content {
        command.env(EVENT, content);
    }
    let run = command.output().unwrap();
    let text = String::from_utf8_lossy(&run.stderr);
    assert!(!text.contains("panicked"), "{text}");
    assert!(run.status.success() || run.status.signal() == Some(6), "{:?}: {text}", run.status);
    run.status.success()
}

/// An agent measures one event, the next dies before its step `at` while it measures `content`; then `between`;
/// then another opens the log and measures one more. Whether the second came to its end.
fn die_and_go_on(at: usize, content: &str, between: impl Fn(&Guest)) -> bool {
    let mut guest = Guest::new();
    assert!(run_child(&guest, usize::MAX, Some("first")));
    let finished = run_child(&guest, at, Some(content));
    between(&guest);
    let (mut measurements, _) = guest.open();
    assert_eq!(measurements.log(), fs::read(guest.log_path()).unwrap());
    guest.logged();
    measurements.extend(&mut guest.registers, &event("last")).unwrap();
    assert!(!guest.wal_path().exists());
    // That the registers agree is checked in there, so an event that was measured is in the log.
    let (of_content, others): (Vec<_>, Vec<_>) = guest.logged().into_iter().partition(|c| c == content);
    assert_eq!(others, ["first", "last"], "step {at}");
    let expected = match content {
        "refused" => 0..=0,
        _ if finished => 1..=1,
        _ => 0..=1,
    };
    assert!(expected.contains(&of_content.len()), "step {at}: {of_content:?}");
    finished
}

/// The number of steps after which a child comes to its end.
fn steps_until_the_end(content: &str, between: impl Fn(&Guest)) -> usize {
    (0..MOST).find(|at| die_and_go_on(*at, content, &between)).expect("a child comes to its end")
}

#[test]
fn death_at_each_step_of_an_extend() {
    // All but `LogCut`, which is taken only where there is something to cut.
    assert_eq!(steps_until_the_end("second", |_| {}), Step::ALL.len() - 1);
}

#[test]
fn death_at_each_step_of_an_extend_that_the_device_refuses() {
    // Nothing is written to the log either, and the register is as it is kept.
    assert_eq!(steps_until_the_end("refused", |_| {}), Step::ALL.len() - 7);
}

#[test]
fn death_at_each_step_of_the_recovery_from_each_death() {
    let recovery_steps = 9;
    for again in 0..=recovery_steps {
        let died = AtomicUsize::new(0);
        steps_until_the_end("second", |guest| {
            let finished = run_child(guest, again, None);
            died.fetch_add(usize::from(!finished), Ordering::Relaxed);
        });
        // The longest recovery has all nine: decide; write, sync; write, sync, rename, sync; remove, sync.
        assert_eq!(died.into_inner() > 0, again < recovery_steps, "{again}");
    }
}

/// Before the first event nothing is kept of the registers.
#[test]
fn death_at_each_step_of_the_first_extend() {
    for content in ["second", "refused"] {
        let finished = (0..MOST).find(|at| {
            let mut guest = Guest::new();
            let finished = run_child(&guest, *at, Some(content));
            let (mut measurements, _) = guest.open();
            guest.replayed(measurements.log());
            measurements.extend(&mut guest.registers, &event("last")).unwrap();
            let logged = guest.logged();
            assert_eq!(logged.last().unwrap(), "last");
            assert_eq!(logged.iter().filter(|logged| *logged == "last").count(), 1);
            assert!(logged.len() == 1 || content == "second" && logged == ["second", "last"], "{logged:?}");
            finished
        });
        // What a register holds that is seen for the first time is kept, refused or not.
        let expected = Step::ALL.len() - if content == "refused" { 3 } else { 1 };
        assert_eq!(finished, Some(expected), "{content}");
    }
}

/// Wherever the agent dies, one who extends the register after that is noticed; so the deaths above, after which all
/// goes on, are told from it.
#[test]
fn death_at_each_step_and_then_someone_else_extends_the_register() {
    for content in ["second", "refused"] {
        let finished = (0..MOST).find(|at| {
            let mut guest = Guest::new();
            assert!(run_child(&guest, usize::MAX, Some("first")));
            let finished = run_child(&guest, *at, Some(content));
            guest.registers.extend_by(4, &[7; 48]);
            for _ in 0..2 {
                let (_, recovered) = guest.open();
                let Recovered::Broken(error) = recovered else { panic!("step {at}: {recovered:?}") };
                assert!(matches!(error, MeasurementError::RegisterChanged { .. }), "step {at}: {error}");
            }
            finished
        });
        assert!(finished.is_some());
    }
}

#[test]
fn torn_writes_of_what_is_kept_of_the_registers() {
    let written = 9;
    for keep in [0, 1, 8, 40, 80] {
        let finished = die_and_go_on(written, "second", |guest| {
            let path = guest.kept_path().with_extension("new");
            assert!(fs::metadata(&path).unwrap().len() > keep);
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(keep).unwrap();
        });
        assert!(!finished);
    }
}

#[test]
fn torn_writes_of_the_write_ahead_log() {
    let written = 2;
    for keep in [0, 1, 7, 8, 20, 100, 150, 200] {
        let finished = die_and_go_on(written, "second", |guest| {
            let len = fs::metadata(guest.wal_path()).unwrap().len();
            assert!(len > keep);
            fs::OpenOptions::new().write(true).open(guest.wal_path()).unwrap().set_len(keep).unwrap();
        });
        assert!(!finished);
    }
}

#[test]
fn torn_writes_of_the_log() {
    let written = 7;
    for lost in [1, 2, 40, 80] {
        let finished = die_and_go_on(written, "second", |guest| {
            let len = fs::metadata(guest.log_path()).unwrap().len();
            fs::OpenOptions::new().write(true).open(guest.log_path()).unwrap().set_len(len - lost).unwrap();
        });
        assert!(!finished);
    }
}
