//! One secret in one file: in memory only, readable by those it is for, whole or not there at all.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use assay_types::SecretBytes;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::file_error::SecretFileError;

/// What `statfs` says of tmpfs and of ramfs (linux/magic.h).
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

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
    /// mode 0700. Blocks.
    ///
    /// # Errors
    /// [`SecretFileError`]; the file is then as it was.
    pub fn write(&self, secret: &SecretBytes) -> Result<Write, SecretFileError> {
        let directory = self.open_directory()?;
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

    /// The directory, made where it is missing, in memory unless a disk is allowed.
    fn open_directory(&self) -> Result<OwnedFd, SecretFileError> {
        let mut missing = Vec::new();
        let mut there = self.directory.as_path();
        while std::fs::symlink_metadata(there).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            missing.push(there);
            let Some(above) = there.parent() else { break };
            there = above;
        }
        // Before anything is made on a disk.
        self.in_memory(&open_directory(there)?, there)?;
        for directory in missing.into_iter().rev() {
            let failed = |error: io::Error| SecretFileError::System {
                operation: "making the directory",
                path: shown(directory),
                why: error.to_string(),
            };
            match DirBuilder::new().mode(0o700).create(directory) {
                // The umask may have taken rights of the owner.
                Ok(()) => {
                    std::fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(failed)?;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let directory = open_directory(&self.directory)?;
        self.in_memory(&directory, &self.directory)?;
        Ok(directory)
    }

    fn in_memory(&self, directory: &OwnedFd, path: &Path) -> Result<(), SecretFileError> {
        let kind = rustix::fs::fstatfs(directory)
            .map_err(|errno| SecretFileError::System {
                operation: "asking for the file system of",
                path: shown(path),
                why: errno.to_string(),
            })?
            .f_type;
        if self.allow_disk || IN_MEMORY.iter().any(|magic| u32::try_from(kind) == Ok(*magic)) {
            return Ok(());
        }
        Err(SecretFileError::OnDisk { directory: shown(path), magic: u64::try_from(kind).unwrap_or(0) })
    }

    /// Whether the file is there as wanted.
    fn is_there(&self, directory: &OwnedFd, secret: &SecretBytes) -> io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(directory, &self.name, flags, Mode::empty())?);
        let found = file.metadata()?;
        let length = u64::try_from(secret.expose().len()).ok();
        if !found.is_file()
            || found.mode() & 0o7777 != self.mode
            || self.uid.is_some_and(|uid| uid != found.uid())
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
            let mut name = OsString::from(".");
            name.push(&self.name);
            name.push(format!(".{}-{number}", std::process::id()));
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

fn open_directory(path: &Path) -> Result<OwnedFd, SecretFileError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| SecretFileError::System {
        operation: "opening the directory",
        path: shown(path),
        why: io::Error::from(errno).to_string(),
    })
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
