//! The steps of an extend, by name, so that tests can die or fail at each.

use std::io;

/// A step of [`Measurements`](super::Measurements), in the order in which an extend takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The write-ahead log's file is made.
    WalCreate,
    /// It is written.
    WalWrite,
    /// It is synced.
    WalSync,
    /// Its directory is synced, so that the name lasts.
    WalNameSync,
    /// The register is extended.
    Extend,
    /// The register is read again: what it holds decides.
    Decide,
    /// What stands in the log after the last complete entry is cut off.
    LogCut,
    /// The entry is appended.
    LogWrite,
    /// The log is synced.
    LogSync,
    /// What the registers hold now is written beside the file that keeps it.
    RegistersWrite,
    /// It is synced.
    RegistersSync,
    /// It takes that file's place.
    RegistersRename,
    /// Its directory is synced, so that it stays there.
    RegistersNameSync,
    /// The write-ahead log is removed.
    WalRemove,
    /// Its directory is synced, so that it stays removed.
    WalRemoveSync,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 15] = [
        Step::WalCreate,
        Step::WalWrite,
        Step::WalSync,
        Step::WalNameSync,
        Step::Extend,
        Step::Decide,
        Step::LogCut,
        Step::LogWrite,
        Step::LogSync,
        Step::RegistersWrite,
        Step::RegistersSync,
        Step::RegistersRename,
        Step::RegistersNameSync,
        Step::WalRemove,
        Step::WalRemoveSync,
    ];
}

/// What is told of each step just before it is taken.
pub trait Steps: Send {
    /// Called before the step.
    ///
    /// # Errors
    /// The step is not taken and counts as failed with this error. [`Step::Extend`] and [`Step::Decide`] are
    /// the device's, whose errors the registers give; an error for them is not looked at.
    fn before(&self, step: Step) -> io::Result<()>;
}

/// Nothing happens at any step: for use.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSteps;

impl Steps for NoSteps {
    fn before(&self, _step: Step) -> io::Result<()> {
        Ok(())
    }
}
