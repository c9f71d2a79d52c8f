//! Entries that an agent has left behind when it was killed.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::entry::{is_taken, parse_name};
use super::kernel_files::{KernelFiles, Mounted};

/// Removes entries with a name of ours whose process is gone. They must be older than `age`: an agent in
/// another process namespace has a process id that says nothing here, and its entries are young.
///
/// # Errors
/// Of reading the directory.
pub(super) fn remove(root: &Path, age: Duration) -> io::Result<()> {
    for found in fs::read_dir(root)? {
        let found = found?;
        if !found.file_name().to_str().is_some_and(is_orphan) || !is_older(&found, age) {
            continue;
        }
        match Mounted.remove(&found.path()) {
            Ok(()) => {
                tracing::info!(entry = %found.path().display(), "removed a report entry left behind");
            }
            Err(error) => {
                tracing::warn!(entry = %found.path().display(), %error, "a report entry left behind cannot be removed");
            }
        }
    }
    Ok(())
}

fn is_orphan(name: impl AsRef<OsStr>) -> bool {
    let Some((process, number)) = name.as_ref().to_str().and_then(parse_name) else { return false };
    if process == std::process::id() {
        // In a container the process id is often the same again.
        return !is_taken(number);
    }
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

fn is_older(found: &DirEntry, age: Duration) -> bool {
    let modified = found.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|found| found >= age))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tsm::entry::name;

    /// Above the highest process id that Linux gives (2^22).
    const NOBODY: u32 = 1 << 23;

    #[test]
    fn only_old_entries_of_dead_processes_go() {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("provider"), "x").unwrap();
            path
        };
        let dead = make(&name(NOBODY, 3));
        let restarted = make(&name(std::process::id(), u64::MAX));
        let kept = [
            make(&name(rustix::process::getppid().unwrap().as_raw_nonzero().get().unsigned_abs(), 0)),
            make("assay-8388608-x"),
            make("assay-8388608-03"),
            make("other-8388608-3"),
        ];
        remove(root.path(), Duration::from_secs(3600)).unwrap();
        assert!(dead.exists() && restarted.exists(), "they are young");
        remove(root.path(), Duration::ZERO).unwrap();
        assert!(!dead.exists() && !restarted.exists());
        assert!(kept.iter().all(|path| path.exists()));
    }
}
