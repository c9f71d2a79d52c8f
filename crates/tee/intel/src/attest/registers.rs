//! RTMR 0 to 3 (Linux 6.16, `Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest`).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use assay_attester::{AttesterError, Host, MeasurementRegisters, files};
use assay_types::{Digest, HashAlgorithm, Tee};

/// Where the kernel shows the measurements of this TD. Reading a file gives its 48 bytes; writing 48 bytes to one
/// of a register extends it.
pub(super) const MEASUREMENTS: &str = "/sys/devices/virtual/misc/tdx_guest/measurements";

/// The index in the event log, less the number of the register.
const LOG_OFFSET: u32 = 1;

/// The registers that a guest can extend. The others are the firmware's.
const EXTENDABLE: [u32; 2] = [2, 3];

/// The registers of this TD.
#[derive(Debug)]
pub(super) struct Rtmrs {
    directory: PathBuf,
}

impl Rtmrs {
    /// The registers, where the kernel has them.
    pub(super) fn find(host: &Host) -> Option<Self> {
        let rtmrs = Rtmrs { directory: host.path(MEASUREMENTS) };
        EXTENDABLE.iter().all(|number| rtmrs.path(*number).exists()).then_some(rtmrs)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.directory.join(format!("rtmr{number}:sha384"))
    }
}

fn no_such(pcr: u64) -> AttesterError {
    AttesterError::NoSuchRegister { tee: Tee::Tdx, pcr }
}

/// The number of the register with this index in the log.
fn number(log_index: u32) -> Result<u32, AttesterError> {
    let number = log_index.checked_sub(LOG_OFFSET).filter(|number| *number < 4);
    number.ok_or_else(|| no_such(u64::from(log_index)))
}

impl MeasurementRegisters for Rtmrs {
    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::Sha384
    }

    /// PCR 1 and 7 are RTMR0, 2 to 6 RTMR1, 8 to 15 RTMR2, all others RTMR3 (Intel TDX virtual firmware design
    /// guide, 8.1; guest-components).
    fn log_index(&self, pcr: u64) -> Result<u32, AttesterError> {
        match pcr {
            1..=7 => Err(no_such(pcr)),
            8..=15 => Ok(3),
            _ => Ok(4),
        }
    }

    fn name(&self, log_index: u32) -> Result<&'static str, AttesterError> {
        match log_index {
            1 => Ok("RTMR0"),
            2 => Ok("RTMR1"),
            3 => Ok("RTMR2"),
            4 => Ok("RTMR3"),
            other => Err(no_such(u64::from(other))),
        }
    }

    fn read(&mut self, log_index: u32) -> Result<Digest, AttesterError> {
        let path = self.path(number(log_index)?);
        let bytes = files::read(&path, 48)?;
        Digest::new(HashAlgorithm::Sha384, bytes).map_err(|error| AttesterError::Malformed {
            what: path.display().to_string(),
            why: error.to_string(),
        })
    }

    fn extend(&mut self, log_index: u32, digest: &Digest) -> Result<(), AttesterError> {
        let number = number(log_index)?;
        if !EXTENDABLE.contains(&number) {
            return Err(no_such(u64::from(log_index)));
        }
        if digest.algorithm() != HashAlgorithm::Sha384 {
            return Err(AttesterError::WrongDigest {
                expected: HashAlgorithm::Sha384,
                found: digest.algorithm(),
            });
        }
        let path = self.path(number);
        // One write: the kernel takes the 48 bytes whole or not at all. Not created: that is the kernel's.
        let written =
            OpenOptions::new().write(true).open(&path).and_then(|mut file| file.write_all(digest.as_bytes()));
        written.map_err(|error| AttesterError::device("writing", path, error))
    }
}
