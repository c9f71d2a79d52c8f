//! Which directories are taken for secrets.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_attestation_agent::secrets::file_error::SecretFileError;
use assay_types::Coded as _;
use rustix::fs::{CWD, RenameFlags};

use crate::private_file::{file, in_memory, mode, names, secret};
use crate::task::{SECRET, World, settings};

const STRANGER: u32 = 1234;
const VARIABLE: &str = "ASSAY_TEST_DIRECTORY";

fn directory(path: &Path, mode: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn write(path: &Path) -> Result<(), SecretFileError> {
    file(path, 0o600).write(&secret(b"hunter2")).map(|_| ())
}

/// Refused for that reason.
fn refused(path: &Path, why: &str) {
    let error = write(path).unwrap_err();
    assert_eq!(error.code(), "SEF-007", "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_directory_in_which_others_may_write_is_refused() {
    let Some(folder) = in_memory() else { return };
    for wrong in [0o777, 0o770, 0o702, 0o720, 0o2775] {
        let open = folder.path().join(format!("{wrong:o}"));
        directory(&open, wrong);
        directory(&open.join("below"), 0o700);
        refused(&open.join("secret"), "others may write there");
        refused(&open.join("below/secret"), "others may write there");
        refused(&open.join("new/secret"), "others may write there");
        assert_eq!(names(&open), ["below"]);
        assert!(names(&open.join("below")).is_empty());
    }
    for right in [0o700, 0o755, 0o2755] {
        let closed = folder.path().join(format!("{right:o}"));
        directory(&closed, right);
        write(&closed.join("secret")).unwrap();
    }
}

#[test]
fn below_a_sticky_directory_what_is_ours_is_taken() {
    let Some(folder) = in_memory() else { return };
    let sticky = folder.path().join("tmp");
    directory(&sticky, 0o1777);
    write(&sticky.join("ours/secret")).unwrap();
    assert_eq!(mode(&sticky.join("ours")), 0o700);
    write(&sticky.join("ours/again")).unwrap();
}

#[test]
fn what_belongs_to_a_stranger_is_refused() {
    let Some(folder) = in_memory() else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can make what belongs to others");
        return;
    }
    let sticky = folder.path().join("tmp");
    directory(&sticky, 0o1777);
    directory(&sticky.join("theirs"), 0o755);
    directory(&sticky.join("theirs/ours"), 0o700);
    chown(sticky.join("theirs"), Some(STRANGER), None).unwrap();
    refused(&sticky.join("theirs/secret"), "belongs to the user 1234");
    refused(&sticky.join("theirs/ours/secret"), "belongs to the user 1234");
    refused(&sticky.join("theirs/new/secret"), "belongs to the user 1234");
    assert_eq!(names(&sticky.join("theirs")), ["ours"]);
    // A stranger's link, whatever it leads to.
    directory(&folder.path().join("good"), 0o700);
    directory(&folder.path().join("good/below"), 0o700);
    symlink(folder.path().join("good"), sticky.join("link")).unwrap();
    write(&sticky.join("link/below/secret")).unwrap();
    fs::remove_file(folder.path().join("good/below/secret")).unwrap();
    lchown(sticky.join("link"), Some(STRANGER), None).unwrap();
    refused(&sticky.join("link/below/secret"), "belongs to the user 1234");
    assert!(names(&folder.path().join("good/below")).is_empty());
}

#[test]
fn a_link_is_followed_on_the_way_but_is_not_the_directory() {
    let Some(folder) = in_memory() else { return };
    let at = |name: &str| folder.path().join(name);
    directory(&at("run"), 0o755);
    directory(&at("run/secrets"), 0o700);
    directory(&at("var"), 0o755);
    symlink("../run", at("var/run")).unwrap();
    symlink(at("run"), at("var/absolute")).unwrap();
    for name in ["var/run/secrets/a", "var/absolute/secrets/b", "var/run/new/c"] {
        write(&at(name)).unwrap();
    }
    assert_eq!(names(&at("run/secrets")), ["a", "b"]);
    assert_eq!((names(&at("run/new")), mode(&at("run/new"))), (vec!["c".to_owned()], 0o700));
    refused(&at("var/run/secret"), "is a link");
    refused(&at("var/absolute/secret"), "is a link");
    assert_eq!(names(&at("run")), ["new", "secrets"]);
    symlink("loop", at("loop")).unwrap();
    refused(&at("loop/below/secret"), "too many links");
    // What it leads to is looked at as well.
    directory(&at("open"), 0o777);
    directory(&at("open/below"), 0o700);
    symlink("../open", at("var/open")).unwrap();
    refused(&at("var/open/below/secret"), "others may write there");
}

#[test]
fn a_directory_that_is_swapped_does_not_lead_the_secret_elsewhere() {
    let Some(folder) = in_memory() else { return };
    let at = |name: &str| folder.path().join(name);
    directory(&at("secrets"), 0o700);
    directory(&at("elsewhere"), 0o700);
    symlink(at("elsewhere"), at("link")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                rustix::fs::renameat_with(CWD, at("secrets"), CWD, at("link"), RenameFlags::EXCHANGE)
                    .unwrap();
            }
        });
        let path = at("secrets/secret");
        let (mut written, mut kept_out) = (0, 0);
        for round in 0..100_000 {
            match file(&path, 0o600).write(&secret(format!("{round}").as_bytes())) {
                Ok(_) => written += 1,
                Err(error) => {
                    assert_eq!(error.code(), "SEF-007", "{error}");
                    kept_out += 1;
                }
            }
            if written > 200 && kept_out > 200 {
                break;
            }
        }
        done.store(true, Ordering::SeqCst);
        swapper.join().unwrap();
        assert!(written > 0 && kept_out > 0, "{written} {kept_out}");
    });
    assert!(names(&at("elsewhere")).is_empty());
}

/// In the child, which is no root: the work. Without the variable there is nothing to do.
#[test]
fn the_child_writes_as_another_user() {
    let Ok(folder) = std::env::var(VARIABLE) else { return };
    let folder = PathBuf::from(folder);
    // Below /dev/shm, which is root's and sticky.
    refused(&folder.join("secret"), "agent's user (1234)");
    refused(&folder.join("root/secret"), "agent's user (1234)");
    write(&folder.join("ours/secret")).unwrap();
    write(&folder.join("ours/below/secret")).unwrap();
    eprintln!("done as another user");
}

#[test]
fn an_agent_that_is_no_root_has_its_own_directory_below_a_sticky_one() {
    let Some(folder) = in_memory() else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    directory(&folder.path().join("root"), 0o755);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "directories::the_child_writes_as_another_user", "--nocapture"])
        .env(VARIABLE, folder.path())
        .uid(STRANGER)
        .output();
    let output = match output {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: another user cannot run the tests from where they are");
            return;
        }
        output => output.unwrap(),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("done as another user"), "{output:?}");
}

#[tokio::test]
async fn a_directory_that_is_not_safe_is_not_tried_again() {
    let Some(folder) = in_memory() else { return };
    directory(&folder.path().join("open"), 0o777);
    let broker = crate::broker::Broker::with(&[(SECRET, b"hunter2")]);
    let mut world = World::start(&[settings(&folder.path().join("open/secret"))], broker);
    world.end().await;
    let state = world.states.borrow()[0].state.clone();
    assert!(format!("{state:?}").contains("SEF-007"), "{state:?}");
    assert!(world.waits().is_empty());
}
