//! `LocalFs`: a file for each value. Files are opened below their folder by the kernel
//! (`openat2`, `RESOLVE_BENEATH`), so no link leads out of it, whoever changes it meanwhile.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use assay_types::SecretBytes;
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{Allowance, MAX_VALUE_LEN, Namespace, key};
use crate::foreign::{Entry, EntryError, ForeignError};

/// `<folder>/<namespace>/<escaped key>`.
pub(super) fn local_fs(folder: &Path, namespace: Namespace) -> Result<Vec<Entry>, ForeignError> {
    let root = open_root(folder)?;
    let place = || folder.join(namespace.as_str()).display().to_string();
    let directory = match open_below(&root, OsStr::new(namespace.as_str()), OFlags::DIRECTORY) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(error) => return Err(not_readable(place(), error)),
    };
    let mut allowance = Allowance::new(&place);
    let mut entries = Vec::new();
    for name in names(&directory, &place)? {
        let shown = name.to_string_lossy().into_owned();
        let entry = match name.to_str().ok_or(NOT_TEXT).and_then(key::key_of) {
            Ok(key) => Entry { key, value: read(&directory, &name) },
            Err(error) => Entry { key: shown, value: Err(error) },
        };
        allowance.take(entry.value.as_ref().map_or(0, |value| value.expose().len()))?;
        entries.push(entry);
    }
    Ok(entries)
}

/// `<folder>/<repository>/<type>/<tag>`.
pub(super) fn repository(folder: &Path) -> Result<Vec<Entry>, ForeignError> {
    let root = open_root(folder)?;
    let place = || folder.display().to_string();
    let mut walk = Walk { allowance: Allowance::new(&place), place: &place, entries: Vec::new() };
    walk.folder(&root, "", 1)?;
    Ok(walk.entries)
}

/// How many folders lie above a tag, with the root.
const LEVELS: usize = 3;

const NOT_TEXT: EntryError = EntryError::Key { detail: "it is not UTF-8 text" };

struct Walk<'a> {
    allowance: Allowance<'a>,
    place: &'a dyn Fn() -> String,
    entries: Vec<Entry>,
}

impl Walk<'_> {
    fn folder(&mut self, directory: &OwnedFd, above: &str, level: usize) -> Result<(), ForeignError> {
        for name in names(directory, self.place)? {
            let key = format!("{above}{}", name.to_string_lossy());
            if name.to_str().is_none() {
                self.add(key, Err(NOT_TEXT))?;
            } else if level == LEVELS {
                let value = key::check(&key).and_then(|()| read(directory, &name));
                self.add(key, value)?;
            } else {
                // A folder is passed over without a word when nothing is in it: Trustee makes such.
                match open_below(directory, &name, OFlags::DIRECTORY) {
                    Ok(below) => self.folder(&below, &format!("{key}/"), level + 1)?,
                    Err(Errno::NOTDIR) => {
                        let detail = "a resource lies three folders deep: <repository>/<type>/<tag>";
                        self.add(key, Err(EntryError::Key { detail }))?;
                    }
                    Err(error) => self.add(key, Err(entry_error(error)))?,
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, key: String, value: Result<SecretBytes, EntryError>) -> Result<(), ForeignError> {
        self.allowance.take(value.as_ref().map_or(0, |value| value.expose().len()))?;
        self.entries.push(Entry { key, value });
        Ok(())
    }
}

/// The folder itself may be reached through links: its owner named it.
fn open_root(folder: &Path) -> Result<OwnedFd, ForeignError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT => ForeignError::NotThere { place: folder.display().to_string() },
        error => not_readable(folder.display().to_string(), error),
    })
}

fn open_below(directory: &OwnedFd, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    // Non-blocking, so that a pipe with nobody at the other end holds up nothing.
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(directory.as_fd(), name, flags, Mode::empty(), within)
}

/// The names in the folder, at most as many as are read.
fn names(directory: &OwnedFd, place: &dyn Fn() -> String) -> Result<Vec<std::ffi::OsString>, ForeignError> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut names = Vec::new();
    for entry in Dir::read_from(directory).map_err(|e| not_readable(place(), e))? {
        let entry = entry.map_err(|e| not_readable(place(), e))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
        if names.len() > super::MAX_ENTRIES {
            return Err(ForeignError::TooMany { place: place(), limit: super::MAX_ENTRIES });
        }
    }
    names.sort();
    Ok(names)
}

fn read(directory: &OwnedFd, name: &OsStr) -> Result<SecretBytes, EntryError> {
    let file = File::from(open_below(directory, name, OFlags::empty()).map_err(entry_error)?);
    let failed = |error: io::Error| EntryError::NotReadable { detail: error.to_string() };
    let status = file.metadata().map_err(failed)?;
    if !status.is_file() {
        return Err(EntryError::NotAFile);
    }
    let too_large = || EntryError::TooLarge { limit: MAX_VALUE_LEN };
    let len = usize::try_from(status.len()).map_err(|_| too_large())?;
    if len > MAX_VALUE_LEN {
        return Err(too_large());
    }
    // Room for all of it at once: a secret that moves when its buffer grows leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(len + 1));
    let limit = u64::try_from(MAX_VALUE_LEN).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_VALUE_LEN {
        return Err(too_large());
    }
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

fn entry_error(error: Errno) -> EntryError {
    match error {
        Errno::XDEV => EntryError::LeavesFolder,
        // A socket, or a device without a driver.
        Errno::NXIO | Errno::NODEV => EntryError::NotAFile,
        error => EntryError::NotReadable { detail: io::Error::from(error).to_string() },
    }
}

fn not_readable(place: String, error: Errno) -> ForeignError {
    let detail = match error {
        Errno::XDEV => "it is a link that leads out of its folder".to_owned(),
        error => io::Error::from(error).to_string(),
    };
    ForeignError::NotReadable { place, detail }
}
