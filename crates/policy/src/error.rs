//! Why a policy was not admitted, or gave no result.

use std::time::Duration;

use assay_types::{Coded, Fault};
use serde::{Deserialize, Serialize};

/// Why a policy was not admitted, or gave no result.
///
/// Each variant's code is stable; `docs/catalogue.md` lists them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PolicyError {
    /// `POL-001`: the text, one of its lines, or the number of its parts is beyond the limit.
    #[error("the policy has {found} {unit}, at most {max} are allowed")]
    TooLarge {
        /// What was counted: "bytes", "bytes in line 7".
        unit: String,
        /// How many there are.
        found: u64,
        /// How many are allowed.
        max: u64,
    },
    /// `POL-002`: brackets are nested too deep; the time to parse grows exponentially with the depth.
    #[error("line {line}: brackets are nested too deep ({detail})")]
    TooDeep {
        /// The line, from 1.
        line: u32,
        /// Which limit was passed.
        detail: String,
    },
    /// `POL-003`: the text is not Rego v1.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// The line, from 1; 0 when it is not known.
        line: u32,
        /// The column, from 1; 0 when it is not known.
        column: u32,
        /// What is wrong.
        message: String,
    },
    /// `POL-004`: the language has it, but it has no place in a policy here.
    #[error("line {line}: {construct}: {why}")]
    Unsupported {
        /// The line, from 1; 0 when it is not known.
        line: u32,
        /// What was used, such as `import data.other`.
        construct: String,
        /// Why it is refused.
        why: String,
    },
    /// `POL-005`: rules or functions depend on themselves.
    #[error("the rules depend on themselves: {}", path.join(" -> "))]
    Recursive {
        /// The circle: the first name is also the last.
        path: Vec<String>,
    },
    /// `POL-006`: a function that does not exist or may not be used.
    #[error("line {line}: the function {name} may not be used: {why}")]
    ForbiddenBuiltin {
        /// The line, from 1.
        line: u32,
        /// The function's name.
        name: String,
        /// Why.
        why: String,
    },
    /// `POL-007`: the rule that gives the verdict is missing.
    #[error("the policy has no rule {rule}")]
    MissingRule {
        /// Its path, such as `data.policy.allow`.
        rule: String,
    },
    /// `POL-008`: what the rules build can grow beyond the limit.
    #[error("line {line}: {detail}")]
    Growth {
        /// The line, from 1.
        line: u32,
        /// Which values grow, and how far.
        detail: String,
    },
    /// `POL-009`: a function or rule passes the limits while it is tried out, or the trial could not
    /// be made.
    #[error("the trial of the policy failed: {failure}")]
    Trial {
        /// How it failed.
        failure: TrialFailure,
    },
    /// `POL-010`: a name in `trust_claims` that AR4SI does not have.
    #[error("trust_claims has {name:?}, which is not a trustworthiness claim of AR4SI")]
    UnknownTrustClaim {
        /// The name, cut after 64 characters.
        name: String,
    },
    /// `POL-011`: a value in `trust_claims` that is not a whole number from -128 to 127.
    #[error("trust_claims gives {claim} the value {found}; it must be a whole number from -128 to 127")]
    ValueOutOfRange {
        /// The claim.
        claim: String,
        /// The value, cut after 64 characters.
        found: String,
    },
    /// `POL-012`: a result of the wrong shape, or none.
    #[error("{rule} is {found}, expected {expected}")]
    WrongShape {
        /// The rule or a place in its result.
        rule: String,
        /// What it is.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// `POL-013`: a limit of evaluation was passed.
    #[error("{evaluating} stopped: more than {limit}")]
    Limit {
        /// What was being evaluated.
        evaluating: Evaluating,
        /// The limit: "200000 instructions", "50 ms".
        limit: String,
    },
    /// `POL-014`: the policy fails on this input.
    #[error("{evaluating} failed: {message}")]
    Evaluation {
        /// What was being evaluated.
        evaluating: Evaluating,
        /// The engine's words.
        message: String,
    },
    /// `POL-015`: the result is larger than the limit.
    #[error("the result of {evaluating} is larger than {max} bytes or nested too deep")]
    OutputTooLarge {
        /// What was being evaluated.
        evaluating: Evaluating,
        /// The limit in bytes.
        max: u64,
    },
    /// `POL-016`: the policy is of the other kind. A fault of the caller's code.
    #[error("the policy is of the kind {found}, needed is {needed}")]
    WrongKind {
        /// The policy's kind.
        found: crate::PolicyKind,
        /// The kind that was needed.
        needed: crate::PolicyKind,
    },
    /// `POL-017`: the input or data given to the policy is nested too deep or not an object.
    #[error("the policy's {what} {why}")]
    Input {
        /// "input" or "data".
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The rule under evaluation, with the input it met when that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluating {
    /// The rule's path.
    pub rule: String,
}

impl std::fmt::Display for Evaluating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.rule)
    }
}

/// How the trial of a policy failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "trial", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TrialFailure {
    /// The policy gave an error on one of the sample inputs, or could not be compiled there.
    #[error("on {sample:?}: {error}")]
    Refused {
        /// The sample input, in words.
        sample: String,
        /// The error.
        error: Box<PolicyError>,
    },
    /// The child process ended before it answered: it ran out of memory, processor time or stack.
    #[error("the trial process ended with {status} before it answered")]
    Aborted {
        /// Exit code or signal.
        status: String,
    },
    /// The child process did not answer in time and was killed.
    #[error("the trial process did not answer within {} ms", deadline.as_millis())]
    Timeout {
        /// The time it had.
        deadline: Duration,
    },
    /// The child process could not be started or spoke nonsense: ours, and the policy is not admitted.
    #[error("the trial process could not be used: {reason}")]
    Unusable {
        /// Why.
        reason: String,
    },
}

impl Coded for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            PolicyError::TooLarge { .. } => "POL-001",
            PolicyError::TooDeep { .. } => "POL-002",
            PolicyError::Syntax { .. } => "POL-003",
            PolicyError::Unsupported { .. } => "POL-004",
            PolicyError::Recursive { .. } => "POL-005",
            PolicyError::ForbiddenBuiltin { .. } => "POL-006",
            PolicyError::MissingRule { .. } => "POL-007",
            PolicyError::Growth { .. } => "POL-008",
            PolicyError::Trial { failure: TrialFailure::Refused { error, .. } } => error.code(),
            PolicyError::Trial { .. } => "POL-009",
            PolicyError::UnknownTrustClaim { .. } => "POL-010",
            PolicyError::ValueOutOfRange { .. } => "POL-011",
            PolicyError::WrongShape { .. } => "POL-012",
            PolicyError::Limit { .. } => "POL-013",
            PolicyError::Evaluation { .. } => "POL-014",
            PolicyError::OutputTooLarge { .. } => "POL-015",
            PolicyError::WrongKind { .. } => "POL-016",
            PolicyError::Input { .. } => "POL-017",
        }
    }

    /// A text that is not admitted is its sender's fault. A stored policy that gives no result is the
    /// service's own, whoever's request met it.
    fn fault(&self) -> Fault {
        match self {
            PolicyError::TooLarge { .. } => Fault::TooLarge,
            PolicyError::TooDeep { .. }
            | PolicyError::Syntax { .. }
            | PolicyError::Unsupported { .. }
            | PolicyError::Recursive { .. }
            | PolicyError::ForbiddenBuiltin { .. }
            | PolicyError::MissingRule { .. }
            | PolicyError::Growth { .. } => Fault::Unprocessable,
            PolicyError::Trial { failure: TrialFailure::Unusable { .. } } => Fault::Internal,
            PolicyError::Trial { .. } => Fault::Unprocessable,
            PolicyError::UnknownTrustClaim { .. }
            | PolicyError::ValueOutOfRange { .. }
            | PolicyError::WrongShape { .. }
            | PolicyError::Limit { .. }
            | PolicyError::Evaluation { .. }
            | PolicyError::OutputTooLarge { .. }
            | PolicyError::WrongKind { .. }
            | PolicyError::Input { .. } => Fault::Internal,
        }
    }
}
