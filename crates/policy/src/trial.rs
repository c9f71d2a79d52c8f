//! The trial.

use std::process::ExitCode;

/// What the hidden subcommand `policy-trial` runs.
pub fn trial_main() -> ExitCode {
    ExitCode::FAILURE
}
