//! What was looked for, and what was found.

use std::fs::OpenOptions;
use std::io;

use assay_types::Tee;

use crate::{Attester, Host};

/// One thing that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What: a path, a variable, the processor's architecture.
    pub looked_for: String,
    /// Whether it is as this TEE has it.
    pub found: bool,
    /// What was found, or why not, in words.
    pub detail: String,
}

/// The search for one TEE.
pub struct Probe {
    /// The TEE.
    pub tee: Tee,
    /// What was looked for, in order.
    pub steps: Vec<Step>,
    /// The attester, where the TEE is here and can be asked.
    pub attester: Option<Box<dyn Attester>>,
}

impl Probe {
    /// A search that has found nothing yet.
    pub fn new(tee: Tee) -> Self {
        Probe { tee, steps: Vec::new(), attester: None }
    }

    /// Records a step and says whether it was found.
    pub fn step(&mut self, looked_for: impl Into<String>, found: bool, detail: impl Into<String>) -> bool {
        self.steps.push(Step { looked_for: looked_for.into(), found, detail: detail.into() });
        found
    }

    /// Looks for a device that can be opened for reading and writing. Opening it asks it nothing.
    pub fn device(&mut self, host: &Host, absolute: &'static str) -> bool {
        let opened = OpenOptions::new().read(true).write(true).open(host.path(absolute));
        let detail = match &opened {
            Ok(_) => "it is there and can be opened".to_owned(),
            Err(error) => not_opened(error),
        };
        self.step(absolute, opened.is_ok(), detail)
    }
}

fn not_opened(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "not there".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "it is there, but permission is denied: opening it takes root, and in a container the device"
                .to_owned()
        }
        _ => format!("it is there, but cannot be opened: {error}"),
    }
}
