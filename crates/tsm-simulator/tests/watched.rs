//! The plain files of a guest without FUSE, as the module `watch` says they are to be used.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_tsm_simulator::{Faults, SimulatorError, Watched, clear, watch};
use assay_types::Tee;
use support::{
    CCEL, TEES, generation, guest, init_data, judge, log_with, register, reports, tdx_evidence, wait_for,
};
use tempfile::TempDir;

fn watched(tee: Tee) -> (Watched, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (watch(guest(tee), folder.path()).unwrap(), folder)
}

fn entry(w: &Watched, name: &str) -> PathBuf {
    let path = reports(w.path()).join(name);
    fs::create_dir(&path).unwrap();
    wait_for("provider", || path.join("provider").exists().then_some(()));
    path
}

fn report(entry: &Path, inblob: &[u8], at: u64) -> Vec<u8> {
    fs::write(entry.join("inblob"), inblob).unwrap();
    wait_for("generation", || (generation(entry) == at).then_some(()));
    wait_for("outblob", || fs::read(entry.join("outblob")).ok())
}

#[test]
fn every_tee_makes_evidence_that_its_verifier_accepts() {
    for tee in TEES {
        let (w, _folder) = watched(tee);
        let entry = entry(&w, "one");
        assert_eq!(generation(&entry), 0);
        assert!(!entry.join("outblob").exists());
        let mut evidence = report(&entry, &[7; 64], 1);
        if tee == Tee::Snp {
            evidence.extend(fs::read(entry.join("auxblob")).unwrap());
        }
        judge(tee, evidence, &[7; 64]).unwrap();
        assert_eq!(fs::metadata(entry.join("outblob")).unwrap().permissions().mode() & 0o777, 0o444);
        assert_eq!(fs::metadata(entry.join("inblob")).unwrap().permissions().mode() & 0o777, 0o200);
    }
}

#[test]
fn entries_do_not_disturb_each_other_and_options_count() {
    let (w, _folder) = watched(Tee::Snp);
    let (one, two) = (entry(&w, "one"), entry(&w, "two"));
    fs::write(two.join("privlevel"), "2").unwrap();
    wait_for("generation", || (generation(&two) == 1).then_some(()));
    let first = report(&one, &[1; 64], 1);
    let second = report(&two, &[2; 64], 2);
    assert_eq!((first[0x30], &first[0x50..0x90]), (0, [1; 64].as_slice()));
    assert_eq!((second[0x30], &second[0x50..0x90]), (2, [2; 64].as_slice()));
    fs::remove_dir_all(&one).unwrap();
    wait_for("the entry's end", || (w.handle().entries() == ["two"]).then_some(()));
}

#[test]
fn what_the_kernel_refuses_leaves_no_report() {
    let (w, _folder) = watched(Tee::Tdx);
    let entry = entry(&w, "one");
    report(&entry, &[1; 64], 1);
    for bad in [vec![1; 65], vec![1; 63]] {
        fs::write(entry.join("inblob"), bad).unwrap();
        wait_for("the old report's end", || (!entry.join("outblob").exists()).then_some(()));
        // Another entry is served after it, so it is not merely late.
        let other = reports(w.path()).join("other");
        fs::create_dir(&other).unwrap();
        wait_for("provider", || other.join("provider").exists().then_some(()));
        report(&other, &[1; 64], 1);
        assert!(!entry.join("outblob").exists());
        fs::remove_dir_all(&other).unwrap();
        wait_for("the entry's end", || (w.handle().entries() == ["one"]).then_some(()));
        let next = generation(&entry) + 1;
        report(&entry, &[1; 64], next);
    }
}

#[test]
fn an_entry_that_cannot_be_served_holds_up_no_other_and_recovers() {
    let (w, _folder) = watched(Tee::Cca);
    let one = entry(&w, "one");
    fs::create_dir(one.join("outblob")).unwrap();
    fs::write(one.join("inblob"), [1; 64]).unwrap();
    let two = entry(&w, "two");
    report(&two, &[2; 64], 1);
    assert_eq!(generation(&one), 0, "inputs do not count while the old report is there");
    fs::remove_dir(one.join("outblob")).unwrap();
    wait_for("outblob", || fs::read(one.join("outblob")).ok());
    assert_eq!(generation(&one), 1);
}

#[test]
fn registers_and_log_are_there_and_writing_has_no_effect() {
    let (w, _folder) = watched(Tee::Tdx);
    let file = register(w.path(), 3);
    assert_eq!(fs::read(&file).unwrap(), [0; 48]);
    assert_eq!(fs::read(file.with_file_name("mrconfigid")).unwrap(), init_data().as_bytes());
    assert!(w.path().join("dev/tdx_guest").exists());
    // As root, whom the mode does not stop; for others there is nothing to undo.
    let _ = fs::write(&file, [1; 48]);
    wait_for("the register's value", || (fs::read(&file).ok()? == [0; 48]).then_some(()));
    assert_eq!(w.handle().register(3), Some([0; 48]));
    let entry = entry(&w, "one");
    let quote = report(&entry, &[7; 64], 1);
    let log = log_with(&fs::read(w.path().join(CCEL)).unwrap(), &[]);
    judge(Tee::Tdx, tdx_evidence(&quote, &log), &[7; 64]).unwrap();
    // By the handle it can be extended, and the file follows.
    let grown = w.handle().extend(3, &[1; 48]).unwrap();
    wait_for("the register's new value", || (fs::read(&file).ok()? == grown).then_some(()));
}

#[test]
fn it_can_be_slow_and_busy() {
    let (w, _folder) = watched(Tee::Cca);
    let entry = entry(&w, "one");
    let faults = Faults { answer_after: Duration::from_millis(150), busy_times: 2, ..Faults::default() };
    w.handle().set_faults(faults);
    let before = std::time::Instant::now();
    report(&entry, &[1; 64], 1);
    assert!(before.elapsed() >= Duration::from_millis(150));
    assert_eq!(w.handle().faults().busy_times, 0);
    w.handle().set_faults(Faults { answer_after: Duration::from_secs(3600), ..Faults::default() });
    fs::write(entry.join("inblob"), [2; 64]).unwrap();
    wait_for("generation", || (generation(&entry) == 2).then_some(()));
    assert!(!entry.join("outblob").exists());
    // Ends although a report is waited for.
    drop(w);
}

#[test]
fn the_files_go_with_the_guest_and_what_a_killed_one_left_is_told_and_cleared() {
    let (w, folder) = watched(Tee::Snp);
    let two = watch(guest(Tee::Snp), folder.path()).unwrap_err();
    assert!(matches!(two, SimulatorError::Leftover { .. }), "{two}");
    entry(&w, "one");
    drop(w);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    // As after SIGKILL: the files stay, and nobody looks after them.
    fs::create_dir(folder.path().join(".tsm-simulator")).unwrap();
    fs::create_dir_all(folder.path().join("sys/kernel")).unwrap();
    assert!(matches!(watch(guest(Tee::Snp), folder.path()), Err(SimulatorError::Leftover { .. })));
    assert!(clear(folder.path()).unwrap());
    assert!(!clear(folder.path()).unwrap());
    drop(watch(guest(Tee::Snp), folder.path()).unwrap());

    fs::write(folder.path().join("mine"), "x").unwrap();
    assert!(matches!(watch(guest(Tee::Snp), folder.path()), Err(SimulatorError::NotEmpty { .. })));
    assert!(folder.path().join("mine").exists());
}
