//! The guest: what it was launched as, and what it has measured since.

use std::fmt;
use std::path::Path;

use assay_emulator::{Emulator, Seed};
use assay_types::{Digest, Tee};

use crate::SimulatorError;
use crate::state::StateFile;
use crate::svsm::{self, Guid};
use crate::tdx::{self, Boot, Register};

/// The bytes that bind a report.
pub(crate) const REPORT_DATA_LEN: usize = 64;
/// Length of SNP's report, before the table of certificates (56860, ATTESTATION_REPORT).
const SNP_REPORT_LEN: usize = 1184;
/// Where the guest's privilege level stands in it, 32 bits, little-endian.
const SNP_VMPL: usize = 0x30;
/// The least that Arm's driver takes (Linux, arm-cca-guest).
const CCA_LEAST: usize = 32;

/// What a guest asks a report for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// `inblob`: 64 bytes; CCA takes 32 to 64 and fills up with zeros.
    pub inblob: Vec<u8>,
    /// `privlevel`, SNP only; the guest's own when `None`.
    pub privilege_level: Option<u32>,
    /// `service_provider`, SNP only: `svsm`, or `None` for a report of the guest itself.
    pub service_provider: Option<String>,
    /// `service_guid`, in UEFI's order of bytes; all services when `None`.
    pub service_guid: Option<Guid>,
    /// `service_manifest_version`.
    pub service_manifest_version: u32,
}

impl Inputs {
    /// A report that is bound to these bytes and asks for nothing else.
    pub fn new(inblob: impl Into<Vec<u8>>) -> Self {
        Inputs { inblob: inblob.into(), ..Inputs::default() }
    }
}

/// What the platform answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// SNP: the report, 1184 bytes; TDX: the quote; CCA: the token.
    pub outblob: Vec<u8>,
    /// SNP: the host's table of certificates (GHCB), empty where it has none. Empty for others.
    pub auxblob: Vec<u8>,
    /// SNP with `service_provider`: the manifest of the services. Empty without.
    pub manifestblob: Vec<u8>,
}

/// An emulated guest. It is a function of seed, init data and settings, but for its registers; only
/// [`SimulatedGuest::keep_state`] makes it touch a file.
pub struct SimulatedGuest {
    tee: Tee,
    emulator: Emulator,
    init_data: Option<Digest>,
    set: Vec<(String, String)>,
    privilege_floor: u32,
    boot: Option<Boot>,
    registers: [Register; 4],
    state: Option<StateFile>,
}

impl fmt::Debug for SimulatedGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedGuest")
            .field("tee", &self.tee)
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

impl SimulatedGuest {
    /// A guest that has just booted: of the seed's silicon, launched with the digest of these init data, with what
    /// [`Emulator::fields`] lists set by text. What is set holds, whatever the guest asks for, but for two things:
    /// the registers of TDX grow from the value set, and `vmpl` of SNP is the guest's own level, beside which it can
    /// ask for a greater one.
    ///
    /// RTMR3 of TDX is zero and CCEL has no entries of an agent, unless `aael` or `rtmr_3` is set: the agent is
    /// still to come.
    ///
    /// # Errors
    /// [`SimulatorError::UnsupportedTee`], and [`SimulatorError::Emulator`] for fields that cannot be set so.
    pub fn new(
        tee: Tee,
        seed: Seed,
        init_data: Option<Digest>,
        set: &[(String, String)],
    ) -> Result<Self, SimulatorError> {
        if !matches!(tee, Tee::Snp | Tee::Tdx | Tee::Cca) {
            return Err(SimulatorError::UnsupportedTee { tee });
        }
        let mut guest = SimulatedGuest {
            tee,
            emulator: Emulator::new(seed),
            init_data,
            set: set.to_vec(),
            privilege_floor: 0,
            boot: None,
            registers: [[0; 48]; 4],
            state: None,
        };
        if tee == Tee::Tdx {
            let boot = tdx::boot(&guest.emulator, guest.init_data.as_ref(), set)?;
            guest.registers = boot.registers;
            guest.boot = Some(boot);
        }
        // Settings are judged now, and keys are found now, so that the first report is as fast as the others.
        let first = guest.report(&Inputs::new([0; REPORT_DATA_LEN]))?;
        if tee == Tee::Snp {
            let vmpl = first.outblob.get(SNP_VMPL..).and_then(|rest| rest.first_chunk());
            guest.privilege_floor = vmpl.copied().map_or(0, u32::from_le_bytes);
        }
        Ok(guest)
    }

    /// Keeps the registers in a file: takes them over where it exists, and writes it, whole or not at all, before
    /// each extension is answered.
    ///
    /// # Errors
    /// [`SimulatorError::State`] when the file is not a state or of a guest that booted something else,
    /// [`SimulatorError::File`] when it cannot be read or written.
    pub fn keep_state(&mut self, file: &Path) -> Result<(), SimulatorError> {
        let boot = self.boot.as_ref().map(|boot| boot.registers.as_slice()).unwrap_or_default();
        let state = StateFile::new(file, self.tee, boot);
        match state.load()? {
            Some(registers) => self.registers = registers,
            None => state.save(&self.registers)?,
        }
        self.state = Some(state);
        Ok(())
    }

    /// The TEE.
    pub fn tee(&self) -> Tee {
        self.tee
    }

    /// `privlevel_floor`: the least privilege level that can be asked for.
    pub fn privilege_floor(&self) -> u32 {
        self.privilege_floor
    }

    /// Makes a report. It is signed anew; of the same inputs and registers it is the same.
    ///
    /// # Errors
    /// [`SimulatorError::Refused`] for inputs that the driver or the platform does not take.
    pub fn report(&mut self, inputs: &Inputs) -> Result<Report, SimulatorError> {
        let len = inputs.inblob.len();
        let (least, greatest) = if self.tee == Tee::Cca { (CCA_LEAST, REPORT_DATA_LEN) } else { (64, 64) };
        if !(least..=greatest).contains(&len) {
            let wanted =
                if least == greatest { format!("{least}") } else { format!("{least} to {greatest}") };
            return Err(SimulatorError::Refused(format!("inblob has {len} bytes, {wanted} are wanted")));
        }
        match self.tee {
            Tee::Tdx => {
                let quote = tdx::quote(
                    &self.emulator,
                    &inputs.inblob,
                    self.init_data.as_ref(),
                    &self.set,
                    self.registers,
                )?;
                Ok(Report { outblob: quote, ..Report::default() })
            }
            Tee::Snp => self.snp_report(inputs),
            tee => {
                let init_data = self.init_data.as_ref();
                let token = self.emulator.raw_evidence(tee, &inputs.inblob, init_data, &self.set)?;
                Ok(Report { outblob: token, ..Report::default() })
            }
        }
    }

    fn snp_report(&self, inputs: &Inputs) -> Result<Report, SimulatorError> {
        let (report_data, vmpl, manifestblob) = match inputs.service_provider.as_deref() {
            None => (inputs.inblob.clone(), inputs.privilege_level, Vec::new()),
            Some("svsm") => {
                let manifest = svsm::manifest(inputs.service_guid, inputs.service_manifest_version)?;
                // The SVSM asks, and it runs at level 0.
                (svsm::report_data(&inputs.inblob, &manifest), Some(0), manifest)
            }
            Some(other) => {
                let other: String = other.chars().take(40).collect();
                return Err(SimulatorError::Refused(format!("no service provider {other:?}; there is svsm")));
            }
        };
        let mut set = self.set.clone();
        if let Some(vmpl) = vmpl {
            set.retain(|(name, _)| name != "vmpl");
            set.push(("vmpl".into(), vmpl.to_string()));
        }
        let mut outblob =
            self.emulator.raw_evidence(Tee::Snp, &report_data, self.init_data.as_ref(), &set)?;
        let auxblob = outblob.split_off(SNP_REPORT_LEN.min(outblob.len()));
        Ok(Report { outblob, auxblob, manifestblob })
    }

    /// Extends RTMR2 or RTMR3 of TDX: `new = SHA-384(old ‖ digest)`, and returns the new value.
    ///
    /// # Errors
    /// [`SimulatorError::Refused`] when the digest has not 48 bytes or the register cannot be extended by a guest;
    /// [`SimulatorError::File`] when the state file cannot be written. Then nothing has changed.
    pub fn extend(&mut self, index: usize, digest: &[u8]) -> Result<Register, SimulatorError> {
        let digest: Register = digest.try_into().map_err(|_| {
            SimulatorError::Refused(format!("{} bytes; registers are extended with 48", digest.len()))
        })?;
        let mut registers = self.registers;
        let register = match registers.get_mut(index) {
            Some(register) if self.tee == Tee::Tdx && index >= 2 => register,
            _ => {
                return Err(SimulatorError::Refused(format!(
                    "register {index} of {} cannot be extended; RTMR2 and RTMR3 of tdx can",
                    self.tee
                )));
            }
        };
        *register = tdx::extended(register, &digest);
        let value = *register;
        if let Some(state) = &self.state {
            state.save(&registers)?;
        }
        self.registers = registers;
        Ok(value)
    }

    /// RTMR0 to RTMR3 of TDX, 48 bytes; `None` for other registers and TEEs.
    pub fn register(&self, index: usize) -> Option<Register> {
        self.registers.get(index).copied().filter(|_| self.tee == Tee::Tdx)
    }

    /// The registers of TDX that never change, by the names of their files: 48 bytes each.
    pub(crate) fn fixed_registers(&self) -> Vec<(&'static str, Register)> {
        self.boot.as_ref().map(|boot| boot.fixed.clone()).unwrap_or_default()
    }

    /// The event log of the boot as the firmware left it in its ACPI table: filled up with 0xFF. `None` without one.
    pub fn ccel(&self) -> Option<&[u8]> {
        self.boot.as_ref()?.ccel.as_deref()
    }
}
