//! The files of a mounted guest, by the operations that programs in a guest use.
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

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use assay_tsm_simulator::{Faults, SimulatorError, clear, mount};
use assay_types::{Digest, Tee};
use support::{
    CCEL, EACCES, EBUSY, EEXIST, EFBIG, EINVAL, EIO, ENOENT, EPERM, MEASUREMENTS, Mounted, TEES, agent_event,
    errno, fuse, generation, guest, guest_with, init_data, judge, log_with, mounted, tdx_evidence, wait_for,
};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

/// Appends to the file without opening it anew as a shell's `>` would.
fn write_once(file: &Path, data: &[u8]) -> std::io::Result<usize> {
    OpenOptions::new().write(true).open(file)?.write(data)
}

#[test]
fn every_tee_makes_evidence_that_its_verifier_accepts() {
    for tee in TEES {
        let Some(m) = mounted(guest(tee)) else { return };
        let entry = m.entry("one");
        let provider = fs::read_to_string(entry.join("provider")).unwrap();
        let expected = match tee {
            Tee::Snp => "sev_guest\n",
            Tee::Tdx => "tdx_guest\n",
            _ => "arm_cca_guest\n",
        };
        assert_eq!(provider, expected);
        fs::write(entry.join("inblob"), [7; 64]).unwrap();
        let mut evidence = fs::read(entry.join("outblob")).unwrap();
        assert_eq!(generation(&entry), 1);
        if tee == Tee::Snp {
            assert_eq!(evidence.len(), 1184);
            evidence.extend(fs::read(entry.join("auxblob")).unwrap());
            assert!(fs::read(entry.join("manifestblob")).unwrap().is_empty());
        }
        judge(tee, evidence.clone(), &[7; 64]).unwrap();
        assert!(judge(tee, evidence, &[8; 64]).is_err());
        assert_eq!(m.mount.handle().entries(), ["one"]);
        fs::remove_dir(&entry).unwrap();
        assert_eq!(m.mount.handle().entries(), [""; 0]);
    }
}

#[test]
fn the_files_are_those_of_each_tee_with_their_modes() {
    for tee in TEES {
        let Some(m) = mounted(guest(tee)) else { return };
        let entry = m.entry("one");
        let common = ["generation", "inblob", "outblob", "provider"].to_vec();
        let snp = [
            "auxblob",
            "generation",
            "inblob",
            "manifestblob",
            "outblob",
            "privlevel",
            "privlevel_floor",
            "provider",
            "service_guid",
            "service_manifest_version",
            "service_provider",
        ]
        .to_vec();
        assert_eq!(names(&entry), if tee == Tee::Snp { snp } else { common });
        for name in names(&entry) {
            let written = name == "inblob"
                || name == "privlevel"
                || (name.starts_with("service_") && name != "service_manifestblob");
            assert_eq!(mode(&entry.join(&name)), if written { 0o200 } else { 0o444 }, "{name}");
            let (read, write) =
                (File::open(entry.join(&name)), OpenOptions::new().write(true).open(entry.join(&name)));
            // Nobody, root included, opens a file for what it does not do.
            let refused = if written { errno(read) } else { errno(write) };
            assert_eq!(refused, EACCES, "{name}");
        }
        assert_eq!(m.root().join("sys/devices/platform/sev-guest").is_dir(), tee == Tee::Snp);
        assert_eq!(m.root().join("dev/tdx_guest").is_file(), tee == Tee::Tdx);
        assert_eq!(m.root().join(CCEL).is_file(), tee == Tee::Tdx);
        assert_eq!(m.root().join(MEASUREMENTS).is_dir(), tee == Tee::Tdx);
        if tee == Tee::Tdx {
            let registers = [
                "mrconfigid",
                "mrowner",
                "mrownerconfig",
                "mrtd",
                "rtmr0:sha384",
                "rtmr1:sha384",
                "rtmr2:sha384",
                "rtmr3:sha384",
            ];
            assert_eq!(names(&m.root().join(MEASUREMENTS)), registers);
            for index in 0..4 {
                assert_eq!(mode(&m.register(index)), if index < 2 { 0o444 } else { 0o644 });
            }
            assert_eq!(mode(&m.root().join(CCEL)), 0o400);
        }
    }
}

#[test]
fn nothing_else_can_be_made_or_removed() {
    let Some(m) = mounted(guest(Tee::Tdx)) else { return };
    let entry = m.entry("one");
    assert_eq!(errno(fs::create_dir(&entry)), EEXIST);
    assert_eq!(errno(fs::create_dir(m.root().join("sys/new"))), EPERM);
    assert_eq!(errno(fs::create_dir(entry.join("new"))), EPERM);
    assert_eq!(errno(File::create(entry.join("new"))), EACCES);
    assert_eq!(errno(File::create(m.root().join("new"))), EACCES);
    assert_eq!(errno(fs::remove_file(entry.join("inblob"))), EPERM);
    assert_eq!(errno(fs::remove_dir(m.root().join(MEASUREMENTS))), EPERM);
    assert_eq!(errno(fs::remove_dir(m.reports().join("two"))), ENOENT);
    assert_eq!(errno(fs::rename(&entry, m.reports().join("two"))), EPERM);
    assert_eq!(errno(fs::read(m.reports().join("two/provider"))), ENOENT);
    assert_eq!(errno(fs::read(entry.join("auxblob"))), ENOENT);
}

#[test]
fn an_entry_that_is_removed_takes_its_open_files_along() {
    let Some(m) = mounted(guest(Tee::Cca)) else { return };
    let entry = m.entry("one");
    let mut open = File::open(entry.join("generation")).unwrap();
    fs::remove_dir(&entry).unwrap();
    let again = m.entry("one");
    fs::write(again.join("inblob"), [1; 64]).unwrap();
    assert_eq!(errno(open.read_to_string(&mut String::new())), ENOENT);
    assert_eq!(generation(&again), 1);
}

#[test]
fn a_report_needs_inputs_first_and_of_the_right_length() {
    for tee in TEES {
        let Some(m) = mounted(guest(tee)) else { return };
        let entry = m.entry("one");
        assert_eq!(errno(fs::read(entry.join("outblob"))), EINVAL);
        assert_eq!(generation(&entry), 0);
        assert_eq!(errno(write_once(&entry.join("inblob"), &[0; 65])), EFBIG);
        assert_eq!(generation(&entry), 0, "what does not fit does not count");
        assert_eq!(errno(fs::read(entry.join("outblob"))), EINVAL);
        // The driver looks at the length when the report is made.
        fs::write(entry.join("inblob"), [0; 16]).unwrap();
        assert_eq!(generation(&entry), 1);
        assert_eq!(errno(fs::read(entry.join("outblob"))), EINVAL);
        fs::write(entry.join("inblob"), [0; 64]).unwrap();
        assert!(fs::read(entry.join("outblob")).is_ok());
        assert_eq!(generation(&entry), 2);
    }
}

#[test]
fn every_write_is_one_generation_and_a_report_is_kept_until_the_next() {
    let Some(m) = mounted(guest(Tee::Snp)) else { return };
    let entry = m.entry("one");
    fs::write(entry.join("inblob"), [1; 64]).unwrap();
    let first = fs::read(entry.join("outblob")).unwrap();
    assert_eq!(fs::read(entry.join("outblob")).unwrap(), first);
    assert_eq!(generation(&entry), 1, "reading does not count");
    fs::write(entry.join("privlevel"), "1").unwrap();
    assert_eq!(generation(&entry), 2);
    let second = fs::read(entry.join("outblob")).unwrap();
    assert_eq!((first[0x30], second[0x30]), (0, 1));
    // Binary data take effect when the file is closed, in whatever pieces they come.
    let mut inblob = OpenOptions::new().write(true).open(entry.join("inblob")).unwrap();
    inblob.write_all(&[2; 32]).unwrap();
    inblob.write_all(&[3; 32]).unwrap();
    assert_eq!(generation(&entry), 2);
    drop(inblob);
    assert_eq!(generation(&entry), 3);
    let third = fs::read(entry.join("outblob")).unwrap();
    assert_eq!(third[0x50..0x90], [[2; 32], [3; 32]].concat());
    // The same again is a write too.
    fs::write(entry.join("inblob"), [[2; 32], [3; 32]].concat()).unwrap();
    assert_eq!(generation(&entry), 4);
}

#[test]
fn privilege_levels_are_decimal_and_not_below_the_floor() {
    let Some(m) = mounted(guest_with(Tee::Snp, &[("vmpl", "1")])) else { return };
    let entry = m.entry("one");
    assert_eq!(fs::read_to_string(entry.join("privlevel_floor")).unwrap(), "1\n");
    let privlevel = entry.join("privlevel");
    for bad in ["0", "4", "-1", "x", "\u{2}", " "] {
        assert_eq!(errno(write_once(&privlevel, bad.as_bytes())), EINVAL, "{bad:?}");
    }
    assert_eq!(generation(&entry), 0);
    fs::write(entry.join("inblob"), [1; 64]).unwrap();
    assert_eq!(fs::read(entry.join("outblob")).unwrap()[0x30], 1);
    fs::write(&privlevel, "3\n").unwrap();
    assert_eq!(fs::read(entry.join("outblob")).unwrap()[0x30], 3);
}

#[test]
fn an_svsm_answers_for_its_services() {
    let Some(m) = mounted(guest(Tee::Snp)) else { return };
    let entry = m.entry("one");
    fs::write(entry.join("inblob"), [1; 64]).unwrap();
    fs::write(entry.join("service_provider"), "other").unwrap();
    assert_eq!(errno(fs::read(entry.join("outblob"))), EINVAL);
    fs::write(entry.join("service_provider"), "svsm\n").unwrap();
    let all = fs::read(entry.join("manifestblob")).unwrap();
    assert!(!all.is_empty());
    assert_eq!(errno(fs::write(entry.join("service_guid"), "no guid")), EINVAL);
    fs::write(entry.join("service_guid"), "c476f1eb-0123-45a5-9641-b4e7dde5bfe3").unwrap();
    let one = fs::read(entry.join("manifestblob")).unwrap();
    assert!(all.ends_with(&one) && all.len() > one.len());
    fs::write(entry.join("service_manifest_version"), "1").unwrap();
    assert_eq!(errno(fs::read(entry.join("outblob"))), EINVAL);
}

#[test]
fn two_entries_do_not_disturb_each_other() {
    let Some(m) = mounted(guest(Tee::Snp)) else { return };
    let (one, two) = (m.entry("one"), m.entry("two"));
    fs::write(one.join("inblob"), [1; 64]).unwrap();
    fs::write(two.join("inblob"), [2; 64]).unwrap();
    fs::write(two.join("privlevel"), "2").unwrap();
    assert_eq!(fs::read(one.join("outblob")).unwrap()[0x50..0x90], [1; 64]);
    assert_eq!(fs::read(two.join("outblob")).unwrap()[0x50..0x90], [2; 64]);
    assert_eq!((generation(&one), generation(&two)), (1, 2));
    fs::remove_dir(&one).unwrap();
    assert_eq!(names(&m.reports()), ["two"]);
}

#[test]
fn registers_read_as_they_are_and_the_log_replays_after_extensions() {
    let Some(m) = mounted(guest(Tee::Tdx)) else { return };
    let config = fs::read(m.root().join(MEASUREMENTS).join("mrconfigid")).unwrap();
    assert_eq!(config, init_data().as_bytes());
    assert_eq!(fs::read(m.register(3)).unwrap(), [0; 48]);
    let entries: Vec<_> = ["a PullImage {}", "b c d", "b c e"].map(agent_event).to_vec();
    let mut expected = vec![0; 48];
    // One file that stays open, one that is opened anew each time.
    let mut open = File::open(m.register(3)).unwrap();
    for (_, digest) in &entries {
        fs::write(m.register(3), digest).unwrap();
        expected = Digest::sha384(&[expected, digest.to_vec()].concat()).as_bytes().to_vec();
        let mut value = Vec::new();
        open.seek(SeekFrom::Start(0)).unwrap();
        open.read_to_end(&mut value).unwrap();
        assert_eq!(value, expected);
        assert_eq!(fs::read(m.register(3)).unwrap(), expected);
    }
    let entry = m.entry("one");
    fs::write(entry.join("inblob"), [7; 64]).unwrap();
    let quote = fs::read(entry.join("outblob")).unwrap();
    let log = log_with(&fs::read(m.root().join(CCEL)).unwrap(), &entries);
    judge(Tee::Tdx, tdx_evidence(&quote, &log), &[7; 64]).unwrap();
    let short = log_with(&fs::read(m.root().join(CCEL)).unwrap(), &entries[..2]);
    assert!(judge(Tee::Tdx, tdx_evidence(&quote, &short), &[7; 64]).is_err());
    // A quote is about its moment: after an extension a new one is wanted, and the old one does not change.
    fs::write(m.register(3), [9; 48]).unwrap();
    assert_eq!(fs::read(entry.join("outblob")).unwrap(), quote);
    fs::write(entry.join("inblob"), [7; 64]).unwrap();
    assert_ne!(fs::read(entry.join("outblob")).unwrap(), quote);
}

#[test]
fn a_register_takes_48_bytes_at_its_beginning() {
    let Some(m) = mounted(guest(Tee::Tdx)) else { return };
    let file = m.register(2);
    let before = fs::read(&file).unwrap();
    for len in [1, 32, 47, 49, 96] {
        assert_eq!(errno(write_once(&file, &vec![1; len])), EINVAL, "{len}");
    }
    let mut open = OpenOptions::new().write(true).open(&file).unwrap();
    open.seek(SeekFrom::Start(1)).unwrap();
    assert_eq!(errno(open.write(&[1; 48])), EINVAL);
    assert_eq!(errno(OpenOptions::new().append(true).open(&file).unwrap().write(&[1; 48])), EINVAL);
    for index in [0, 1] {
        assert_eq!(errno(OpenOptions::new().write(true).open(m.register(index))), EACCES);
    }
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn extensions_at_once_all_count() {
    let Some(m) = mounted(guest(Tee::Tdx)) else { return };
    const THREADS: usize = 4;
    const EACH: usize = 25;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let file = m.register(3);
            scope.spawn(move || {
                for _ in 0..EACH {
                    fs::write(&file, [1; 48]).unwrap();
                }
            });
        }
    });
    let mut expected = vec![0; 48];
    for _ in 0..THREADS * EACH {
        expected = Digest::sha384(&[expected, vec![1; 48]].concat()).as_bytes().to_vec();
    }
    assert_eq!(fs::read(m.register(3)).unwrap(), expected);
}

fn with_faults(m: &Mounted, faults: Faults) {
    m.mount.handle().set_faults(faults);
}

#[test]
fn faults_come_when_they_are_wanted_and_end() {
    let Some(m) = mounted(guest(Tee::Tdx)) else { return };
    let entry = m.entry("one");
    let (inblob, outblob) = (entry.join("inblob"), entry.join("outblob"));
    with_faults(&m, Faults { busy_times: 2, ..Faults::default() });
    fs::write(&inblob, [1; 64]).unwrap();
    assert_eq!(errno(fs::read(&outblob)), EBUSY);
    assert_eq!(errno(fs::read(&outblob)), EBUSY);
    assert!(fs::read(&outblob).is_ok());
    assert_eq!(m.mount.handle().faults(), Faults::default());

    with_faults(&m, Faults { steal_generation: 1, ..Faults::default() });
    fs::write(&inblob, [1; 64]).unwrap();
    assert_eq!(generation(&entry), 2);
    let stolen = fs::read(&outblob).unwrap();
    assert_eq!(generation(&entry), 3);
    assert!(judge(Tee::Tdx, stolen, &[1; 64]).is_err());
    fs::write(&inblob, [1; 64]).unwrap();
    judge(Tee::Tdx, fs::read(&outblob).unwrap(), &[1; 64]).unwrap();
    assert_eq!(generation(&entry), 4);

    with_faults(&m, Faults { oversized_outblob: Some(1 << 20), ..Faults::default() });
    assert_eq!(fs::read(&outblob).unwrap().len(), 1 << 20);

    with_faults(&m, Faults { fail_extend: Some(EIO), ..Faults::default() });
    assert_eq!(errno(fs::write(m.register(3), [1; 48])), EIO);
    assert_eq!(fs::read(m.register(3)).unwrap(), [0; 48]);
    with_faults(&m, Faults::default());
    fs::write(m.register(3), [1; 48]).unwrap();
    assert_ne!(fs::read(m.register(3)).unwrap(), [0; 48]);
}

#[test]
fn a_slow_report_does_not_hold_up_other_files_and_ends_with_the_mount() {
    let Some(m) = mounted(guest(Tee::Snp)) else { return };
    let entry = m.entry("one");
    fs::write(entry.join("inblob"), [1; 64]).unwrap();
    with_faults(&m, Faults { answer_after: Duration::from_millis(300), ..Faults::default() });
    let before = std::time::Instant::now();
    fs::read(entry.join("outblob")).unwrap();
    assert!(before.elapsed() >= Duration::from_millis(300));

    with_faults(&m, Faults { answer_after: Duration::from_secs(3600), ..Faults::default() });
    fs::write(entry.join("inblob"), [2; 64]).unwrap();
    let reader = std::thread::spawn({
        let outblob = entry.join("outblob");
        move || fs::read(outblob)
    });
    let two = m.entry("two");
    assert_eq!(generation(&two), 0);
    // It may not have begun to read when the mount goes: then there is no such file.
    drop(m);
    let error = errno(reader.join().unwrap());
    assert!([EIO, ENOENT, 103, 107].contains(&error), "{error}");
}

#[test]
fn dropping_unmounts_even_while_a_file_is_open() {
    if !fuse() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let m = mount(guest(Tee::Cca), folder.path()).unwrap();
    let path = m.path().to_owned();
    assert!(path.join("sys").is_dir() && m.is_mounted());
    let open = File::open(path.join("sys/kernel/config")).unwrap();
    drop(m);
    assert_eq!(names(&path), [""; 0]);
    drop(open);
    // The place can be used again at once.
    let again = mount(guest(Tee::Tdx), &path).unwrap();
    assert!(path.join("dev/tdx_guest").exists());
    drop(again);
    assert_eq!(names(&path), [""; 0]);
}

#[test]
fn a_restarted_guest_has_its_registers() {
    if !fuse() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (place, state) = (folder.path().join("guest"), folder.path().join("state"));
    let mut values = Vec::new();
    for _ in 0..2 {
        let mut guest = guest(Tee::Tdx);
        guest.keep_state(&state).unwrap();
        let m = mount(guest, &place).unwrap();
        let file = support::register(m.path(), 3);
        values.push(fs::read(&file).unwrap());
        fs::write(&file, [1; 48]).unwrap();
        values.push(fs::read(&file).unwrap());
    }
    assert_eq!(values[1], values[2]);
    assert_ne!(values[2], values[3]);
}

#[test]
fn only_an_empty_directory_is_used() {
    if !fuse() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "x").unwrap();
    let error = mount(guest(Tee::Cca), folder.path()).unwrap_err();
    assert!(matches!(&error, SimulatorError::NotEmpty { found, .. } if found == "mine"), "{error}");
    assert!(!clear(folder.path()).unwrap());
    assert_eq!(names(folder.path()), ["mine"]);
}

#[test]
fn whoever_unmounts_from_outside_is_noticed() {
    let Some(m) = mounted(guest(Tee::Cca)) else { return };
    let status = std::process::Command::new("fusermount3").arg("-u").arg(m.root()).status().unwrap();
    assert!(status.success());
    wait_for("the end", || (!m.mount.is_mounted()).then_some(()));
}
