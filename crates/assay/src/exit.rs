//! How commands end: the exit codes, and errors in words.

use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; accepted.
    Success = 0,
    /// Our fault, or the environment's.
    Failure = 1,
    /// The command line was not understood (clap's own code).
    #[expect(dead_code, reason = "clap exits with this code itself; it is named to document it")]
    Usage = 2,
    /// Rejected: the evidence, token or policy does not hold, or the server said no.
    Rejected = 10,
    /// Of a kind or version that is not supported.
    Unsupported = 20,
    /// Not evidence, not a token, not a policy at all.
    Malformed = 30,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Rejected => 10,
            Exit::Unsupported => 20,
            Exit::Malformed => 30,
        })
    }
}
