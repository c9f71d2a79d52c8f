//! One entry of configfs-tsm: made, used, and always removed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::kernel_files::KernelFiles;
use crate::AttesterError;
use crate::files::at_most;
use crate::patience::Patience;

/// How long an attribute may be missing after its entry was made. The kernel makes them at once; a guest
/// that is emulated with plain files a moment later.
const FILLED_WITHIN: Duration = Duration::from_secs(5);

/// The longest text attribute, in bytes: a page.
const MAX_TEXT_LEN: usize = 4096;

/// How many names are tried.
const MAX_NAMES: u32 = 1000;

/// The number of the next entry of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The name of an entry: `assay-<process id>-<number>`.
pub(super) fn name(process: u32, number: u64) -> String {
    format!("assay-{process}-{number}")
}

/// Process id and number of an entry with a name of ours.
pub(super) fn parse_name(text: &str) -> Option<(u32, u64)> {
    let (process, number) = text.strip_prefix("assay-")?.split_once('-')?;
    let (process, number) = (process.parse().ok()?, number.parse().ok()?);
    (name(process, number) == text).then_some((process, number))
}

/// Whether an entry with this number can be one of this process.
pub(super) fn is_taken(number: u64) -> bool {
    number < NEXT.load(Ordering::Relaxed)
}

/// An entry. Dropping it removes it.
pub(super) struct Entry {
    files: Arc<dyn KernelFiles>,
    path: PathBuf,
    made: Instant,
    patience: Patience,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Err(error) = self.files.remove(&self.path) {
            tracing::warn!(entry = %self.path.display(), %error, "a report entry cannot be removed");
        }
    }
}

impl Entry {
    pub(super) fn make(
        files: Arc<dyn KernelFiles>,
        root: &Path,
        patience: Patience,
    ) -> Result<Self, AttesterError> {
        let mut names = 0;
        let path = patience.retry("making", root, || {
            loop {
                let path = root.join(name(std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
                match files.make(&path) {
                    Ok(()) => return Ok(path),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists && names < MAX_NAMES => {
                        names += 1;
                    }
                    Err(error) => return Err(error),
                }
            }
        })?;
        Ok(Entry { files, path, made: Instant::now(), patience })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn malformed(&self, attribute: &str, why: String) -> AttesterError {
        AttesterError::Malformed { what: self.path.join(attribute).display().to_string(), why }
    }

    /// Reads an attribute that must be there and have content.
    pub(super) fn read(&self, attribute: &str, max: usize) -> Result<Vec<u8>, AttesterError> {
        let path = self.path.join(attribute);
        let bytes = self.patience.retry("reading", &path, || {
            let read = self.filled(self.files.read(&path, max))?;
            if read.is_empty() {
                return self.filled(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            Ok(read)
        })?;
        at_most(&path, bytes, max)
    }

    /// Reads an attribute; `None` where it is not there or empty.
    pub(super) fn read_if_there(
        &self,
        attribute: &str,
        max: usize,
    ) -> Result<Option<Vec<u8>>, AttesterError> {
        let path = self.path.join(attribute);
        let bytes = self.patience.retry("reading", &path, || match self.files.read(&path, max) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        })?;
        Ok(Some(at_most(&path, bytes, max)?).filter(|bytes| !bytes.is_empty()))
    }

    /// Writes an attribute that must be there.
    pub(super) fn write(&self, attribute: &str, bytes: &[u8]) -> Result<(), AttesterError> {
        let path = self.path.join(attribute);
        self.patience.retry("writing", &path, || self.filled(self.files.write(&path, bytes)))
    }

    /// Writes an attribute that is a line of text. The kernel cuts the line end off; without one some of its
    /// versions read on behind the text. It may be missing where the platform has no use for it.
    pub(super) fn write_text(&self, attribute: &str, text: &str) -> Result<(), AttesterError> {
        let path = self.path.join(attribute);
        let line = format!("{text}\n");
        self.patience.retry("writing", &path, || self.files.write(&path, line.as_bytes()))
    }

    /// The attribute `provider`.
    pub(super) fn provider(&self) -> Result<String, AttesterError> {
        let bytes = self.read("provider", MAX_TEXT_LEN)?;
        self.text("provider", bytes)
    }

    /// An attribute that is a decimal number.
    pub(super) fn number(&self, attribute: &str) -> Result<u64, AttesterError> {
        let bytes = self.read(attribute, MAX_TEXT_LEN)?;
        self.parse(attribute, bytes)
    }

    /// An attribute that is a decimal number, where it is there.
    pub(super) fn number_if_there(&self, attribute: &str) -> Result<Option<u64>, AttesterError> {
        let bytes = self.read_if_there(attribute, MAX_TEXT_LEN)?;
        bytes.map(|bytes| self.parse(attribute, bytes)).transpose()
    }

    fn parse(&self, attribute: &str, bytes: Vec<u8>) -> Result<u64, AttesterError> {
        let text = self.text(attribute, bytes)?;
        text.parse().map_err(|_| {
            let found: String = text.chars().take(64).collect();
            self.malformed(attribute, format!("expected a decimal number, found {found:?}"))
        })
    }

    fn text(&self, attribute: &str, bytes: Vec<u8>) -> Result<String, AttesterError> {
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| self.malformed(attribute, "it is not text".to_owned()))?;
        Ok(text.trim_end_matches('\n').to_owned())
    }

    /// Makes a missing attribute one to wait for, as long as the entry is new.
    fn filled<T>(&self, result: io::Result<T>) -> io::Result<T> {
        match result {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
                    && self.made.elapsed() < FILLED_WITHIN =>
            {
                Err(io::ErrorKind::WouldBlock.into())
            }
            result => result,
        }
    }
}
