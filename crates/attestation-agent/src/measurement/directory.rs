//! The directory of the event log: its lock, the log, the write-ahead log, the registers as they were left. No symbolic link in it is followed.

use std::ffi::CStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::MeasurementError;
use super::kept::MAX_KEPT;
use super::steps::{Step, Steps};
use super::wal::MAX_WAL;

const LOG: &CStr = c"eventlog";
const WAL: &CStr = c".wal_event_entry";
const LOCK: &CStr = c".lock";
const KEPT: &CStr = c".registers";
/// Where it is written before it takes its place. What a death leaves of it is never read.
const KEPT_NEW: &CStr = c".registers.new";
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The directory, locked for this process as long as the value lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    handle: OwnedFd,
    log: File,
    _lock: OwnedFd,
}

impl Directory {
    /// Makes the directory where it is not there (mode 0700), takes its lock, opens the log (mode 0600).
    pub(super) fn open(path: &Path) -> Result<Self, MeasurementError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|e| MeasurementError::file("making", path, e))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| not_fit(path, errno))?;
        let handle = File::from(handle);
        private(path, &handle)?;
        let handle = OwnedFd::from(handle);

        let open = |name: &CStr| -> Result<File, MeasurementError> {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let path = joined(path, name);
            let file = rustix::fs::openat(&handle, name, flags, PRIVATE).map_err(|e| not_fit(&path, e))?;
            let file = File::from(file);
            regular(&path, &file)?;
            private(&path, &file)?;
            Ok(file)
        };
        let lock = OwnedFd::from(open(LOCK)?);
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|errno| match errno {
            Errno::WOULDBLOCK => MeasurementError::InUse { path: path.to_owned() },
            errno => MeasurementError::file("locking", &joined(path, LOCK), errno),
        })?;
        let log = open(LOG)?;
        Ok(Directory { path: path.to_owned(), handle, log, _lock: lock })
    }

    /// The log's path, for messages.
    pub(super) fn log_path(&self) -> PathBuf {
        joined(&self.path, LOG)
    }

    /// The write-ahead log's path, for messages.
    pub(super) fn wal_path(&self) -> PathBuf {
        joined(&self.path, WAL)
    }

    /// What the log holds, at most `max` bytes.
    pub(super) fn read_log(&self, max: u64) -> Result<Vec<u8>, MeasurementError> {
        let failed = |e| MeasurementError::file("reading", &self.log_path(), e);
        let len = self.log_len()?;
        if len > max {
            let why = format!("it has {len} bytes, at most {max} are read");
            return Err(MeasurementError::LogDamaged { path: self.log_path(), why });
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        self.log.read_exact_at(&mut bytes, 0).map_err(failed)?;
        Ok(bytes)
    }

    /// The length of the log in bytes.
    pub(super) fn log_len(&self) -> Result<u64, MeasurementError> {
        let metadata = self.log.metadata();
        Ok(metadata.map_err(|e| MeasurementError::file("reading", &self.log_path(), e))?.len())
    }

    /// Cuts the log to `len` bytes.
    pub(super) fn cut_log(&self, len: u64, steps: &dyn Steps) -> Result<(), MeasurementError> {
        steps
            .before(Step::LogCut)
            .and_then(|()| self.log.set_len(len))
            .map_err(|e| MeasurementError::file("cutting", &self.log_path(), e))
    }

    /// Writes an entry at `offset` of the log, and syncs it.
    pub(super) fn write_log(
        &self,
        offset: u64,
        entry: &[u8],
        steps: &dyn Steps,
    ) -> Result<(), MeasurementError> {
        steps
            .before(Step::LogWrite)
            .and_then(|()| self.log.write_all_at(entry, offset))
            .map_err(|e| MeasurementError::file("writing", &self.log_path(), e))?;
        steps
            .before(Step::LogSync)
            .and_then(|()| self.log.sync_all())
            .map_err(|e| MeasurementError::file("syncing", &self.log_path(), e))
    }

    /// The path of what is kept of the registers, for messages.
    pub(super) fn kept_path(&self) -> PathBuf {
        joined(&self.path, KEPT)
    }

    /// What the write-ahead log holds, where there is one. Of a longer one than can be read one byte more.
    pub(super) fn read_wal(&self) -> Result<Option<Vec<u8>>, MeasurementError> {
        self.read_file(WAL, MAX_WAL)
    }

    /// What is kept of the registers, where there is such a file. Of a longer one than can be read one byte more.
    pub(super) fn read_kept(&self) -> Result<Option<Vec<u8>>, MeasurementError> {
        self.read_file(KEPT, MAX_KEPT)
    }

    fn read_file(&self, name: &CStr, most: usize) -> Result<Option<Vec<u8>>, MeasurementError> {
        let path = joined(&self.path, name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(not_fit(&path, errno)),
        };
        regular(&path, &file)?;
        private(&path, &file)?;
        let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(|e| MeasurementError::file("reading", &path, e))?;
        Ok(Some(bytes))
    }

    /// Keeps this of the registers: all of it, or what was kept before.
    pub(super) fn write_kept(&self, bytes: &[u8], steps: &dyn Steps) -> Result<(), MeasurementError> {
        let path = &joined(&self.path, KEPT_NEW);
        let failed = |action| move |e: io::Error| MeasurementError::file(action, path, e);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let write = || {
            self.unlink(KEPT_NEW)?;
            let mut file = File::from(rustix::fs::openat(&self.handle, KEPT_NEW, flags, PRIVATE)?);
            file.write_all(bytes)?;
            Ok(file)
        };
        let file = steps.before(Step::RegistersWrite).and_then(|()| write()).map_err(failed("writing"))?;
        steps.before(Step::RegistersSync).and_then(|()| file.sync_all()).map_err(failed("syncing"))?;
        steps
            .before(Step::RegistersRename)
            .and_then(|()| Ok(rustix::fs::renameat(&self.handle, KEPT_NEW, &self.handle, KEPT)?))
            .map_err(failed("renaming"))?;
        self.sync_names(Step::RegistersNameSync, steps)
    }

    /// Makes the write-ahead log's file, which must not be there (mode 0600).
    pub(super) fn create_wal(&self, steps: &dyn Steps) -> Result<File, MeasurementError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        steps
            .before(Step::WalCreate)
            .and_then(|()| Ok(rustix::fs::openat(&self.handle, WAL, flags, PRIVATE)?))
            .map(File::from)
            .map_err(|e| MeasurementError::file("making", &self.wal_path(), e))
    }

    /// Writes it, and syncs it and its name.
    pub(super) fn write_wal(
        &self,
        mut file: File,
        bytes: &[u8],
        steps: &dyn Steps,
    ) -> Result<(), MeasurementError> {
        let failed = |action| move |e: io::Error| MeasurementError::file(action, &self.wal_path(), e);
        steps.before(Step::WalWrite).and_then(|()| file.write_all(bytes)).map_err(failed("writing"))?;
        steps.before(Step::WalSync).and_then(|()| file.sync_all()).map_err(failed("syncing"))?;
        self.sync_names(Step::WalNameSync, steps)
    }

    /// Removes the write-ahead log, where it is there, and syncs its directory.
    pub(super) fn remove_wal(&self, steps: &dyn Steps) -> Result<(), MeasurementError> {
        steps
            .before(Step::WalRemove)
            .and_then(|()| self.unlink(WAL))
            .map_err(|e| MeasurementError::file("removing", &self.wal_path(), e))?;
        self.sync_names(Step::WalRemoveSync, steps)
    }

    /// Removes a file, where it is there.
    fn unlink(&self, name: &CStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn sync_names(&self, step: Step, steps: &dyn Steps) -> Result<(), MeasurementError> {
        steps
            .before(step)
            .and_then(|()| Ok(rustix::fs::fsync(&self.handle)?))
            .map_err(|e| MeasurementError::file("syncing", &self.path, e))
    }
}

fn joined(directory: &Path, name: &CStr) -> PathBuf {
    directory.join(name.to_string_lossy().as_ref())
}

/// A file or directory that could not be opened, perhaps because it is a link.
fn not_fit(path: &Path, errno: Errno) -> MeasurementError {
    let why = match errno {
        Errno::LOOP => "is a symbolic link; links are not followed here",
        Errno::NOTDIR => "is no directory, or a symbolic link; expected a directory",
        Errno::ISDIR => "is a directory; expected a file",
        Errno::NXIO => "is a pipe or socket; expected a file",
        errno => return MeasurementError::file("opening", path, errno),
    };
    MeasurementError::Directory { path: path.to_owned(), why: why.to_owned() }
}

fn regular(path: &Path, file: &File) -> Result<(), MeasurementError> {
    let metadata = file.metadata().map_err(|e| MeasurementError::file("reading", path, e))?;
    if metadata.is_file() {
        Ok(())
    } else {
        Err(MeasurementError::Directory { path: path.to_owned(), why: "is no regular file".to_owned() })
    }
}

/// Ours, and not writable by others.
fn private(path: &Path, file: &File) -> Result<(), MeasurementError> {
    let metadata = file.metadata().map_err(|e| MeasurementError::file("reading", path, e))?;
    let us = rustix::process::geteuid().as_raw();
    let not = |why| Err(MeasurementError::Directory { path: path.to_owned(), why });
    if metadata.uid() != us {
        return not(format!("belongs to user {}, expected {us}, as whom the agent runs", metadata.uid()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return not(format!("can be written by others (mode {mode:04o}); expected at most 0755"));
    }
    Ok(())
}
