//! The trial of a policy in a process of its own: what the child does.
//!
//! The child takes everything from itself that a hostile policy could use up, then compiles the policy
//! and evaluates it on the sample inputs. Whatever goes wrong there, an overflow of the stack or of
//! memory included, ends the child and not the service.

use std::io::{Read, Write};
use std::process::ExitCode;

use assay_types::{Coded, Fault, UnixTime};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::samples::{Sample, samples};
use crate::{Limits, Policy, PolicyError, PolicyKind, TrialFailure};

/// The most that the child reads: the largest text escaped as JSON, and the limits.
const MAX_JOB: u64 = 1 << 20;

/// The time at which the samples are appraised: fixed, so that a trial always ends the same.
const NOW: UnixTime = UnixTime(1_767_225_600);

/// What the parent writes to the child.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    pub(crate) kind: PolicyKind,
    pub(crate) limits: Limits,
    pub(crate) text: String,
}

/// What the child answers, in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Answer {
    /// The policy passed on so many samples.
    Passed { samples: usize },
    /// The policy is refused.
    Refused { error: PolicyError },
}

/// What the hidden subcommand `policy-trial` runs: it reads a job as JSON from standard input, limits
/// its own memory, processor time and core dumps, tries the policy, and prints one line of JSON. Exit
/// code 0 with either answer; 1 when there was no job or no limit could be set.
///
/// It must be called before the program starts other threads: it is meant to do nothing else.
pub fn trial_main() -> ExitCode {
    let answer = match read_job() {
        Ok(job) => match confine(&job.limits) {
            Ok(()) => run(&job),
            Err(_) => return ExitCode::FAILURE,
        },
        Err(_) => return ExitCode::FAILURE,
    };
    let mut line = match serde_json::to_vec(&answer) {
        Ok(line) => line,
        Err(_) => return ExitCode::FAILURE,
    };
    line.push(b'\n');
    match std::io::stdout().lock().write_all(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read_job() -> std::io::Result<Job> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_JOB).read_to_end(&mut bytes)?;
    serde_json::from_slice(&bytes).map_err(Into::into)
}

fn confine(limits: &Limits) -> rustix::io::Result<()> {
    let hard = |n: u64| Rlimit { current: Some(n), maximum: Some(n) };
    setrlimit(Resource::Core, hard(0))?;
    setrlimit(Resource::As, hard(limits.trial_memory))?;
    setrlimit(Resource::Cpu, hard(limits.trial_cpu_seconds))
}

fn run(job: &Job) -> Answer {
    let policy = match Policy::compile(job.kind, &job.text, &job.limits) {
        Ok(policy) => policy,
        // Here it is the policy's fault, too, when the engine fails on it.
        Err(error) if error.fault() == Fault::Internal => return refused("compilation", error),
        Err(error) => return Answer::Refused { error },
    };
    let samples = samples(job.kind);
    for sample in &samples {
        if let Err(error) = try_sample(&policy, sample) {
            return refused(&sample.name, error);
        }
    }
    Answer::Passed { samples: samples.len() }
}

fn refused(sample: &str, error: PolicyError) -> Answer {
    let failure = TrialFailure::Refused { sample: sample.to_owned(), error: Box::new(error) };
    Answer::Refused { error: PolicyError::Trial { failure } }
}

fn try_sample(policy: &Policy, sample: &Sample) -> Result<(), PolicyError> {
    match policy.kind() {
        PolicyKind::Attestation => {
            let appraisal = policy.appraise(&sample.input, &sample.values, NOW);
            match appraisal {
                // A policy for one TEE may say nothing about the others.
                Err(PolicyError::WrongShape { found, .. }) if found == "undefined" => {}
                other => drop(other?),
            }
            policy.explain(&sample.input, &sample.values, NOW).map(drop)
        }
        PolicyKind::Resource => policy.allow(&sample.data, &sample.input).map(drop),
    }
}
