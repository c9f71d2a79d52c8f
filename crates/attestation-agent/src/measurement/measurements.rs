//! The log and the register it leads to: opening, extending.

use std::collections::BTreeMap;

use assay_attester::MeasurementRegisters;
use assay_eventlog::{AaelEntry, read_aael_file};
use assay_types::{Digest, HashAlgorithm};

use super::directory::Directory;
use super::event;
use super::kept;
use super::settle::{Pending, Settled};
use super::steps::{NoSteps, Step, Steps};
use super::wal::Wal;
use super::{MeasurementError, MeasurementSettings};
use crate::api::RuntimeEvent;

/// The event log of this guest and its write-ahead log. For one thread, that which has the registers.
pub struct Measurements {
    pub(super) settings: MeasurementSettings,
    pub(super) directory: Directory,
    pub(super) steps: Box<dyn Steps>,
    pub(super) algorithm: HashAlgorithm,
    /// What leads to the registers. Where the state is unsettled, the file may lack the last entry.
    pub(super) log: Vec<u8>,
    /// What the registers must hold, by index in the log, as far as it is known.
    pub(super) known: BTreeMap<u32, Digest>,
    /// What of it is kept in the directory.
    pub(super) kept: BTreeMap<u32, Digest>,
    pub(super) pending: Option<Pending>,
    pub(super) state: State,
}

/// Whether events can be measured.
#[derive(Clone, Debug)]
pub enum State {
    /// They can.
    Ready,
    /// One is half done; the next call tries to complete it first.
    Unsettled {
        /// Why it could not be completed.
        why: MeasurementError,
    },
    /// They cannot, until the machine starts anew.
    Broken {
        /// What happened.
        why: String,
    },
}

/// What a start found of an event that was being measured when the agent ended.
#[derive(Clone, Debug)]
pub enum Recovered {
    /// Nothing.
    Nothing,
    /// The beginning of a record; nothing was measured. It is removed.
    Torn,
    /// An event that was not measured. Its caller was not told that it was; it is dropped.
    Dropped,
    /// An event that was measured. It is in the log now.
    Completed,
    /// An event that cannot be settled now; the next call tries again ([`State::Unsettled`]).
    Unsettled(MeasurementError),
    /// What cannot be settled; no events are measured ([`State::Broken`]).
    Broken(MeasurementError),
}

impl std::fmt::Debug for Measurements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.log.len();
        f.debug_struct("Measurements")
            .field("bytes", &bytes)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Measurements {
    /// Opens the log, settles what the last agent left half done, and looks whether the registers are as it left them.
    ///
    /// # Errors
    /// [`MeasurementError::Setting`], [`MeasurementError::Directory`], [`MeasurementError::InUse`],
    /// [`MeasurementError::File`], [`MeasurementError::DiskFull`], [`MeasurementError::LogDamaged`]. A device that
    /// fails, a register that someone else extended and a record of another agent are no errors here:
    /// [`Recovered`] and [`Measurements::state`] say so, and the agent can serve all else.
    pub fn open(
        settings: MeasurementSettings,
        registers: &mut dyn MeasurementRegisters,
    ) -> Result<(Self, Recovered), MeasurementError> {
        Self::open_with_steps(settings, registers, Box::new(NoSteps))
    }

    /// The same, with every step told to `steps`: for tests.
    ///
    /// # Errors
    /// Those of [`Measurements::open`].
    pub fn open_with_steps(
        settings: MeasurementSettings,
        registers: &mut dyn MeasurementRegisters,
        steps: Box<dyn Steps>,
    ) -> Result<(Self, Recovered), MeasurementError> {
        settings.check()?;
        let directory = Directory::open(&settings.directory)?;
        let algorithm = registers.algorithm();
        let mut log = directory.read_log(MeasurementSettings::readable_log_bytes())?;
        let record = directory.read_wal()?.map(|bytes| Wal::parse(&bytes));
        if let Some(Ok(wal)) = &record {
            // What follows is the entry or its beginning.
            let offset = usize::try_from(wal.offset()).unwrap_or(usize::MAX);
            let tail = log.get(offset..).map(<[u8]>::len);
            if tail.is_none_or(|tail| tail > wal.entry().len()) {
                let why = format!(
                    "it has {} bytes, but {} shows that it had {offset}",
                    log.len(),
                    directory.wal_path().display()
                );
                return Err(MeasurementError::LogDamaged { path: directory.log_path(), why });
            }
            log.truncate(offset);
        }
        read_aael_file(algorithm, log.clone())
            .map_err(|e| MeasurementError::LogDamaged { path: directory.log_path(), why: e.to_string() })?;
        let kept = directory.read_kept()?.map(|bytes| kept::parse(algorithm, &bytes));
        if kept.is_none() && !log.is_empty() {
            let path = directory.kept_path();
            tracing::warn!(path = %path.display(), "missing: whether the registers were changed cannot be told");
        }
        let (known, unfit) = match kept.transpose() {
            Ok(known) => (known.unwrap_or_default(), None),
            Err(unfit) => (BTreeMap::new(), Some(unfit)),
        };
        let mut opened = Measurements {
            settings,
            directory,
            steps,
            algorithm,
            log,
            kept: known.clone(),
            known,
            pending: None,
            state: State::Ready,
        };
        let recovered = opened.recover(registers, record, unfit);
        match &recovered {
            Recovered::Nothing => {}
            Recovered::Torn | Recovered::Dropped => {
                tracing::warn!("an event was being measured when the agent ended; it was not measured");
            }
            Recovered::Completed => {
                tracing::warn!("an event was measured when the agent ended; it is now in the event log");
            }
            Recovered::Unsettled(error) => tracing::error!(%error, "an event cannot be settled yet"),
            Recovered::Broken(error) => tracing::error!(%error, "no events are measured"),
        }
        Ok((opened, recovered))
    }

    /// Measures an event: extends its register and logs it. Both are done, and lasting, when this is `Ok`.
    ///
    /// # Errors
    /// [`MeasurementError`]; each says whether the event is measured.
    pub fn extend(
        &mut self,
        registers: &mut dyn MeasurementRegisters,
        event: &RuntimeEvent,
    ) -> Result<(), MeasurementError> {
        if let State::Broken { why } = &self.state {
            return Err(MeasurementError::Broken { why: why.clone() });
        }
        self.settle(registers)?;

        let text = event::entry(event, self.settings.max_event_bytes)?;
        let index = registers.log_index(event.pcr.unwrap_or(self.settings.default_pcr))?;
        let register = registers.name(index)?;
        // Both bounds are within those of the event log.
        let entry = AaelEntry::new(self.algorithm, index, &text)
            .map_err(|e| MeasurementError::NotExtended { register, why: e.to_string() })?;
        let offset = u64::try_from(self.log.len()).unwrap_or(u64::MAX);
        let needed = offset.saturating_add(u64::try_from(entry.bytes.len()).unwrap_or(u64::MAX));
        let max = self.settings.max_log_bytes;
        if needed > max {
            return Err(MeasurementError::LogFull { needed, max });
        }
        let digest = Digest::new(self.algorithm, entry.digest.clone())
            .map_err(|e| MeasurementError::NotExtended { register, why: e.to_string() })?;

        let found = self.read(registers, index)?;
        // Where the register is not what we left, the record still says what we left: so the next start,
        // too, finds that someone else extended it.
        let before = self.known.get(&index).unwrap_or(&found).clone();
        let as_known = found == before;
        let wal = Wal::new(offset, index, before, entry);
        let file = self.directory.create_wal(&*self.steps)?;
        if let Err(error) = self.directory.write_wal(file, &wal.to_bytes(), &*self.steps) {
            // Whether it was possible or not is in the state; nothing was extended.
            self.remove_remnant().ok();
            return Err(error);
        }

        let answer = if as_known {
            self.steps.before(Step::Extend).ok();
            registers.extend(index, &digest)
        } else {
            Ok(())
        };
        match (self.settle_record(registers, wal), answer) {
            (Ok(Settled::Logged), Ok(())) => Ok(()),
            (Ok(Settled::Logged), Err(error)) => {
                tracing::warn!(%error, register, "the device failed, but the register was extended");
                Ok(())
            }
            (Ok(Settled::NotExtended), Err(error)) => {
                Err(MeasurementError::NotExtended { register, why: error.to_string() })
            }
            (Ok(Settled::NotExtended), Ok(())) => Err(MeasurementError::NotExtended {
                register,
                why: "the device reports no error, but the register has its old value".to_owned(),
            }),
            (Err(MeasurementError::Undecided { why, .. }), Err(error)) => {
                Err(MeasurementError::Undecided { register, why: format!("{error}; then {why}") })
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The AAEL entries of the log, as evidence carries them: one after the other, without header and end. Each whose
    /// register is known to have it, also where the file does not have it yet. Call [`Measurements::settle`] first.
    pub fn log(&self) -> &[u8] {
        &self.log
    }

    /// Whether events can be measured.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The value of a register, of the registers' algorithm.
    pub(super) fn read(
        &self,
        registers: &mut dyn MeasurementRegisters,
        index: u32,
    ) -> Result<Digest, MeasurementError> {
        let value = registers.read(index)?;
        if value.algorithm() == self.algorithm {
            return Ok(value);
        }
        Err(MeasurementError::WrongValue {
            register: registers.name(index)?,
            expected: self.algorithm.as_str(),
            found: value.algorithm().as_str(),
        })
    }

    /// From now on no event is measured.
    pub(super) fn broken(&mut self, error: MeasurementError) -> MeasurementError {
        let why = match &error {
            MeasurementError::Broken { why } => why.clone(),
            error => error.to_string(),
        };
        self.state = State::Broken { why };
        // What is on the disk stays, for the next start to find.
        self.pending = None;
        error
    }
}
