//! The running guest: its entries, its faults, and the handle by which others reach it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::attribute::{Attribute, provider};
use crate::entry::{Entry, INBLOB_MAX};
use crate::tdx::Register;
use crate::{Faults, SimulatedGuest, SimulatorError};

/// The most entries at once.
const MAX_ENTRIES: usize = 1024;
/// What somebody else wants to have bound.
const SOMEBODY_ELSE: [u8; INBLOB_MAX] = [0x5a; INBLOB_MAX];

pub(crate) struct Machine {
    pub(crate) guest: SimulatedGuest,
    pub(crate) faults: Faults,
    /// By number; numbers are never used again, so that a file that is still open is not another's.
    entries: BTreeMap<u64, (String, Entry)>,
    next: u64,
    closed: bool,
}

impl Machine {
    pub(crate) fn find(&self, name: &str) -> Option<u64> {
        self.entries.iter().find(|(_, (other, _))| other == name).map(|(number, _)| *number)
    }

    pub(crate) fn exists(&self, number: u64) -> bool {
        self.entries.contains_key(&number)
    }

    pub(crate) fn names(&self) -> Vec<(u64, String)> {
        self.entries.iter().map(|(number, (name, _))| (*number, name.clone())).collect()
    }

    pub(crate) fn add(&mut self, name: &str) -> Result<u64, Errno> {
        if self.find(name).is_some() {
            return Err(Errno::EXIST);
        }
        if self.entries.len() >= MAX_ENTRIES {
            return Err(Errno::NOSPC);
        }
        self.next += 1;
        self.entries.insert(self.next, (name.to_owned(), Entry::default()));
        Ok(self.next)
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<(), Errno> {
        let number = self.find(name).ok_or(Errno::NOENT)?;
        self.entries.remove(&number);
        Ok(())
    }

    fn entry(&mut self, number: u64) -> Result<&mut Entry, Errno> {
        self.entries.get_mut(&number).map(|(_, entry)| entry).ok_or(Errno::NOENT)
    }

    pub(crate) fn write(&mut self, number: u64, attribute: Attribute, data: &[u8]) -> Result<(), Errno> {
        let floor = self.guest.privilege_floor();
        match attribute {
            Attribute::InBlob => self.entry(number)?.write_inblob(data),
            attribute => self.entry(number)?.write_text(attribute, data, floor),
        }
    }

    /// How long the next read of a report takes.
    pub(crate) fn delay(&mut self, number: u64) -> Duration {
        let after = self.faults.answer_after;
        match self.entry(number) {
            Ok(entry) if !entry.inputs.inblob.is_empty() && entry.current().is_none() => after,
            _ => Duration::ZERO,
        }
    }

    /// The whole content of a file.
    pub(crate) fn read(&mut self, number: u64, attribute: Attribute) -> Result<Vec<u8>, Errno> {
        let text = match attribute {
            Attribute::Provider => {
                self.entry(number)?;
                provider(self.guest.tee()).to_owned()
            }
            Attribute::Generation => self.entry(number)?.generation.to_string(),
            Attribute::PrivLevelFloor => {
                self.entry(number)?;
                self.guest.privilege_floor().to_string()
            }
            attribute if attribute.is_made() => return self.report(number, attribute),
            _ => return Err(Errno::ACCESS),
        };
        Ok(format!("{text}\n").into_bytes())
    }

    fn report(&mut self, number: u64, attribute: Attribute) -> Result<Vec<u8>, Errno> {
        // Fields by themselves, so that the guest and the entry can be used at once.
        let Machine { guest, faults, entries, .. } = self;
        let (_, entry) = entries.get_mut(&number).ok_or(Errno::NOENT)?;
        if entry.inputs.inblob.is_empty() {
            return Err(Errno::INVAL);
        }
        let report = match entry.current() {
            Some(report) => report,
            None => {
                if let Some(left) = faults.busy_times.checked_sub(1) {
                    faults.busy_times = left;
                    return Err(Errno::BUSY);
                }
                if let Some(left) = faults.steal_generation.checked_sub(1) {
                    faults.steal_generation = left;
                    entry.write_inblob(&SOMEBODY_ELSE)?;
                }
                let report = guest.report(&entry.inputs).map_err(|error| {
                    tracing::warn!(%error, "no report");
                    error.errno()
                })?;
                let report = Arc::new(report);
                entry.keep(report.clone());
                report
            }
        };
        Ok(match attribute {
            Attribute::AuxBlob => report.auxblob.clone(),
            Attribute::ManifestBlob => report.manifestblob.clone(),
            _ => {
                let mut outblob = report.outblob.clone();
                if let Some(len) = faults.oversized_outblob {
                    outblob.resize(len.max(outblob.len()), 0);
                }
                outblob
            }
        })
    }

    pub(crate) fn extend(&mut self, index: usize, digest: &[u8]) -> Result<(), Errno> {
        if let Some(errno) = self.faults.fail_extend {
            return Err(Errno::from_raw_os_error(errno));
        }
        self.guest.extend(index, digest).map(|_| ()).map_err(|error| {
            tracing::warn!(%error, "a register was not extended");
            error.errno()
        })
    }
}

struct Shared {
    machine: Mutex<Machine>,
    closing: Condvar,
}

/// Reaches a presented guest while it runs. Clones reach the same.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.lock().guest).finish()
    }
}

impl Handle {
    pub(crate) fn new(guest: SimulatedGuest) -> Self {
        let machine =
            Machine { guest, faults: Faults::default(), entries: BTreeMap::new(), next: 0, closed: false };
        Handle(Arc::new(Shared { machine: Mutex::new(machine), closing: Condvar::new() }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, and says whether the guest is still presented.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let until = Instant::now().checked_add(time);
        let mut machine = self.lock();
        while !machine.closed {
            let left = match until {
                Some(until) => until.saturating_duration_since(Instant::now()),
                None => time,
            };
            if left.is_zero() {
                break;
            }
            let woken = self.0.closing.wait_timeout(machine, left).unwrap_or_else(PoisonError::into_inner);
            machine = woken.0;
        }
        !machine.closed
    }

    /// Wakes whoever waits.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.0.closing.notify_all();
    }

    /// The faults as they stand; those that count show what is left.
    pub fn faults(&self) -> Faults {
        self.lock().faults.clone()
    }

    /// Sets all faults.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// A register of TDX, see [`SimulatedGuest::register`].
    pub fn register(&self, index: usize) -> Option<Register> {
        self.lock().guest.register(index)
    }

    /// Extends a register as another program in the guest would, see [`SimulatedGuest::extend`].
    ///
    /// # Errors
    /// As there. [`Faults::fail_extend`] does not count.
    pub fn extend(&self, index: usize, digest: &[u8]) -> Result<Register, SimulatorError> {
        self.lock().guest.extend(index, digest)
    }

    /// The names of the report entries that are there now, in the order in which they were made.
    pub fn entries(&self) -> Vec<String> {
        self.lock().names().into_iter().map(|(_, name)| name).collect()
    }
}
