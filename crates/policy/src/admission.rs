//! Admission of policies from outside.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::trial::{Answer, Job};
use crate::{Limits, Policy, PolicyError, PolicyKind, TrialFailure, lexer};

/// The most that is read of the child's answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// The program that tries out policies, in a process of its own: it must call [`trial_main`].
///
/// [`trial_main`]: crate::trial_main
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialProcess {
    /// The program, mostly this one (`std::env::current_exe`).
    pub program: PathBuf,
    /// Its arguments, such as `policy-trial`.
    pub args: Vec<String>,
}

/// How a policy from outside is admitted. A policy must pass, in this order:
///
/// 1. *Text*: at most 64 KiB, lines of at most 1024 bytes, brackets nested at most 8 deep with a bound
///    on the text inside, at most 48 operators in a row. The parser's time is exponential in nesting.
/// 2. *Trial*: a child process with limits on memory, processor time and time to answer makes all the
///    following checks and evaluates the policy on claims of every TEE, with debugging on and off and
///    with reference values missing, few and many.
/// 3. *Language*: Rego v1, `package policy`, the rule that gives the verdict, no `with`.
/// 4. *Functions*: only those in [`allowed_builtins`], and formats, patterns and search strings as
///    literals where their size decides the cost.
/// 5. *Dependencies*: no rule or function depends on itself.
/// 6. *Growth*: a static bound on what the rules build, in proportion to the input.
///
/// Steps 3 to 6 are then repeated in this process, and the policy is compiled. An admitted policy runs
/// under limits on instructions, time, input and output. What remains: a single comparison or function
/// call is not interrupted; by 6 its cost is at most 8192 times the size of the input, or 64 times its
/// square for comprehensions over pairs.
///
/// [`allowed_builtins`]: crate::allowed_builtins
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

    /// Checks, compiles and tries out a policy. Must run within a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// Whatever makes the policy unfit; and [`PolicyError::Trial`] when it cannot be tried out.
    pub async fn admit(&self, kind: PolicyKind, text: &str) -> Result<Policy, PolicyError> {
        lexer::guard(text, &self.limits)?;
        let job = Job { kind, limits: self.limits, text: text.to_owned() };
        match self.run(&job).await.map_err(|failure| PolicyError::Trial { failure })? {
            Answer::Refused { error } => return Err(error),
            Answer::Passed { samples } => tracing::debug!(%kind, samples, "policy passed its trial"),
        }
        let limits = self.limits;
        tokio::task::spawn_blocking(move || Policy::compile(kind, &job.text, &limits))
            .await
            .unwrap_or_else(|error| Err(PolicyError::Trial { failure: unusable("compilation", &error) }))
    }

    async fn run(&self, job: &Job) -> Result<Answer, TrialFailure> {
        let job = serde_json::to_vec(job).map_err(|e| unusable("the job", &e))?;
        let mut child = Command::new(&self.trial.program)
            .args(&self.trial.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| unusable("starting it", &e))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(TrialFailure::Unusable { reason: "it has no pipes".to_owned() });
        };
        let talk = async {
            // The child may end before it has read all; its status tells more than this error.
            let _ = stdin.write_all(&job).await;
            drop(stdin);
            let mut answer = Vec::new();
            stdout
                .take(MAX_ANSWER)
                .read_to_end(&mut answer)
                .await
                .map_err(|e| unusable("reading its answer", &e))?;
            let status = child.wait().await.map_err(|e| unusable("waiting for it", &e))?;
            Ok((status, answer))
        };
        let deadline = self.limits.trial_deadline;
        let talked = timeout(deadline, talk).await;
        let (status, answer) = match talked {
            Ok(result) => result?,
            Err(_) => {
                // Killed and reaped here; when this future is dropped instead, by `kill_on_drop`.
                let _ = child.kill().await;
                return Err(TrialFailure::Timeout { deadline });
            }
        };
        if status.code() == Some(1) {
            return Err(TrialFailure::Unusable {
                reason: "it did not take the job or could not limit itself".to_owned(),
            });
        }
        if !status.success() {
            return Err(TrialFailure::Aborted { status: describe(status) });
        }
        serde_json::from_slice(&answer).map_err(|e| unusable("understanding its answer", &e))
    }
}

fn unusable(what: &str, error: &dyn std::error::Error) -> TrialFailure {
    TrialFailure::Unusable { reason: format!("{what}: {error}") }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}
