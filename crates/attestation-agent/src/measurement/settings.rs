//! What can be set.

use std::path::PathBuf;

use super::MeasurementError;

/// The greatest `max_log_bytes`: entries of the shortest kind fill no more than the number of events that is
/// read of a log.
const MOST_LOG_BYTES: u64 = 2 << 20;
/// The greatest `max_event_bytes`: what is read of one event, without tag and size.
const MOST_EVENT_BYTES: usize = (1 << 20) - 8;

/// What can be set of runtime measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasurementSettings {
    /// Where the log and what belongs to it stand. Made with mode 0700 where it is missing.
    pub directory: PathBuf,
    /// The register of events that name none, as the number of a PCR.
    pub default_pcr: u64,
    /// The greatest length of the log in bytes, 1 to 2 MiB.
    pub max_log_bytes: u64,
    /// The greatest length of one event's text in bytes, 1 to 1 MiB without eight bytes.
    pub max_event_bytes: usize,
}

impl Default for MeasurementSettings {
    /// `/run/attestation-agent`, PCR 17, 1 MiB, 64 KiB.
    fn default() -> Self {
        MeasurementSettings {
            directory: PathBuf::from("/run/attestation-agent"),
            default_pcr: 17,
            max_log_bytes: 1 << 20,
            max_event_bytes: 1 << 16,
        }
    }
}

impl MeasurementSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`MeasurementError::Setting`].
    pub fn check(&self) -> Result<(), MeasurementError> {
        let max = |most: usize| u64::try_from(most).unwrap_or(u64::MAX);
        for (key, found, max) in [
            ("max_log_bytes", self.max_log_bytes, MOST_LOG_BYTES),
            ("max_event_bytes", max(self.max_event_bytes), max(MOST_EVENT_BYTES)),
        ] {
            if found == 0 || found > max {
                return Err(MeasurementError::Setting { key, found, min: 1, max });
            }
        }
        Ok(())
    }

    /// The longest log that is read at a start: one may have been written under another setting.
    pub(super) const fn readable_log_bytes() -> u64 {
        MOST_LOG_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_and_name_the_key() {
        let default = MeasurementSettings::default();
        default.check().unwrap();
        for (settings, key) in [
            (MeasurementSettings { max_log_bytes: 0, ..default.clone() }, "max_log_bytes"),
            (MeasurementSettings { max_log_bytes: MOST_LOG_BYTES + 1, ..default.clone() }, "max_log_bytes"),
            (MeasurementSettings { max_event_bytes: 0, ..default.clone() }, "max_event_bytes"),
            (MeasurementSettings { max_event_bytes: 1 << 20, ..default.clone() }, "max_event_bytes"),
        ] {
            assert!(settings.check().unwrap_err().to_string().starts_with(key));
        }
    }
}
