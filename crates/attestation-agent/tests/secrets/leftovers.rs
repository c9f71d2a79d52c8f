//! What a writer that was killed leaves behind.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;

use assay_attestation_agent::secrets::files::FileState;
use assay_attestation_agent::secrets::private_file::PrivateFile;

use crate::broker::{Broker, unavailable};
use crate::private_file::{file, in_memory, names, secret};
use crate::task::{SECRET, World, settings};

const VARIABLE: &str = "ASSAY_TEST_KILLED";

/// In the child: the write that the limit for the length of files ends. Without the variable there is nothing
/// to do.
#[test]
fn the_child_is_killed_while_it_writes() {
    let Ok(path) = std::env::var(VARIABLE) else { return };
    let _ = file(&PathBuf::from(path), 0o600).write(&secret(&[b'x'; 1 << 20]));
}

#[test]
fn what_a_killed_writer_left_is_removed_and_the_secret_stays() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    file(&path, 0o600).write(&secret(b"old")).unwrap();
    // SIGXFSZ ends the process in the middle of the write.
    let killed = Command::new("sh")
        .args(["-c", "ulimit -c 0; ulimit -f 16; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "leftovers::the_child_is_killed_while_it_writes"])
        .env(VARIABLE, &path)
        .output()
        .unwrap();
    assert!(killed.status.signal().is_some(), "{killed:?}");
    assert_eq!(names(folder.path()).len(), 2, "{:?}", names(folder.path()));
    assert_eq!(file(&path, 0o600).remove_leftovers().unwrap(), 1);
    assert_eq!(names(folder.path()), ["secret"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn only_files_of_exactly_that_form_are_removed() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    let make = |name: &str| fs::write(folder.path().join(name), b"x").unwrap();
    let ours = [".secret.1-0", ".secret.4294967295-18446744073709551615", ".secret.77-3"];
    let mut others = vec![
        "secret",
        ".secret",
        ".secret.",
        ".secret.1",
        ".secret.1-",
        ".secret.-1",
        ".secret.01-1",
        ".secret.1-01",
        ".secret.+1-1",
        ".secret.1-+1",
        ".secret.a-1",
        ".secret.1-1.x",
        ".secret.1-1-1",
        ".secret.1-1 ",
        "secret.1-1",
        "..secret.1-1",
        ".secret2.1-1",
        ".other.1-1",
        ".secret.4294967296-1",
        ".secret.1-18446744073709551616",
        ".secret.1.1-1",
    ];
    ours.iter().chain(&others).for_each(|name| make(name));
    // Nor what is no regular file.
    fs::create_dir(folder.path().join(".secret.6-6")).unwrap();
    symlink(&path, folder.path().join(".secret.5-5")).unwrap();
    others.extend([".secret.5-5", ".secret.6-6"]);
    let root = rustix::process::geteuid().is_root();
    if root {
        // Nor what is another user's.
        make(".secret.7-7");
        std::os::unix::fs::chown(folder.path().join(".secret.7-7"), Some(1234), None).unwrap();
        others.push(".secret.7-7");
    }
    assert_eq!(file(&path, 0o600).remove_leftovers().unwrap(), ours.len());
    others.sort_unstable();
    assert_eq!(names(folder.path()), others);
    assert_eq!(file(&path, 0o600).remove_leftovers().unwrap(), 0);
    if root {
        // But the user's that the file is for: it may have been given away already.
        let given = PrivateFile::new(&path, 0o600, Some(1234), None, false).unwrap();
        assert_eq!(given.remove_leftovers().unwrap(), 1);
    }
}

#[test]
fn a_directory_that_is_missing_is_not_made_to_look_into() {
    let Some(folder) = in_memory() else { return };
    assert_eq!(file(&folder.path().join("a/b/secret"), 0o600).remove_leftovers().unwrap(), 0);
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn leftovers_are_removed_at_start_whether_or_not_there_is_a_secret() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    fs::write(folder.path().join(".secret.1-0"), b"half a sec").unwrap();
    let broker = Broker::with(&[]);
    broker.answers(SECRET, vec![Err(unavailable(None))]);
    let mut world = World::start(&[settings(&path)], broker);
    world.until_state(0, |state| matches!(state, FileState::Waiting { why: Some(_) })).await;
    assert!(names(folder.path()).is_empty());
}
