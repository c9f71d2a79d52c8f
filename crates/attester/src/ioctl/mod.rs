//! Device calls that the standard library does not offer, each with the layout of its structures and their
//! source. Numbers are in the order of the machine, which is little endian wherever these devices are.
//!
//! This is the only module with unsafe code. What makes the calls sound: each structure has the size and the
//! alignment of the kernel's, which is asserted where it is declared; each buffer that a structure points to
//! lives until the call has returned and is at least as long as the structure says; what the kernel says of
//! lengths is checked before anything is taken from a buffer.
#![allow(unsafe_code)]

pub mod occlum;
pub mod snp;
pub mod tdx;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::ioctl::{Opcode, Updater};

use crate::AttesterError;

fn open(path: &Path) -> Result<File, AttesterError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.map_err(|error| AttesterError::device("opening", path, error))
}

/// Calls with a structure that the kernel reads and writes.
///
/// # Safety
/// `OPCODE` is one that takes a `T`, and whatever `value` points to is valid for what the driver does with it.
unsafe fn update<const OPCODE: Opcode, T>(file: &File, value: &mut T) -> io::Result<()> {
    // SAFETY: by the contract of this function.
    unsafe { rustix::ioctl::ioctl(file, Updater::<OPCODE, T>::new(value)) }.map_err(io::Error::from)
}

fn malformed(path: &Path, why: String) -> AttesterError {
    AttesterError::Malformed { what: path.display().to_string(), why }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_file_that_is_no_device_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device");
        let deadline = Instant::now() + Duration::from_secs(5);
        let calls: [fn(&Path, Instant) -> Option<AttesterError>; 3] = [
            |path, deadline| snp::report(path, &[0; 64], 0, deadline).err(),
            |path, deadline| tdx::report(path, &[0; 64], deadline).err(),
            |path, deadline| occlum::quote(path, &[0; 64], deadline).err(),
        ];
        for call in calls {
            let missing = call(&path, deadline).unwrap();
            assert!(matches!(missing, AttesterError::Device { action: "opening", .. }));
        }
        std::fs::write(&path, "").unwrap();
        for call in calls {
            let error = call(&path, deadline).unwrap();
            let AttesterError::Device { action: "asking", source, .. } = error else { unreachable!() };
            assert_eq!(source.raw_os_error(), Some(rustix::io::Errno::NOTTY.raw_os_error()));
        }
    }
}
