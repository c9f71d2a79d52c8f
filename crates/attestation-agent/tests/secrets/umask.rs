//! Modes under a wide and under a narrow umask, which belongs to a process: a child has its own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use assay_attestation_agent::secrets::private_file::PrivateFile;
use assay_types::Coded as _;
use rustix::fs::Mode;

use crate::private_file::{in_memory, names, secret};

const VARIABLE: &str = "ASSAY_TEST_UMASK";

/// In the child: the work. Without the variable there is nothing to do.
#[test]
fn the_child_writes_under_its_umask() {
    let Ok(umask) = std::env::var(VARIABLE) else { return };
    let Some(folder) = in_memory() else { return };
    rustix::process::umask(Mode::from_raw_mode(u32::from_str_radix(&umask, 8).unwrap()));
    for wanted in [0o600, 0o640, 0o444, 0o000, 0o777] {
        let path = folder.path().join(format!("d{wanted}/e/secret"));
        let written = PrivateFile::new(&path, wanted, None, None, false).unwrap().write(&secret(b"x"));
        if umask.starts_with('2') {
            // The directory would not be the owner's to write into, and nothing is changed after it is made.
            assert_eq!(written.unwrap_err().code(), "SEF-007");
            assert!(names(folder.path()).is_empty());
            continue;
        }
        written.unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&path), wanted, "umask {umask}");
        assert_eq!(mode(path.parent().unwrap()), 0o700, "umask {umask}");
    }
    eprintln!("done under {umask}");
}

#[test]
fn modes_are_as_asked_whatever_the_umask() {
    if in_memory().is_none() {
        return;
    }
    for umask in ["000", "022", "077", "277"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "umask::the_child_writes_under_its_umask", "--nocapture"])
            .env(VARIABLE, umask)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(&format!("done under {umask}")), "{said}");
    }
}
