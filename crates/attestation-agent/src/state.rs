//! How the agent is, for readiness and for people. None of it needs the network.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use assay_types::Tee;
use tokio::sync::watch;

use crate::agent::EventLog;
use crate::device::Device;
use crate::faces::Readiness;
use crate::init_data::InitDataState;
use crate::measurement;
use crate::secrets::{FileState, FileStatus};

/// How long a device may be busy with one call before the agent says that it is stuck, in seconds.
const STUCK: u64 = 60;

/// Why events cannot be measured at present, if so. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct LogHealth(Arc<Mutex<Option<String>>>);

impl LogHealth {
    /// Takes over the state of the log.
    pub(crate) fn set(&self, state: &measurement::State) {
        let why = match state {
            measurement::State::Ready => None,
            measurement::State::Unsettled { why } => Some(format!("an event is half done: {why}")),
            measurement::State::Broken { why } => Some(format!("broken: {why}")),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What readiness is made of.
pub struct State {
    /// The TEE.
    pub tee: Tee,
    /// The device's thread.
    pub device: Device,
    /// Whether events can be measured.
    pub event_log: EventLog,
    /// Why they cannot at present.
    pub log_health: LogHealth,
    /// What binds the init data.
    pub init_data: InitDataState,
    /// The files of secrets.
    pub files: watch::Receiver<Vec<FileStatus>>,
}

impl State {
    /// Ready when the device answers, the log is whole and every file is written.
    pub fn readiness(&self) -> Readiness {
        let mut ready = true;
        let (tee, log) = (self.tee, self.event_log.as_str());
        let mut detail = format!("tee {tee}; init data {}; event log {log}", in_words(&self.init_data));
        if let Some(why) = self.log_health.why() {
            ready = false;
            let _ = write!(detail, ", {why}");
        }
        if let Some(seconds) = self.device.busy_seconds().filter(|seconds| *seconds >= STUCK) {
            ready = false;
            let _ = write!(detail, "; the device is busy since {seconds} s");
        }
        for FileStatus { path, state } in self.files.borrow().iter() {
            let words = match state {
                FileState::Written { .. } => continue,
                FileState::Waiting { why: None } => "not yet written".to_owned(),
                FileState::Waiting { why: Some(why) } => format!("not yet written: {why}"),
                FileState::Failed { why } => format!("not written: {why}"),
            };
            ready = false;
            let _ = write!(detail, "; {}: {words}", path.display());
        }
        Readiness { ready, detail }
    }
}

/// What is known of the init data, in words.
pub fn in_words(state: &InitDataState) -> String {
    match state {
        InitDataState::None => "none".to_owned(),
        InitDataState::Bound { field, digest } => format!("bound, {field} is {digest}"),
        InitDataState::Unbound { why } => format!("NOT BOUND: {why}"),
    }
}
