//! Rego policies: admission, compilation, evaluation with limits.
//!
//! A policy is a Rego v1 module `package policy`. Two kinds exist ([`PolicyKind`]): attestation
//! policies judge claims against reference values and give an AR4SI trust vector; resource policies
//! say whether a token opens a resource.
//!
//! # The way of a policy
//!
//! ```text
//! text from outside --Admission::admit--> static checks -> compile -> trial in a child process --> Policy
//! our own text, or text admitted before --Policy::bundled--> static checks -> compile -----------> Policy
//! Policy --appraise / explain / allow--> result, within limits
//! ```
//! The Rego engine, regorus, does not hold its limits against a hostile policy: recursion overflows
//! its stack, nested brackets make its parser exponential, and no limit is looked at inside a
//! built-in function. Therefore everything that cannot be bounded while it runs is refused before it
//! runs: [`Admission`] lists the checks.
//!
//! # Compatibility
//!
//! Rule names, input and `query_reference_value` are those of Trustee, so its policies run unchanged
//! as long as they keep to the allowed built-in functions ([`allowed_builtins`]).

mod admission;
mod analysis;
mod appraisal;
mod builtins;
mod dependencies;
mod engine;
mod error;
mod growth;
mod interpreter;
mod lexer;
mod limits;
mod needs;
mod policy;
mod references;
mod remembered;
mod samples;
mod size;
mod trial;
mod value;

pub use admission::{Admission, TrialProcess};
pub use appraisal::{Extension, PolicyAppraisal, PolicyFinding};
pub use builtins::allowed_builtins;
pub use error::{Evaluating, PolicyError, TrialFailure};
pub use limits::Limits;
pub use policy::{Policy, PolicyKind};
pub use trial::trial_main;
