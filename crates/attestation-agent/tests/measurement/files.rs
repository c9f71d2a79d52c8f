//! The directory and its files: who may use them, what is refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use assay_attestation_agent::measurement::{MeasurementError, Measurements};

use crate::world::{FailSteps, Guest, event};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn only_the_owner_has_them() {
    use assay_attestation_agent::measurement::Step;
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open_with(FailSteps(vec![Step::WalRemove], 5));
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    assert_eq!(mode(&guest.directory()), 0o700);
    for name in ["eventlog", ".wal_event_entry", ".registers", ".lock"] {
        assert_eq!(mode(&guest.directory().join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_second_agent_cannot_use_the_directory_until_the_first_is_gone() {
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open();
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    let before = fs::read(guest.log_path()).unwrap();
    let error = guest.open_error();
    assert!(matches!(error, MeasurementError::InUse { .. }), "{error}");
    assert_eq!(fs::read(guest.log_path()).unwrap(), before);
    // Two at the same time in other directories do not disturb each other.
    let mut other = Guest::new();
    drop(other.open());
    drop(measurements);
    drop(guest.open());
}

#[test]
fn links_are_not_followed() {
    for name in ["eventlog", ".wal_event_entry", ".registers", ".lock"] {
        let mut guest = Guest::new();
        drop(guest.open());
        let target = guest.folder.join("target");
        fs::write(&target, "untouched").unwrap();
        let path = guest.directory().join(name);
        fs::remove_file(&path).ok();
        symlink(&target, &path).unwrap();
        let error = guest.open_error();
        assert!(
            matches!(&error, MeasurementError::Directory { path: found, .. } if *found == path),
            "{name}: {error}"
        );
        assert_eq!(fs::read(&target).unwrap(), b"untouched");
    }
    // One where the registers are written first is replaced.
    let mut guest = Guest::new();
    let (mut measurements, _) = guest.open();
    let target = guest.folder.join("target");
    fs::write(&target, "untouched").unwrap();
    symlink(&target, guest.kept_path().with_extension("new")).unwrap();
    measurements.extend(&mut guest.registers, &event("a")).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"untouched");
    assert!(fs::symlink_metadata(guest.kept_path()).unwrap().is_file());
    let mut guest = Guest::new();
    fs::create_dir(guest.folder.join("target")).unwrap();
    symlink(guest.folder.join("target"), guest.directory()).unwrap();
    let error = guest.open_error();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert_eq!(fs::read_dir(guest.folder.join("target")).unwrap().count(), 0);
}

#[test]
fn what_others_can_write_is_refused() {
    for (name, bits) in [
        ("", 0o770),
        ("", 0o707),
        ("eventlog", 0o620),
        ("eventlog", 0o602),
        (".registers", 0o620),
        (".lock", 0o666),
    ] {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open();
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
        drop(measurements);
        let path = guest.directory().join(name);
        set_mode(&path, bits);
        let error = guest.open_error();
        assert!(error.to_string().contains(&format!("mode {bits:04o}")), "{error}");
        set_mode(&path, if name.is_empty() { 0o755 } else { 0o644 });
        drop(guest.open());
    }
}

#[test]
fn a_file_in_place_of_the_directory_and_others_in_place_of_files() {
    let mut guest = Guest::new();
    fs::write(guest.directory(), "").unwrap();
    assert!(matches!(guest.open_error(), MeasurementError::File { .. } | MeasurementError::Directory { .. }));
    for name in ["eventlog", ".wal_event_entry", ".registers", ".lock"] {
        let mut guest = Guest::new();
        drop(guest.open());
        let path = guest.directory().join(name);
        fs::remove_file(&path).ok();
        fs::create_dir(&path).unwrap();
        let error = guest.open_error();
        assert!(matches!(error, MeasurementError::Directory { .. }), "{name}: {error}");
    }
}

#[test]
fn a_log_that_is_not_what_was_written_is_refused_and_left() {
    let good = {
        let mut guest = Guest::new();
        let (mut measurements, _) = guest.open();
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
        measurements.log().to_vec()
    };
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    for bad in [&good[..good.len() - 1], &changed, &[&good[..], &[0xff; 8]].concat(), b"text", &[0; 8]] {
        let mut guest = Guest::new();
        drop(guest.open());
        fs::write(guest.log_path(), bad).unwrap();
        let error = guest.open_error();
        assert!(matches!(error, MeasurementError::LogDamaged { .. }), "{error}");
        assert_eq!(fs::read(guest.log_path()).unwrap(), bad);
    }
    let mut guest = Guest::new();
    drop(guest.open());
    fs::File::options().write(true).open(guest.log_path()).unwrap().set_len(1 << 40).unwrap();
    let error = guest.open_error();
    assert!(error.to_string().contains("at most 2097152 are read"), "{error}");
}

/// Someone writes to the log while the agent runs: found out at the next event, which is then measured, and
/// nothing after it.
#[test]
fn a_log_that_grows_or_shrinks_by_itself_ends_measuring() {
    for change in [-1i64, 1 << 20] {
        let mut guest = Guest::new();
        let (mut measurements, _): (Measurements, _) = guest.open();
        measurements.extend(&mut guest.registers, &event("a")).unwrap();
        let file = fs::File::options().write(true).open(guest.log_path()).unwrap();
        let len = i64::try_from(file.metadata().unwrap().len()).unwrap();
        file.set_len(u64::try_from(len + change).unwrap()).unwrap();
        let error = measurements.extend(&mut guest.registers, &event("b")).unwrap_err();
        assert!(matches!(error, MeasurementError::LogDamaged { .. }), "{error}");
        // Evidence has both.
        measurements.settle(&mut guest.registers).unwrap();
        assert_eq!(guest.replayed(measurements.log()), ["a", "b"]);
        let error = measurements.extend(&mut guest.registers, &event("c")).unwrap_err();
        assert!(matches!(error, MeasurementError::Broken { .. }), "{error}");
        drop(measurements);
        assert!(matches!(guest.open_error(), MeasurementError::LogDamaged { .. }));
    }
}
