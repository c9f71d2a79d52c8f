//! One secret in one file.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_attestation_agent::secrets::file_error::SecretFileError;
use assay_attestation_agent::secrets::private_file::{PrivateFile, Write};
use assay_types::{Coded as _, SecretBytes};
use tempfile::TempDir;

/// A directory in memory; `None`, with the reason printed, where the machine has none.
pub(crate) fn in_memory() -> Option<TempDir> {
    let folder = tempfile::tempdir_in("/dev/shm").ok();
    if folder.is_none() {
        eprintln!("skipped: no directory can be made in /dev/shm");
    }
    folder
}

pub(crate) fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

pub(crate) fn file(path: &Path, mode: u32) -> PrivateFile {
    PrivateFile::new(path, mode, None, None, false).unwrap()
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_secret_is_written_with_its_mode_in_directories_of_its_own() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("a/b/secret");
    assert_eq!(file(&path, 0o640).write(&secret(b"hunter2")).unwrap(), Write::Replaced);
    assert_eq!(fs::read(&path).unwrap(), b"hunter2");
    assert_eq!(mode(&path), 0o640);
    assert_eq!(mode(&folder.path().join("a")), 0o700);
    assert_eq!(mode(&folder.path().join("a/b")), 0o700);
    assert_eq!(names(&folder.path().join("a/b")), ["secret"]);
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    let Some(folder) = in_memory() else { return };
    let directory = folder.path().join("d");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    file(&directory.join("secret"), 0o600).write(&secret(b"x")).unwrap();
    assert_eq!(mode(&directory), 0o755);
}

#[test]
fn a_file_that_is_as_wanted_is_not_touched_and_any_other_is_replaced() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    let inode = || fs::symlink_metadata(&path).unwrap().ino();
    file(&path, 0o600).write(&secret(b"one")).unwrap();
    let first = inode();
    assert_eq!(file(&path, 0o600).write(&secret(b"one")).unwrap(), Write::Unchanged);
    assert_eq!(inode(), first);
    for bytes in [&b"two"[..], b"tw", b"twoo", b""] {
        assert_eq!(file(&path, 0o600).write(&secret(bytes)).unwrap(), Write::Replaced);
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(file(&path, 0o440).write(&secret(b"")).unwrap(), Write::Replaced);
    assert_eq!(mode(&path), 0o440);
    // Somebody opened it to others.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(file(&path, 0o440).write(&secret(b"")).unwrap(), Write::Replaced);
    assert_eq!(mode(&path), 0o440);
}

#[test]
fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
    let Some(folder) = in_memory() else { return };
    let (path, target) = (folder.path().join("secret"), folder.path().join("target"));
    for content in [&b"other"[..], b"hunter2"] {
        let _ = fs::remove_file(&path);
        fs::write(&target, content).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&target, &path).unwrap();
        // Even when the target is to the letter what is wanted.
        assert_eq!(file(&path, 0o600).write(&secret(b"hunter2")).unwrap(), Write::Replaced);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(&target).unwrap(), content);
        assert_eq!(fs::read(&path).unwrap(), b"hunter2");
    }
    let _ = fs::remove_file(&path);
    symlink(folder.path().join("nowhere"), &path).unwrap();
    file(&path, 0o600).write(&secret(b"hunter2")).unwrap();
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn a_pipe_at_the_path_is_replaced_and_a_directory_is_refused() {
    let Some(folder) = in_memory() else { return };
    let pipe = folder.path().join("pipe");
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, mode, 0).unwrap();
    file(&pipe, 0o600).write(&secret(b"x")).unwrap();
    assert_eq!(fs::read(&pipe).unwrap(), b"x");
    let directory = folder.path().join("directory");
    fs::create_dir(&directory).unwrap();
    let error = file(&directory, 0o600).write(&secret(b"x")).unwrap_err();
    assert_eq!(error.code(), "SEF-004");
    assert_eq!(names(folder.path()), ["directory", "pipe"]);
    let below = file(&pipe.join("secret"), 0o600).write(&secret(b"x")).unwrap_err();
    assert_eq!(below.code(), "SEF-005", "{below}");
}

#[test]
fn a_disk_is_refused_before_anything_is_made_on_it() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let magic = rustix::fs::statfs(folder.path()).unwrap().f_type;
    if [0x0102_1994, 0x8584_58f6].contains(&magic) {
        eprintln!("skipped: the build directory is in memory");
        return;
    }
    let path = folder.path().join("new/secret");
    let error = file(&path, 0o600).write(&secret(b"hunter2")).unwrap_err();
    assert!(matches!(error, SecretFileError::OnDisk { .. }), "{error}");
    assert!(error.to_string().contains("allow_disk_danger"));
    assert!(names(folder.path()).is_empty());
    // A link from memory to the disk does not help.
    if let Some(memory) = in_memory() {
        symlink(folder.path(), memory.path().join("link")).unwrap();
        let error = file(&memory.path().join("link/below/secret"), 0o600).write(&secret(b"x")).unwrap_err();
        assert_eq!(error.code(), "SEF-002");
        assert!(names(folder.path()).is_empty());
    }
    let allowed = PrivateFile::new(&path, 0o600, None, None, true).unwrap();
    assert_eq!(allowed.write(&secret(b"hunter2")).unwrap(), Write::Replaced);
    assert_eq!(fs::read(&path).unwrap(), b"hunter2");
}

#[test]
fn paths_and_owners_that_cannot_be_are_refused() {
    for path in ["secret", "a/secret", "/", "/a/../secret", "/a/./secret", "/a//secret", "/a/secret/", ""] {
        let error = PrivateFile::new(Path::new(path), 0o600, None, None, false).unwrap_err();
        assert_eq!(error.code(), "SEF-001", "{path}");
    }
    let new = |mode, uid, gid| PrivateFile::new(Path::new("/run/x"), mode, uid, gid, false);
    assert!(new(0o777, Some(0), Some(0)).is_ok());
    assert_eq!(new(0o1600, None, None).unwrap_err().code(), "SEF-001");
    assert_eq!(new(0o4755, None, None).unwrap_err().code(), "SEF-001");
    assert_eq!(new(0o600, Some(u32::MAX), None).unwrap_err().code(), "SEF-001");
    assert_eq!(new(0o600, None, Some(u32::MAX)).unwrap_err().code(), "SEF-001");
    let long = PathBuf::from(format!("/run/{}", "x".repeat(201)));
    assert!(PrivateFile::new(&long, 0o600, None, None, false).is_err());
}

#[test]
fn the_owner_is_as_asked_where_the_agent_may_give_files_away() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    let given = PrivateFile::new(&path, 0o640, Some(1234), Some(4321), false).unwrap();
    if !rustix::process::geteuid().is_root() {
        // Then it is refused, and nothing is left.
        assert_eq!(given.write(&secret(b"x")).unwrap_err().code(), "SEF-005");
        assert!(names(folder.path()).is_empty());
        return;
    }
    given.write(&secret(b"x")).unwrap();
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (1234, 4321, 0o640));
    assert_eq!(given.write(&secret(b"x")).unwrap(), Write::Unchanged);
    let other = PrivateFile::new(&path, 0o640, Some(1235), Some(4321), false).unwrap();
    assert_eq!(other.write(&secret(b"x")).unwrap(), Write::Replaced);
    assert_eq!(fs::metadata(&path).unwrap().uid(), 1235);
    // Without an owner it is the agent's own: another one could change it.
    assert_eq!(file(&path, 0o640).write(&secret(b"x")).unwrap(), Write::Replaced);
    assert_eq!(fs::metadata(&path).unwrap().uid(), 0);
}

#[test]
fn two_writers_and_a_reader_see_whole_secrets_only() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    let secrets = [vec![b'a'; 40_000], vec![b'b'; 70_000]];
    file(&path, 0o600).write(&secret(&secrets[0])).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::SeqCst) || reads == 0 {
                let found = fs::read(&path).unwrap();
                assert!(secrets.contains(&found), "{} bytes", found.len());
                reads += 1;
            }
        });
        let writers: Vec<_> = secrets
            .iter()
            .map(|content| {
                scope.spawn(|| {
                    for _ in 0..200 {
                        file(&path, 0o600).write(&secret(content)).unwrap();
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(names(folder.path()), ["secret"]);
}

/// A small tmpfs, gone at the end.
pub(crate) struct Mount(pub(crate) TempDir);

impl Mount {
    pub(crate) fn of_64_kibibytes() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,nr_inodes=16", "tmpfs"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Mount(folder)),
            other => {
                eprintln!("skipped: a tmpfs cannot be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_file_system_is_said_and_leaves_the_old_secret_whole() {
    let Some(mount) = Mount::of_64_kibibytes() else { return };
    let path = mount.0.path().join("secret");
    file(&path, 0o600).write(&secret(&[b'a'; 8000])).unwrap();
    let error = file(&path, 0o600).write(&secret(&[b'b'; 100_000])).unwrap_err();
    assert!(matches!(error, SecretFileError::NoSpace { bytes: 100_000, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), [b'a'; 8000]);
    assert_eq!(names(mount.0.path()), ["secret"]);
    // No room for another name either.
    let taken: Vec<_> = (0..)
        .map(|n| mount.0.path().join(format!("taken{n}")))
        .take_while(|name| fs::write(name, b"").is_ok())
        .collect();
    let error = file(&path, 0o600).write(&secret(b"c")).unwrap_err();
    assert_eq!(error.code(), "SEF-003");
    fs::remove_file(&taken[0]).unwrap();
    assert_eq!(file(&path, 0o600).write(&secret(b"c")).unwrap(), Write::Replaced);
}
