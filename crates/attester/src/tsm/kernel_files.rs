//! What is done to files of the kernel, so that tests can play the kernel.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// The calls that a report needs.
pub(super) trait KernelFiles: fmt::Debug + Send + Sync {
    /// Makes an entry.
    fn make(&self, entry: &Path) -> io::Result<()>;
    /// Reads an attribute: at most `max` bytes and one more.
    fn read(&self, attribute: &Path, max: usize) -> io::Result<Vec<u8>>;
    /// Writes an attribute that is there.
    fn write(&self, attribute: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Removes an entry with its attributes.
    fn remove(&self, entry: &Path) -> io::Result<()>;
}

/// configfs, or a file system that plays it.
#[derive(Debug)]
pub(super) struct Mounted;

/// The attributes that an entry can have.
const ATTRIBUTES: &[&str] = &[
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
];

impl KernelFiles for Mounted {
    fn make(&self, entry: &Path) -> io::Result<()> {
        fs::create_dir(entry)
    }

    fn read(&self, attribute: &Path, max: usize) -> io::Result<Vec<u8>> {
        crate::files::read_some(attribute, max)
    }

    fn write(&self, attribute: &Path, bytes: &[u8]) -> io::Result<()> {
        // Not created: what the kernel does not offer is not there.
        OpenOptions::new().write(true).open(attribute)?.write_all(bytes)
    }

    fn remove(&self, entry: &Path) -> io::Result<()> {
        match fs::remove_dir(entry) {
            // In configfs the attributes go with their directory. In a guest that is emulated with plain
            // files they are ours to remove.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                for name in ATTRIBUTES {
                    // What cannot be removed keeps the directory, and that is reported.
                    let _ = fs::remove_file(entry.join(name));
                }
                fs::remove_dir(entry)
            }
            done => done,
        }
    }
}
