//! The registers in a file, so that a simulator can be restarted.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use assay_types::Tee;
use serde_json::{Value, json};

use crate::SimulatorError;
use crate::tdx::Register;

const FORMAT: &str = "assay-tsm-simulator-state/1";
/// More than any state.
const MAX_LEN: u64 = 64 << 10;

/// `{"format", "tee", "boot": [hex…], "registers": [hex…]}`, four registers of 48 bytes each; `boot` is what they
/// were after the boot, empty for TEEs without registers.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    tee: Tee,
    boot: Vec<Register>,
}

impl StateFile {
    pub(crate) fn new(path: &Path, tee: Tee, boot: &[Register]) -> Self {
        StateFile { path: path.to_owned(), tee, boot: boot.to_vec() }
    }

    fn bad(&self, why: impl Into<String>) -> SimulatorError {
        SimulatorError::State { path: self.path.clone(), why: why.into() }
    }

    /// The registers in the file; `None` when there is no file.
    pub(crate) fn load(&self) -> Result<Option<[Register; 4]>, SimulatorError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SimulatorError::file("opening", &self.path)(error)),
        };
        let mut text = Vec::new();
        file.take(MAX_LEN).read_to_end(&mut text).map_err(SimulatorError::file("reading", &self.path))?;
        let value: Value =
            serde_json::from_slice(&text).map_err(|error| self.bad(format!("it is not a state: {error}")))?;
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(self.bad(format!("its format is not {FORMAT:?}; give another file")));
        }
        let found = value.get("tee").and_then(Value::as_str).unwrap_or("none");
        if found != self.tee.as_str() {
            return Err(
                self.bad(format!("it is of a guest of {found}, this is {}; give another file", self.tee))
            );
        }
        if registers(&value, "boot").ok_or_else(|| self.bad("its boot cannot be read"))? != self.boot {
            return Err(
                self.bad("it is of a guest that booted something else; give another file, or remove it")
            );
        }
        let registers: [Register; 4] = registers(&value, "registers")
            .and_then(|registers| registers.try_into().ok())
            .ok_or_else(|| self.bad("its registers cannot be read"))?;
        // The first two are the firmware's.
        if self.boot.iter().zip(&registers).take(2).any(|(boot, now)| boot != now) {
            return Err(self.bad("RTMR0 or RTMR1 has changed since the boot, which no guest can do"));
        }
        Ok(Some(registers))
    }

    /// Writes the file anew: the old one stays until the new one is on the disk.
    pub(crate) fn save(&self, registers: &[Register; 4]) -> Result<(), SimulatorError> {
        let hex = |registers: &[Register]| registers.iter().map(hex::encode).collect::<Vec<_>>();
        let value = json!({
            "format": FORMAT,
            "tee": self.tee.as_str(),
            "boot": hex(&self.boot),
            "registers": hex(registers),
        });
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.path.with_file_name(name);
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(format!("{value}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.path)?;
            let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(SimulatorError::file("writing", &self.path))
    }
}

fn registers(value: &Value, name: &str) -> Option<Vec<Register>> {
    let list = value.get(name)?.as_array()?;
    list.iter().map(|text| hex::decode(text.as_str()?).ok()?.try_into().ok()).collect()
}
