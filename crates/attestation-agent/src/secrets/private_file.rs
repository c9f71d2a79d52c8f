//! One secret in one file: in memory only, readable by those it is for, whole or not there at all.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use assay_types::SecretBytes;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::file_error::SecretFileError;
use super::trusted_directory::{self, Missing};

/// How often another name for the temporary file is tried.
const MAX_NAMES: usize = 128;

/// Where a secret goes and who may read it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateFile {
    path: PathBuf,
    directory: PathBuf,
    name: OsString,
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
    allow_disk: bool,
}

/// What [`PrivateFile::write`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The file had this content, mode and owner already; it was not touched.
    Unchanged,
    /// There is a new file.
    Replaced,
}

impl PrivateFile {
    /// A file at the absolute `path`, without `.` and `..`, of that mode (permission bits only) and owner
    /// (the agent's own where `None`).
    ///
    /// # Errors
    /// [`SecretFileError::Path`].
    pub fn new(
        path: &Path,
        mode: u32,
        uid: Option<u32>,
        gid: Option<u32>,
        allow_disk: bool,
    ) -> Result<Self, SecretFileError> {
        let wrong = |why| SecretFileError::Path { path: path.display().to_string(), why };
        // `components` passes over `/./` and a slash at the end, which the text still shows.
        let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        let same = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
        if !path.is_absolute() || !plain || !same {
            return Err(wrong("the path must be absolute, without //, . and .., and not end in /"));
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(wrong("the path names no file"));
        };
        if name.len() > 200 {
            return Err(wrong("the name has more than 200 bytes"));
        }
        if mode & !0o777 != 0 {
            return Err(wrong("the mode has other bits than 0777"));
        }
        if uid == Some(u32::MAX) || gid == Some(u32::MAX) {
            return Err(wrong("4294967295 is no user or group: to the system it means \"as it is\""));
        }
        let (path, directory, name) = (path.to_owned(), directory.to_owned(), name.to_owned());
        Ok(PrivateFile { path, directory, name, mode, uid, gid, allow_disk })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `secret` there. The file is written under another name in the same directory and renamed when it
    /// is complete, so that a reader finds the old content or the new one; at no time has it more rights than
    /// its mode. A link at the path is replaced, not followed. Directories that are missing are made with
    /// mode 0700; those that are there must not let anyone but root and the agent's user put another file or
    /// directory in the way. Blocks.
    ///
    /// # Errors
    /// [`SecretFileError`]; the file is then as it was.
    pub fn write(&self, secret: &SecretBytes) -> Result<Write, SecretFileError> {
        let Some(directory) = self.open_directory(Missing::Make)? else {
            return Err(self.failed("making the directory of", &io::ErrorKind::NotFound.into()));
        };
        if self.is_there(&directory, secret).unwrap_or(false) {
            return Ok(Write::Unchanged);
        }
        let mut temporary = self.create_temporary(&directory)?;
        temporary.fill(self, secret.expose()).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOSPC | Errno::DQUOT) => {
                SecretFileError::NoSpace { path: shown(&self.path), bytes: secret.expose().len() }
            }
            _ => self.failed("writing", &error),
        })?;
        rustix::fs::renameat(&directory, &temporary.name, &directory, &self.name).map_err(
            |errno| match errno {
                Errno::ISDIR => SecretFileError::Directory { path: shown(&self.path) },
                errno => self.failed("renaming to", &errno.into()),
            },
        )?;
        temporary.done = true;
        rustix::fs::fsync(&directory).map_err(|e| self.failed("writing the directory of", &e.into()))?;
        Ok(Write::Replaced)
    }

    fn failed(&self, operation: &'static str, error: &io::Error) -> SecretFileError {
        SecretFileError::System { operation, path: shown(&self.path), why: error.to_string() }
    }

    fn open_directory(&self, missing: Missing) -> Result<Option<OwnedFd>, SecretFileError> {
        trusted_directory::open(&self.directory, missing, self.allow_disk)
    }

    /// Removes what a writer of this file left behind when it was killed: regular files of the name that
    /// [`PrivateFile::write`] gives to one that is not complete, which belong to the agent's user or to the
    /// file's. Not to be called while the file is written. Gives their number. Blocks.
    ///
    /// # Errors
    /// [`SecretFileError`].
    pub fn remove_leftovers(&self) -> Result<usize, SecretFileError> {
        let Some(directory) = self.open_directory(Missing::Leave)? else { return Ok(0) };
        let failed = |errno: Errno| self.failed("looking for leftovers of", &errno.into());
        let user = rustix::process::geteuid().as_raw();
        let mut removed: usize = 0;
        for entry in Dir::read_from(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if !self.is_temporary(name) {
                continue;
            }
            let found = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                found => found.map_err(failed)?,
            };
            let ours = found.st_uid == user || Some(found.st_uid) == self.uid;
            if !ours || FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
                continue;
            }
            match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
                Err(Errno::NOENT) => {}
                done => {
                    done.map_err(failed)?;
                    removed = removed.saturating_add(1);
                }
            }
        }
        Ok(removed)
    }

    /// The name of the file before it is complete: of this process, and never used by it before.
    fn temporary_name(&self, process: u32, number: u64) -> OsString {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{process}-{number}"));
        name
    }

    /// Whether `name` is [`PrivateFile::temporary_name`] of any process and number.
    fn is_temporary(&self, name: &OsStr) -> bool {
        let numbers = name
            .as_bytes()
            .strip_prefix(b".")
            .and_then(|rest| rest.strip_prefix(self.name.as_bytes()))
            .and_then(|rest| rest.strip_prefix(b"."))
            .and_then(|rest| str::from_utf8(rest).ok())
            .and_then(|rest| rest.split_once('-'));
        let Some((Ok(process), Ok(number))) = numbers.map(|(p, n)| (p.parse(), n.parse())) else {
            return false;
        };
        // Numbers have one form only: no sign, no zeros before them.
        self.temporary_name(process, number) == name
    }

    /// Whether the file is there as wanted.
    fn is_there(&self, directory: &OwnedFd, secret: &SecretBytes) -> io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(directory, &self.name, flags, Mode::empty())?);
        let found = file.metadata()?;
        let length = u64::try_from(secret.expose().len()).ok();
        if !found.is_file()
            || found.mode() & 0o7777 != self.mode
            // Who owns a file may change it.
            || self.uid.unwrap_or_else(|| rustix::process::geteuid().as_raw()) != found.uid()
            || self.gid.is_some_and(|gid| gid != found.gid())
            || length != Some(found.len())
        {
            return Ok(false);
        }
        let mut content = Zeroizing::new(vec![0; secret.expose().len()]);
        file.read_exact(&mut content)?;
        Ok(content.as_slice() == secret.expose())
    }

    /// An empty file of a name that nobody else has, with at most the rights that the owner is to have.
    fn create_temporary<'a>(&self, directory: &'a OwnedFd) -> Result<Temporary<'a>, SecretFileError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(self.mode & 0o600);
        for _ in 0..MAX_NAMES {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = self.temporary_name(std::process::id(), number);
            match rustix::fs::openat(directory, &name, flags, mode) {
                Ok(file) => return Ok(Temporary { directory, name, file: File::from(file), done: false }),
                Err(Errno::EXIST) => {}
                Err(Errno::NOSPC | Errno::DQUOT) => {
                    return Err(SecretFileError::NoSpace { path: shown(&self.path), bytes: 0 });
                }
                Err(errno) => return Err(self.failed("making a file beside", &errno.into())),
            }
        }
        Err(self.failed("making a file beside", &io::ErrorKind::AlreadyExists.into()))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The file before it has its name; it goes away unless it gets it.
struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: OsString,
    file: File,
    done: bool,
}

impl Temporary<'_> {
    /// The owner first: with the mode before it, another group could read for a moment.
    fn fill(&mut self, wanted: &PrivateFile, content: &[u8]) -> io::Result<()> {
        if wanted.uid.is_some() || wanted.gid.is_some() {
            std::os::unix::fs::fchown(&self.file, wanted.uid, wanted.gid)?;
        }
        self.file.set_permissions(Permissions::from_mode(wanted.mode))?;
        self.file.write_all(content)?;
        self.file.sync_all()
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.done {
            let name: &OsStr = &self.name;
            // What cannot be taken away either stays; the error that led here is the one to tell.
            let _ = rustix::fs::unlinkat(self.directory, name, AtFlags::empty());
        }
    }
}
