//! What a start does with what the last agent left.

use assay_attester::MeasurementRegisters;

use super::kept::NotKept;
use super::measurements::{Measurements, State};
use super::settle::Settled;
use super::wal::{NotAWal, Wal};
use super::{MeasurementError, Recovered};

impl Measurements {
    /// Settles what the record says, then compares the registers with what is kept of them. `unfit` says what is wrong
    /// with that, where something is; then nothing is touched: the next start is to find it, too.
    pub(super) fn recover(
        &mut self,
        registers: &mut dyn MeasurementRegisters,
        record: Option<Result<Wal, NotAWal>>,
        unfit: Option<NotKept>,
    ) -> Recovered {
        if let Some(unfit) = unfit {
            let why = format!(
                "{}: {unfit}; whether someone else extended a register cannot be told, and all is left as it is",
                self.directory.kept_path().display()
            );
            return Recovered::Broken(self.broken(MeasurementError::Broken { why }));
        }
        let of_record = record.as_ref().and_then(|record| record.as_ref().ok()).map(Wal::index);
        let recovered = self.recover_record(registers, record);
        if matches!(recovered, Recovered::Broken(_)) {
            return recovered;
        }
        self.compare_registers(registers, of_record).map_or_else(Recovered::Broken, |()| recovered)
    }

    fn recover_record(
        &mut self,
        registers: &mut dyn MeasurementRegisters,
        record: Option<Result<Wal, NotAWal>>,
    ) -> Recovered {
        let foreign = match record {
            None => return Recovered::Nothing,
            Some(Err(NotAWal::Torn)) => {
                return match self.remove_remnant() {
                    Ok(()) => Recovered::Torn,
                    Err(error) => Recovered::Unsettled(error),
                };
            }
            Some(Ok(wal)) if wal.before().algorithm() == self.algorithm => {
                return match self.settle_record(registers, wal) {
                    Ok(Settled::NotExtended) => Recovered::Dropped,
                    Ok(Settled::Logged) => Recovered::Completed,
                    Err(error) if matches!(self.state, State::Broken { .. }) => Recovered::Broken(error),
                    Err(error) => Recovered::Unsettled(error),
                };
            }
            Some(Ok(_)) => "it is for registers of another hash".to_owned(),
            Some(Err(error @ NotAWal::Foreign(_))) => error.to_string(),
        };
        let why = format!(
            "{}: {foreign}; whether a register was extended cannot be told, and it is left as it is",
            self.directory.wal_path().display()
        );
        Recovered::Broken(self.broken(MeasurementError::Broken { why }))
    }

    /// Compares the registers with what the last agent left in them; not that of a record, which says itself what
    /// its register may hold. One that cannot be read is compared at its next event.
    fn compare_registers(
        &mut self,
        registers: &mut dyn MeasurementRegisters,
        of_record: Option<u32>,
    ) -> Result<(), MeasurementError> {
        let mut changed = None;
        for (index, left) in self.known.iter().filter(|(index, _)| Some(**index) != of_record) {
            match self.read(registers, *index) {
                Ok(found) if found == *left => {}
                Ok(found) => {
                    let register = registers.name(*index).unwrap_or("a register");
                    let (expected, found) = (left.to_hex(), found.to_hex());
                    changed = Some(MeasurementError::RegisterChanged { register, expected, found });
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, index, "a register cannot be compared with what it was left at");
                }
            }
        }
        changed.map_or(Ok(()), |error| Err(self.broken(error)))
    }
}
