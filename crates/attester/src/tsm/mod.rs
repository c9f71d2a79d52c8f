//! configfs-tsm: reports from `/sys/kernel/config/tsm/report` (Linux 6.7, `Documentation/ABI/testing/configfs-tsm-report`).
//!
//! ```text
//! mkdir report/<entry> ── read provider ── write privlevel, service_provider, service_guid (where asked)
//!    ── write inblob ── read outblob, auxblob, manifestblob ── read generation ── rmdir
//! ```
//! The kernel counts the writes to an entry in `generation`. An entry whose count is not that of our own
//! writes was used by someone else, and its report may be for their data: it is thrown away, and a new one made.

mod entry;
mod kernel_files;
mod search;
mod stale;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use entry::Entry;
use kernel_files::{KernelFiles, Mounted};
pub use search::search;

use crate::patience::Patience;
use crate::{AttesterError, DeviceThread, Host};

/// Where the entries are made.
pub const ROOT: &str = "/sys/kernel/config/tsm/report";
/// The longest `inblob`, in bytes (kernel: `TSM_REPORT_INBLOB_MAX`).
pub const MAX_INBLOB_LEN: usize = 64;
/// The longest `outblob` that is read, in bytes (128 KiB): as long as a quote that verifiers read. An SNP
/// report has 1184 bytes, a CCA token up to 4 KiB, a TD quote 5 to 32 KiB.
pub const MAX_OUTBLOB_LEN: usize = 128 << 10;
/// The longest `auxblob` that is read, in bytes (1 MiB). An SNP certificate table has 4 to 16 KiB.
pub const MAX_AUXBLOB_LEN: usize = 1 << 20;
/// The longest `manifestblob` that is read, in bytes (1 MiB).
pub const MAX_MANIFESTBLOB_LEN: usize = 1 << 20;
/// The highest privilege level (kernel: `TSM_REPORT_PRIVLEVEL_MAX`).
pub const MAX_PRIVILEGE_LEVEL: u8 = 3;

/// How many entries are made for one report when others use ours.
const ATTEMPTS: u32 = 4;

/// What a report is asked with besides the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TsmOptions {
    /// The privilege level (VMPL), 0 to 3; the kernel's own when `None`.
    pub privilege_level: Option<u8>,
    /// The service that is asked, such as `svsm`.
    pub service_provider: Option<String>,
    /// The GUID of one service of that provider.
    pub service_guid: Option<String>,
}

impl TsmOptions {
    /// What the host is configured for; for platforms that have privilege levels and services.
    pub fn of(host: &Host) -> Self {
        TsmOptions {
            privilege_level: host.privilege_level,
            service_provider: host.service_provider.clone(),
            service_guid: host.service_guid.clone(),
        }
    }
}

/// A report, and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsmReport {
    /// The name of the provider, such as `sev_guest`.
    pub provider: &'static str,
    /// The entry that it came from, for messages.
    pub entry: PathBuf,
    /// The report, in the provider's format; not empty.
    pub outblob: Vec<u8>,
    /// What the provider adds, for `sev_guest` a certificate table; `None` when absent or empty.
    pub auxblob: Option<Vec<u8>>,
    /// The manifest of the services that were asked; `None` when absent or empty.
    pub manifestblob: Option<Vec<u8>>,
}

/// configfs-tsm of this guest.
#[derive(Debug)]
pub struct Tsm {
    root: PathBuf,
    options: TsmOptions,
    files: Arc<dyn KernelFiles>,
    thread: DeviceThread,
}

impl Tsm {
    /// Looks whether configfs-tsm is there, and puts away what an agent that died has left.
    ///
    /// # Errors
    /// In words, why it is not there.
    pub fn open(host: &Host, options: TsmOptions) -> Result<Self, String> {
        let root = host.path(ROOT);
        stale::remove(&root, host.device_timeout).map_err(|error| search::absent(host, &error))?;
        Ok(Tsm::over(Arc::new(Mounted), root, options, host.device_timeout))
    }

    fn over(
        files: Arc<dyn KernelFiles>,
        root: PathBuf,
        options: TsmOptions,
        device_timeout: Duration,
    ) -> Self {
        Tsm { root, options, files, thread: DeviceThread::new(device_timeout) }
    }

    /// The name of the provider. No report is made.
    ///
    /// # Errors
    /// [`AttesterError::Device`], [`AttesterError::Deadline`], [`AttesterError::Malformed`].
    pub fn provider(&mut self) -> Result<String, AttesterError> {
        let (files, root) = (Arc::clone(&self.files), self.root.clone());
        let limit = self.thread.limit();
        self.thread.run(&self.root.display().to_string(), limit, move |deadline| {
            Entry::make(files, &root, Patience::until(deadline))?.provider()
        })
    }

    /// A report of `provider` over `inblob`, at most 64 bytes. The deadline is the earlier one of `deadline`
    /// and the host's device timeout.
    ///
    /// # Errors
    /// [`AttesterError::Device`]; [`AttesterError::Deadline`]; [`AttesterError::Malformed`] for another
    /// provider, a blob that is too long, a privilege level or input that cannot be;
    /// [`AttesterError::Generation`] when others write to every entry that is made.
    pub fn report(
        &mut self,
        provider: &'static str,
        inblob: &[u8],
        deadline: Instant,
    ) -> Result<TsmReport, AttesterError> {
        let what = self.root.display().to_string();
        if inblob.is_empty() || inblob.len() > MAX_INBLOB_LEN {
            let why = format!("an inblob has 1 to {MAX_INBLOB_LEN} bytes, this one {}", inblob.len());
            return Err(AttesterError::Malformed { what, why });
        }
        let question = Question {
            files: Arc::clone(&self.files),
            root: self.root.clone(),
            options: self.options.clone(),
            provider,
            inblob: inblob.to_vec(),
        };
        self.thread.run(&what, deadline, move |deadline| question.ask(Patience::until(deadline)))
    }
}

/// One report that is asked for; it moves to the device's thread.
struct Question {
    files: Arc<dyn KernelFiles>,
    root: PathBuf,
    options: TsmOptions,
    provider: &'static str,
    inblob: Vec<u8>,
}

impl Question {
    fn ask(&self, patience: Patience) -> Result<TsmReport, AttesterError> {
        let mut last = self.ask_once(patience);
        for _ in 1..ATTEMPTS {
            match &last {
                Err(AttesterError::Generation { path, expected, found }) => {
                    tracing::warn!(
                        entry = %path.display(), expected, found,
                        "someone else wrote to our report entry; asking again with a new one"
                    );
                    last = self.ask_once(patience);
                }
                _ => break,
            }
        }
        last
    }

    fn ask_once(&self, patience: Patience) -> Result<TsmReport, AttesterError> {
        let entry = Entry::make(Arc::clone(&self.files), &self.root, patience)?;
        let provider = entry.provider()?;
        if provider != self.provider {
            let why = format!("expected the provider {}, found {provider:?}", self.provider);
            return Err(entry.malformed("provider", why));
        }
        let mut writes = 0;
        if let Some(level) = self.options.privilege_level {
            self.check_privilege_level(&entry, level)?;
            entry.write_text("privlevel", &level.to_string())?;
            writes += 1;
        }
        if let Some(name) = &self.options.service_provider {
            entry.write_text("service_provider", name)?;
            writes += 1;
        }
        if let Some(guid) = &self.options.service_guid {
            entry.write_text("service_guid", guid)?;
            writes += 1;
        }
        entry.write("inblob", &self.inblob)?;
        writes += 1;
        let outblob = entry.read("outblob", MAX_OUTBLOB_LEN)?;
        let auxblob = entry.read_if_there("auxblob", MAX_AUXBLOB_LEN)?;
        let manifestblob = entry.read_if_there("manifestblob", MAX_MANIFESTBLOB_LEN)?;
        // Last, so that it covers all that was read.
        let found = entry.number("generation")?;
        if found != writes {
            let path = entry.path().to_owned();
            return Err(AttesterError::Generation { path, expected: writes, found });
        }
        let entry = entry.path().to_owned();
        Ok(TsmReport { provider: self.provider, entry, outblob, auxblob, manifestblob })
    }

    /// The kernel would refuse a level below its own as well, but only says `EINVAL`.
    fn check_privilege_level(&self, entry: &Entry, level: u8) -> Result<(), AttesterError> {
        let floor = entry.number_if_there("privlevel_floor")?.unwrap_or(0);
        if level <= MAX_PRIVILEGE_LEVEL && u64::from(level) >= floor {
            return Ok(());
        }
        let why =
            format!("privilege level {level} was asked for; this guest has {floor} to {MAX_PRIVILEGE_LEVEL}");
        Err(entry.malformed("privlevel", why))
    }
}
