//! The limits on a policy's text and on its evaluation.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits on a policy's text, on one evaluation, and on the trial before admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The longest text, in bytes.
    pub max_bytes: usize,
    /// The longest line, in bytes.
    pub max_line: usize,
    /// How deep brackets of all kinds may be nested. The time the parser takes can double with each
    /// level, see [`Limits::max_nesting_work`].
    pub max_nesting: usize,
    /// The sum over all lexical tokens of `2^depth`: the work of the parser, bounded as a whole.
    pub max_nesting_work: u64,
    /// How many instructions one evaluation may take.
    pub max_instructions: usize,
    /// How long one evaluation may take.
    pub max_time: Duration,
    /// How large the input (as far as the policy reads it), the data and all reference values asked
    /// for may each be, counted as the result.
    pub max_input: usize,
    /// How large the result of an evaluation may be: bytes of text, and eight for each node.
    pub max_output: usize,
    /// How large the values may grow that a policy builds of its own text, in bytes, by a static
    /// bound. What it builds of its input is bounded in proportion to the input.
    pub max_growth: u64,
    /// How many bytes of memory the trial may use.
    pub trial_memory: u64,
    /// How many whole seconds of processor time the trial may use.
    pub trial_cpu_seconds: u64,
    /// How long the trial may take from start to end.
    pub trial_deadline: Duration,
}

impl Limits {
    /// The limits that hold unless others are set.
    pub const DEFAULT: Limits = Limits {
        max_bytes: 64 << 10,
        max_line: 1024,
        max_nesting: 8,
        max_nesting_work: 1 << 19,
        max_instructions: 100_000,
        max_time: Duration::from_millis(50),
        max_input: 1 << 20,
        max_output: 64 << 10,
        max_growth: 1 << 20,
        trial_memory: 256 << 20,
        trial_cpu_seconds: 2,
        trial_deadline: Duration::from_secs(5),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}
