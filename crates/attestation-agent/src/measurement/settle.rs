//! Completing what was begun: the register decides what becomes of an event.

use assay_attester::MeasurementRegisters;

use super::MeasurementError;
use super::kept;
use super::measurements::{Measurements, State};
use super::steps::Step;
use super::wal::Wal;

/// What is on the disk and not yet settled.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    /// A record: its event is measured or not, as its register says.
    Record(Wal),
    /// What is left of a record that could not be written. Nothing was extended.
    Remnant,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is measured and in the log.
    Logged,
    /// It is not measured and not in the log.
    NotExtended,
}

impl Measurements {
    /// Completes what an earlier call or the start left half done, where that can be done now. To be called
    /// before [`Measurements::log`] is taken for evidence, so that an event whose register could not be read when
    /// it was measured is decided first.
    ///
    /// `Ok` where nothing is half done, also where no events are measured any more ([`State::Broken`]).
    ///
    /// # Errors
    /// [`MeasurementError::Unsettled`] with what failed. Where that is not [`MeasurementError::Undecided`] or the
    /// device's error, the log leads to the registers nevertheless. [`MeasurementError::RegisterChanged`],
    /// [`MeasurementError::LogDamaged`] where it is found now; from then on [`State::Broken`].
    pub fn settle(&mut self, registers: &mut dyn MeasurementRegisters) -> Result<(), MeasurementError> {
        let settled = match self.pending.take() {
            None => return Ok(()),
            Some(Pending::Record(wal)) => self.settle_record(registers, wal).map(|_| ()),
            Some(Pending::Remnant) => self.remove_remnant(),
        };
        match (settled, &self.state) {
            // Decided, but something is still to be removed.
            (Ok(()), State::Unsettled { why }) => Err(MeasurementError::Unsettled(Box::new(why.clone()))),
            (Ok(()), _) => Ok(()),
            (Err(error), State::Broken { .. }) => Err(error),
            (Err(error), _) => Err(MeasurementError::Unsettled(Box::new(error))),
        }
    }

    /// Settles the event of a record that is on the disk, synced. What it decides stays decided, even where
    /// the record cannot be removed: then that is pending.
    pub(super) fn settle_record(
        &mut self,
        registers: &mut dyn MeasurementRegisters,
        wal: Wal,
    ) -> Result<Settled, MeasurementError> {
        let register = match registers.name(wal.index()) {
            Ok(register) => register,
            Err(error) => return Err(self.unsettled(Pending::Record(wal), error.into())),
        };
        self.steps.before(Step::Decide).ok();
        let value = match self.read(registers, wal.index()) {
            Ok(value) => value,
            Err(error) => {
                let error = MeasurementError::Undecided { register, why: error.to_string() };
                return Err(self.unsettled(Pending::Record(wal), error));
            }
        };
        if value != *wal.after() && value != *wal.before() {
            return Err(self.broken(MeasurementError::RegisterChanged {
                register,
                expected: format!("{} or {}", wal.before().to_hex(), wal.after().to_hex()),
                found: value.to_hex(),
            }));
        }
        let extended = value == *wal.after();
        self.known.insert(wal.index(), value);
        // First of all, so that evidence has the event whatever becomes of the file.
        self.log.truncate(usize::try_from(wal.offset()).unwrap_or(usize::MAX));
        if extended {
            self.log.extend_from_slice(wal.entry());
        }
        let done = match self.set_log_file(&wal, extended) {
            Err(error @ MeasurementError::LogDamaged { .. }) => return Err(self.broken(error)),
            // Only where nothing was extended is the rest a matter of cleaning up.
            Err(error) if extended => {
                let error = error.after_extend(register);
                return Err(self.unsettled(Pending::Record(wal), error));
            }
            other => other,
        };
        // The record goes last: as long as it is there, either of its two values is right.
        match done.and_then(|()| self.keep_registers()).and_then(|()| self.directory.remove_wal(&*self.steps))
        {
            Ok(()) => {
                self.pending = None;
                self.state = State::Ready;
            }
            Err(error) => {
                tracing::warn!(%error, "an event is settled, but its write-ahead log is still there");
                self.unsettled(Pending::Record(wal), error);
            }
        }
        Ok(if extended { Settled::Logged } else { Settled::NotExtended })
    }

    /// Makes the log's file end with the record's entry, or before it. What is there of the entry is written over.
    fn set_log_file(&self, wal: &Wal, extended: bool) -> Result<(), MeasurementError> {
        let len = self.directory.log_len()?;
        let most = wal.offset().saturating_add(u64::try_from(wal.entry().len()).unwrap_or(u64::MAX));
        if len < wal.offset() || len > most {
            let why = format!("it has {len} bytes, expected {} to {most}", wal.offset());
            return Err(MeasurementError::LogDamaged { path: self.directory.log_path(), why });
        }
        if extended {
            self.directory.write_log(wal.offset(), wal.entry(), &*self.steps)
        } else if len > wal.offset() {
            self.directory.cut_log(wal.offset(), &*self.steps)
        } else {
            Ok(())
        }
    }

    /// Keeps what the registers hold, where it is not kept already.
    fn keep_registers(&mut self) -> Result<(), MeasurementError> {
        if self.known != self.kept {
            self.directory.write_kept(&kept::to_bytes(self.algorithm, &self.known), &*self.steps)?;
            self.kept.clone_from(&self.known);
        }
        Ok(())
    }

    /// Removes what is left of a record that was not written to its end.
    pub(super) fn remove_remnant(&mut self) -> Result<(), MeasurementError> {
        match self.directory.remove_wal(&*self.steps) {
            Ok(()) => {
                self.state = State::Ready;
                Ok(())
            }
            Err(error) => Err(self.unsettled(Pending::Remnant, error)),
        }
    }

    fn unsettled(&mut self, pending: Pending, why: MeasurementError) -> MeasurementError {
        self.pending = Some(pending);
        self.state = State::Unsettled { why: why.clone() };
        why
    }
}
