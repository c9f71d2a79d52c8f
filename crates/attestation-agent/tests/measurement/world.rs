//! A guest with registers in a file, so that they outlive the process that extends them.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use assay_attestation_agent::api::RuntimeEvent;
use assay_attestation_agent::measurement::{
    MeasurementError, MeasurementSettings, Measurements, Recovered, Step, Steps,
};
use assay_attester::{AttesterError, MeasurementRegisters};
use assay_eventlog::{Details, TcgAlgorithm, read_aael_file};
use assay_types::{Digest, HashAlgorithm, Tee};

/// SHA-384, as TDX has them.
pub(crate) const LEN: usize = 48;
const NAMES: [&str; 4] = ["RTMR0", "RTMR1", "RTMR2", "RTMR3"];

/// What the next call of the device does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Device {
    #[default]
    Works,
    /// `extend` fails, and nothing was extended.
    Refuses,
    /// `extend` fails, although the register was extended.
    FailsAfter,
    /// `extend` reports no error and extends nothing.
    Lies,
}

/// Four registers with the indices 1 to 4, in a file; PCR 17 is index 4, PCR 8 is index 3.
#[derive(Clone, Debug)]
pub(crate) struct FileRegisters {
    path: PathBuf,
    pub(crate) device: Rc<Cell<Device>>,
    /// How many of the next reads succeed before one fails.
    pub(crate) reads_until_failure: Rc<Cell<Option<u32>>>,
    /// Whether the next read fails, and only that.
    pub(crate) next_read_fails: Rc<Cell<bool>>,
    /// The register that has another hash than the rest.
    pub(crate) odd_hash: Rc<Cell<Option<u32>>>,
}

impl FileRegisters {
    pub(crate) fn at(path: &Path) -> Self {
        if !path.exists() {
            // Boot events are in some of them.
            let start: Vec<u8> = (0..4 * LEN).map(|i| if i < 2 * LEN { i as u8 } else { 0 }).collect();
            fs::write(path, start).unwrap();
        }
        FileRegisters {
            path: path.to_owned(),
            device: Rc::default(),
            reads_until_failure: Rc::default(),
            next_read_fails: Rc::default(),
            odd_hash: Rc::default(),
        }
    }

    pub(crate) fn value(&self, index: u32) -> Vec<u8> {
        let place = (index as usize - 1) * LEN;
        fs::read(&self.path).unwrap()[place..place + LEN].to_vec()
    }

    /// Extends as the hardware does: whole or not at all.
    pub(crate) fn extend_by(&self, index: u32, digest: &[u8]) {
        let mut all = fs::read(&self.path).unwrap();
        let place = (index as usize - 1) * LEN;
        let value = Digest::sha384(&[&all[place..place + LEN], digest].concat());
        all[place..place + LEN].copy_from_slice(value.as_bytes());
        let beside = self.path.with_extension("new");
        fs::write(&beside, all).unwrap();
        fs::rename(beside, &self.path).unwrap();
    }

    fn failure(&self) -> AttesterError {
        AttesterError::device("asking", &self.path, io::Error::from_raw_os_error(5))
    }
}

impl MeasurementRegisters for FileRegisters {
    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::Sha384
    }

    fn log_index(&self, pcr: u64) -> Result<u32, AttesterError> {
        match pcr {
            17 => Ok(4),
            8 => Ok(3),
            pcr => Err(AttesterError::NoSuchRegister { tee: Tee::Tdx, pcr }),
        }
    }

    fn name(&self, log_index: u32) -> Result<&'static str, AttesterError> {
        let known = (log_index as usize).checked_sub(1).and_then(|place| NAMES.get(place));
        known.copied().ok_or(AttesterError::NoSuchRegister { tee: Tee::Tdx, pcr: u64::from(log_index) })
    }

    fn read(&mut self, log_index: u32) -> Result<Digest, AttesterError> {
        if self.next_read_fails.take() {
            return Err(self.failure());
        }
        match self.reads_until_failure.get() {
            Some(0) => return Err(self.failure()),
            left => self.reads_until_failure.set(left.map(|n| n - 1)),
        }
        if self.odd_hash.get() == Some(log_index) {
            return Ok(Digest::sha256(b""));
        }
        Ok(Digest::new(HashAlgorithm::Sha384, self.value(log_index)).unwrap())
    }

    fn extend(&mut self, log_index: u32, digest: &Digest) -> Result<(), AttesterError> {
        assert_eq!(digest.algorithm(), HashAlgorithm::Sha384);
        let device = self.device.take();
        if matches!(device, Device::Works | Device::FailsAfter) {
            self.extend_by(log_index, digest.as_bytes());
        }
        match device {
            Device::Works | Device::Lies => Ok(()),
            Device::Refuses | Device::FailsAfter => Err(self.failure()),
        }
    }
}

/// Fails at the n-th step, counted from 0, with this code of the kernel; and at no other.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailAt {
    pub(crate) count: Arc<AtomicUsize>,
    at: Option<(usize, i32)>,
}

impl FailAt {
    pub(crate) fn nth(at: usize, code: i32) -> Self {
        FailAt { count: Arc::default(), at: Some((at, code)) }
    }
}

impl Steps for FailAt {
    fn before(&self, _step: Step) -> io::Result<()> {
        let now = self.count.fetch_add(1, Ordering::Relaxed);
        match self.at {
            Some((at, code)) if at == now => Err(io::Error::from_raw_os_error(code)),
            _ => Ok(()),
        }
    }
}

/// Fails at these steps, always.
#[derive(Clone, Debug)]
pub(crate) struct FailSteps(pub(crate) Vec<Step>, pub(crate) i32);

impl Steps for FailSteps {
    fn before(&self, step: Step) -> io::Result<()> {
        if self.0.contains(&step) { Err(io::Error::from_raw_os_error(self.1)) } else { Ok(()) }
    }
}

/// A guest: a folder with the registers' file and the log's directory.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) folder: PathBuf,
    pub(crate) registers: FileRegisters,
    pub(crate) start: [Vec<u8>; 4],
    _held: Option<tempfile::TempDir>,
}

impl Guest {
    pub(crate) fn new() -> Self {
        let held = tempfile::tempdir().unwrap();
        let guest = Guest::at(held.path());
        Guest { _held: Some(held), ..guest }
    }

    /// The guest in this folder; its registers are what they are now.
    pub(crate) fn at(folder: &Path) -> Self {
        let registers = FileRegisters::at(&folder.join("registers"));
        let mut guest =
            Guest { folder: folder.to_owned(), registers, start: Default::default(), _held: None };
        guest.starts_here();
        guest
    }

    /// Takes what the registers hold now for what they held before all events.
    pub(crate) fn starts_here(&mut self) {
        self.start = [1, 2, 3, 4].map(|index| self.registers.value(index));
    }

    pub(crate) fn settings(&self) -> MeasurementSettings {
        MeasurementSettings { directory: self.directory(), ..MeasurementSettings::default() }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.join("aael")
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.directory().join("eventlog")
    }

    pub(crate) fn wal_path(&self) -> PathBuf {
        self.directory().join(".wal_event_entry")
    }

    pub(crate) fn kept_path(&self) -> PathBuf {
        self.directory().join(".registers")
    }

    pub(crate) fn open(&mut self) -> (Measurements, Recovered) {
        Measurements::open(self.settings(), &mut self.registers).unwrap()
    }

    pub(crate) fn open_with(&mut self, steps: impl Steps + 'static) -> (Measurements, Recovered) {
        Measurements::open_with_steps(self.settings(), &mut self.registers, Box::new(steps)).unwrap()
    }

    pub(crate) fn open_error(&mut self) -> MeasurementError {
        Measurements::open(self.settings(), &mut self.registers).unwrap_err()
    }

    /// The contents of the events in the log's file, after it was checked that every register is what its events
    /// lead to from its start.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.replayed(&fs::read(self.log_path()).unwrap())
    }

    /// The same for a log that evidence would carry.
    pub(crate) fn replayed(&self, log: &[u8]) -> Vec<String> {
        let algorithm = TcgAlgorithm::Sha384;
        let log = read_aael_file(algorithm, log.to_vec()).unwrap();
        let mut values = self.start.clone();
        let mut contents = Vec::new();
        for event in log.events() {
            let value = &mut values[event.index as usize - 1];
            let digest = event.digest(algorithm).unwrap();
            *value = Digest::sha384(&[value, digest].concat()).as_bytes().to_vec();
            let Details::Aael(entry) = event.details() else { panic!("no AAEL entry") };
            contents.push(entry.content.to_owned());
        }
        for (place, value) in values.iter().enumerate() {
            let found = self.registers.value(place as u32 + 1);
            assert_eq!(hex::encode(value), hex::encode(found), "RTMR{place} after {contents:?}");
        }
        contents
    }
}

pub(crate) fn event(content: impl ToString) -> RuntimeEvent {
    RuntimeEvent {
        domain: "domain".to_owned(),
        operation: "operation".to_owned(),
        content: content.to_string(),
        pcr: None,
    }
}

pub(crate) fn event_in(pcr: u64, content: impl ToString) -> RuntimeEvent {
    RuntimeEvent { pcr: Some(pcr), ..event(content) }
}
