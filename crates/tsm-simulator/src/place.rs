//! Where the files are presented: an empty directory, and what a killed simulator leaves there.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;

use crate::SimulatorError;

/// The program that mounts and unmounts for everybody (Debian: fuse3).
const FUSERMOUNT: &str = "fusermount3";
/// In a directory of plain files: says that a simulator made them, and holds files that are being written.
pub(crate) const MARK: &str = ".tsm-simulator";
/// What a simulator puts beside it.
const MADE: [&str; 3] = ["sys", "dev", MARK];

/// Why FUSE cannot be used here; `None` when nothing is known against it. Tests that need it ask this.
pub fn fuse_missing() -> Option<SimulatorError> {
    let no = |why: String| Some(SimulatorError::NoFuse { why });
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/fuse") {
        return no(format!("/dev/fuse cannot be opened ({error})"));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join(FUSERMOUNT).is_file()) {
        return no(format!("there is no {FUSERMOUNT} in PATH"));
    }
    None
}

/// Clears what a simulator that was killed has left at `dir`: its mount or its plain files. Says whether there was
/// anything. A simulator that still runs there is cut off; other files are never touched.
///
/// # Errors
/// [`SimulatorError::File`] when it cannot be removed.
pub fn clear(dir: &Path) -> Result<bool, SimulatorError> {
    let mut cleared = false;
    // One mount may hide another.
    while is_stale(dir) {
        unmount(dir, false).map_err(SimulatorError::file("unmounting", dir))?;
        cleared = true;
    }
    if dir.join(MARK).is_dir() {
        remove_files(dir)?;
        cleared = true;
    }
    Ok(cleared)
}

/// Removes the plain files of a simulator.
pub(crate) fn remove_files(dir: &Path) -> Result<(), SimulatorError> {
    for name in MADE {
        let path = dir.join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SimulatorError::file("removing", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether it is the mount of a FUSE file system that nobody serves.
fn is_stale(dir: &Path) -> bool {
    let error = fs::metadata(dir).err().and_then(|error| Errno::from_io_error(&error));
    matches!(error, Some(Errno::NOTCONN | Errno::CONNABORTED))
}

/// The directory, absolute: there, not a dead mount, and empty.
pub(crate) fn empty_directory(dir: &Path) -> Result<PathBuf, SimulatorError> {
    if is_stale(dir) {
        return Err(SimulatorError::StaleMount { dir: dir.to_owned() });
    }
    fs::create_dir_all(dir).map_err(SimulatorError::file("making", dir))?;
    let dir = dir.canonicalize().map_err(SimulatorError::file("finding", dir))?;
    if dir.join(MARK).exists() {
        return Err(SimulatorError::Leftover { dir });
    }
    let mut entries = fs::read_dir(&dir).map_err(SimulatorError::file("reading", &dir))?;
    if let Some(entry) = entries.next() {
        let entry = entry.map_err(SimulatorError::file("reading", &dir))?;
        let found = entry.file_name().to_string_lossy().chars().take(64).collect();
        return Err(SimulatorError::NotEmpty { dir, found });
    }
    Ok(dir)
}

/// Unmounts; with `lazily` also while files are open, which then end in errors.
pub(crate) fn unmount(dir: &Path, lazily: bool) -> io::Result<()> {
    let mut command = Command::new(FUSERMOUNT);
    command.arg("-u");
    if lazily {
        command.arg("-z");
    }
    let output = command.arg("--").arg(dir).stdin(Stdio::null()).stdout(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(&output.stderr).chars().take(200).collect();
    Err(io::Error::other(format!("{FUSERMOUNT}: {}", said.trim())))
}
