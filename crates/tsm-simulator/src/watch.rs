//! Presenting by plain files, for places without FUSE.
//!
//! A thread looks after the files every few milliseconds. So a file answers a little after it is asked, and only by
//! its content, never by an error. What works:
//!
//! - Reports. Make a directory in `report/`, and wait until `provider` is in it. Write `privlevel` (SNP) if wanted,
//!   then `inblob`, in one write. Wait until `generation` is what the writes make it, then until `outblob` is there:
//!   it is put in place whole, `auxblob` before it. Until the thread has seen a new `inblob`, an old `outblob`
//!   stands there, so use an entry for one report.
//! - Inputs that the kernel refuses leave no `outblob`, and a line in the log.
//! - Reading the registers of TDX and CCEL.
//!
//! What does not work, because it needs an answer at once:
//!
//! - Extending a register: two writers, or a writer and the thread, could each lose the other's digest. What is
//!   written to a register is undone. **Extending needs FUSE.** In the same process,
//!   [`Handle::extend`] works.
//! - The services of an SVSM: their files are not there.
//! - rmdir of an entry: its files are in the way; remove them too.
//! - Code that is not written to wait, which is the code of real guests. It needs FUSE.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::io::Errno;

use crate::attribute::Attribute;
use crate::machine::Handle;
use crate::place::{MARK, empty_directory, remove_files};
use crate::tree::{self, Content, Place};
use crate::{SimulatedGuest, SimulatorError};

const LOOK_EVERY: Duration = Duration::from_millis(5);
/// More than any input, so that one which is too long is seen to be.
const MAX_READ: u64 = 8192;

/// A guest whose plain files are looked after; they are removed when it is dropped.
#[derive(Debug)]
pub struct Watched {
    handle: Handle,
    dir: PathBuf,
    thread: Option<JoinHandle<()>>,
}

/// Fills `dir`, an empty directory, which is made where it is missing, with the guest's files. The module says what
/// they can do and what needs [`mount`](crate::mount).
///
/// # Errors
/// [`SimulatorError::StaleMount`], [`SimulatorError::Leftover`] and [`SimulatorError::NotEmpty`], see
/// [`clear`](crate::clear); [`SimulatorError::File`].
pub fn watch(guest: SimulatedGuest, dir: &Path) -> Result<Watched, SimulatorError> {
    let dir = empty_directory(dir)?;
    let places = tree::places(&guest);
    let handle = Handle::new(guest);
    // From here on, whatever fails, the files are removed.
    let mut watched = Watched { handle: handle.clone(), dir: dir.clone(), thread: None };
    let mark = dir.join(MARK);
    fs::create_dir(&mark).map_err(SimulatorError::file("making", &mark))?;
    let mut watcher = Watcher { handle, dir, registers: Vec::new(), entries: BTreeMap::new() };
    for (path, place) in places {
        let whole = watcher.dir.join(&path);
        match place {
            Place::Directory | Place::Reports => {
                fs::create_dir_all(&whole).map_err(SimulatorError::file("making", &whole))?;
            }
            Place::File { content, mode } => {
                let bytes = match content {
                    Content::Fixed(bytes) => bytes,
                    Content::Register(index) => {
                        watcher.registers.push((index, whole.clone()));
                        watcher.handle.register(index).unwrap_or([0; 48]).to_vec()
                    }
                };
                // Nothing here takes effect by being written.
                watcher.put(&whole, &bytes, u32::from(mode) & 0o444)?;
            }
        }
    }
    let thread = std::thread::Builder::new()
        .name("tsm-watcher".into())
        .spawn(move || watcher.run())
        .map_err(SimulatorError::file("watching", &watched.dir))?;
    watched.thread = Some(thread);
    Ok(watched)
}

impl Watched {
    /// The root of the guest's files, absolute.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Reaches the guest while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watcher ended in a panic");
        }
        if let Err(error) = remove_files(&self.dir) {
            tracing::error!(%error, "the files stay");
        }
    }
}

/// What tells one write of a file from the next.
type Seen = (u64, i64, i64, u64);

#[derive(Default)]
struct Watch {
    number: u64,
    seen: BTreeMap<&'static str, Seen>,
    wanted: bool,
}

struct Watcher {
    handle: Handle,
    dir: PathBuf,
    registers: Vec<(usize, PathBuf)>,
    entries: BTreeMap<String, Watch>,
}

impl Watcher {
    /// Puts a file in place whole.
    fn put(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), SimulatorError> {
        let new = self.dir.join(MARK).join("new");
        let write = || {
            fs::write(&new, bytes)?;
            fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
            fs::rename(&new, path)
        };
        write().map_err(SimulatorError::file("writing", path))
    }

    fn run(mut self) {
        while self.handle.wait(LOOK_EVERY) {
            if let Err(error) = self.look() {
                tracing::warn!(%error, "looking again");
            }
        }
    }

    fn look(&mut self) -> Result<(), SimulatorError> {
        for (index, path) in &self.registers {
            let value = self.handle.register(*index).unwrap_or([0; 48]);
            if read(path).is_none_or(|(_, found)| found != value) {
                // Extended by the handle, or written by the guest, which has no effect.
                tracing::debug!(file = %path.display(), "set to the register's value; extending it needs FUSE");
                self.put(path, &value, 0o444)?;
            }
        }
        let reports = self.dir.join(tree::REPORTS);
        let mut names = Vec::new();
        for entry in fs::read_dir(&reports).map_err(SimulatorError::file("reading", &reports))?.flatten() {
            if let (Ok(name), true) = (entry.file_name().into_string(), entry.path().is_dir()) {
                names.push(name);
            }
        }
        let gone: Vec<String> = self.entries.keys().filter(|name| !names.contains(name)).cloned().collect();
        for name in gone {
            self.entries.remove(&name);
            // It is there: only this thread adds and removes.
            let _ = self.handle.lock().remove(&name);
        }
        for name in names {
            let folder = reports.join(&name);
            // An entry may go while it is looked at; the others are served all the same.
            if let Err(error) = self.look_into(name, &folder) {
                tracing::debug!(%error, "looking again");
            }
        }
        Ok(())
    }

    fn look_into(&mut self, name: String, folder: &Path) -> Result<(), SimulatorError> {
        if !self.entries.contains_key(&name) {
            self.appear(&name, folder)?;
        }
        let Some(mut watch) = self.entries.remove(&name) else { return Ok(()) };
        let looked = self.look_at(&mut watch, folder);
        self.entries.insert(name, watch);
        looked
    }

    /// Fills a new entry; `provider` comes last and says that all is there.
    fn appear(&mut self, name: &str, folder: &Path) -> Result<(), SimulatorError> {
        let number = self.handle.lock().add(name);
        let number = match number {
            Ok(number) => number,
            Err(error) => {
                tracing::warn!(name, %error, "no entry is made");
                return Ok(());
            }
        };
        let mut watch = Watch { number, ..Watch::default() };
        let tee = self.handle.lock().guest.tee();
        let mut files = vec![Attribute::InBlob, Attribute::Generation, Attribute::Provider];
        if tee == assay_types::Tee::Snp {
            files.splice(0..0, [Attribute::PrivLevel, Attribute::PrivLevelFloor]);
        }
        for file in files {
            let path = folder.join(file.name());
            let empty = file.is_written();
            // A guest that did not wait has written already.
            if empty && path.exists() {
                continue;
            }
            let content = if empty { Ok(Vec::new()) } else { self.handle.lock().read(number, file) };
            if let Err(error) = self.put(&path, &content.unwrap_or_default(), file.mode().into()) {
                // It appears again, if it is still there.
                let _ = self.handle.lock().remove(name);
                return Err(error);
            }
            if let (true, Some((seen, _))) = (empty, read(&path)) {
                watch.seen.insert(file.name(), seen);
            }
        }
        self.entries.insert(name.to_owned(), watch);
        Ok(())
    }

    fn look_at(&self, watch: &mut Watch, folder: &Path) -> Result<(), SimulatorError> {
        for file in [Attribute::PrivLevel, Attribute::InBlob] {
            // An empty file is one that is about to be written.
            let Some((seen, data)) = read(&folder.join(file.name())).filter(|(_, data)| !data.is_empty())
            else {
                continue;
            };
            if watch.seen.get(file.name()) == Some(&seen) {
                continue;
            }
            // The old report goes before the new inputs count, or they do not count yet.
            for made in [Attribute::OutBlob, Attribute::AuxBlob] {
                let path = folder.join(made.name());
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(SimulatorError::file("removing", &path)(error));
                    }
                    _ => {}
                }
            }
            watch.seen.insert(file.name(), seen);
            let written = self.handle.lock().write(watch.number, file, &data);
            watch.wanted = written.is_ok();
            if let Err(error) = written {
                tracing::warn!(file = file.name(), %error, folder = %folder.display(), "refused");
                return Ok(());
            }
            self.put_generation(watch, folder)?;
        }
        if !watch.wanted {
            return Ok(());
        }
        let delay = self.handle.lock().delay(watch.number);
        if !delay.is_zero() && !self.handle.wait(delay) {
            return Ok(());
        }
        let report = self.handle.lock().read(watch.number, Attribute::OutBlob);
        // Someone else's write may have come between.
        self.put_generation(watch, folder)?;
        let outblob = match report {
            Ok(outblob) => outblob,
            Err(Errno::BUSY) => return Ok(()),
            Err(error) => {
                watch.wanted = false;
                tracing::warn!(%error, folder = %folder.display(), "no report");
                return Ok(());
            }
        };
        if self.handle.lock().guest.tee() == assay_types::Tee::Snp {
            let auxblob = self.handle.lock().read(watch.number, Attribute::AuxBlob).unwrap_or_default();
            self.put(&folder.join("auxblob"), &auxblob, 0o444)?;
        }
        self.put(&folder.join("outblob"), &outblob, 0o444)?;
        watch.wanted = false;
        Ok(())
    }

    fn put_generation(&self, watch: &Watch, folder: &Path) -> Result<(), SimulatorError> {
        let generation = self.handle.lock().read(watch.number, Attribute::Generation).unwrap_or_default();
        self.put(&folder.join("generation"), &generation, 0o444)
    }
}

/// A file's content, and what tells this write of it from the next. A file that changes meanwhile is not read.
fn read(path: &Path) -> Option<(Seen, Vec<u8>)> {
    let seen = |file: &File| {
        let data = file.metadata().ok()?;
        Some((data.ino(), data.mtime(), data.mtime_nsec(), data.len()))
    };
    let file = File::open(path).ok()?;
    let before = seen(&file)?;
    let mut bytes = Vec::new();
    (&file).take(MAX_READ).read_to_end(&mut bytes).ok()?;
    (seen(&file)? == before).then_some((before, bytes))
}
