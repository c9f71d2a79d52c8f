//! Compilation to the engine's two forms, and evaluation within limits.
//!
//! The first choice is regorus' virtual machine (RVM). It keeps its own stack, counts instructions,
//! and stops at `query_reference_value` to let the host answer, so that an answer is borrowed from the
//! snapshot of this very evaluation. Some constructs it does not compile yet: rules that fill an
//! object under constant keys (`trust_claims["hardware"] := 2 if …`), and rules that need more than
//! 255 registers. Policies with those run in the interpreter; [`lacking`] is the whole list. Which
//! form a policy has is settled when it is compiled.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{AskedReferenceValue, Lookup, ReferenceValueSnapshot, UnixTime};
use regorus::languages::rego::compiler::{Compiler, SpannedCompilerError};
use regorus::rvm::program::Program;
use regorus::rvm::vm::{ExecutionMode, ExecutionState, RegoVM, SuspendReason, VmError};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, PolicyLengthConfig, Value as Rego};
use serde_json::Value;

use crate::analysis::{Checked, QUERY};
use crate::interpreter::{self, Interpreter};
use crate::lexer::{SOURCE_NAME, syntax};
use crate::needs::Need;
use crate::value::{Allowance, Unfit, only_string, to_rego};
use crate::{Evaluating, Limits, PolicyError, PolicyKind};

/// How many different reference values one evaluation may ask for.
pub(crate) const MAX_ASKED: usize = 1024;

/// The clock is read once in so many instructions or steps.
const CHECK_INTERVAL: u32 = 64;

/// A rule that gives a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    TrustClaims,
    Extensions,
    Findings,
    Allow,
}

impl Entry {
    const fn of(kind: PolicyKind) -> &'static [Entry] {
        match kind {
            PolicyKind::Attestation => &[Entry::TrustClaims, Entry::Extensions, Entry::Findings],
            PolicyKind::Resource => &[Entry::Allow],
        }
    }

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Entry::TrustClaims => "data.policy.trust_claims",
            Entry::Extensions => "data.policy.extensions",
            Entry::Findings => "data.policy.findings",
            Entry::Allow => "data.policy.allow",
        }
    }

    fn name(self) -> &'static str {
        self.path().trim_start_matches("data.policy.")
    }

    pub(crate) fn evaluating(self) -> Evaluating {
        Evaluating { rule: self.path().to_owned() }
    }
}

/// A compiled policy.
pub(crate) struct Compiled {
    entries: Vec<Entry>,
    form: Form,
    /// The parts of the input that it reads.
    input: Need,
    limits: Limits,
}

enum Form {
    Machine(Arc<Program>),
    Interpreter(Box<Interpreter>),
}

/// Compiles a text that passed the checks.
pub(crate) fn compile(
    kind: PolicyKind,
    text: &str,
    checked: &Checked,
    limits: &Limits,
) -> Result<Compiled, PolicyError> {
    let entries: Vec<Entry> =
        Entry::of(kind).iter().copied().filter(|entry| checked.rules.contains(entry.name())).collect();
    let mut engine = Engine::new();
    engine.set_policy_length_config(PolicyLengthConfig::default());
    engine.set_strict_builtin_errors(false);
    engine.add_policy(SOURCE_NAME.to_owned(), text.to_owned()).map_err(|e| syntax(&e))?;
    if kind == PolicyKind::Attestation {
        interpreter::register_query(&mut engine)?;
    }
    let in_parts: Vec<Entry> =
        entries.iter().copied().filter(|entry| checked.in_parts.contains(entry.name())).collect();
    let interpreter = |engine: Engine| {
        let interpreter = Interpreter::prepare(engine, in_parts.clone(), checked, limits.max_time)?;
        Ok::<_, PolicyError>(Form::Interpreter(Box::new(interpreter)))
    };
    let form = match entries.first() {
        Some(first) if in_parts.is_empty() => {
            let policy = engine.compile_with_entrypoint(&first.path().into()).map_err(|e| syntax(&e))?;
            let paths: Vec<&str> = entries.iter().map(|entry| entry.path()).collect();
            let awaited: &[(&str, usize)] = match kind {
                PolicyKind::Attestation => &[(QUERY, 1)],
                PolicyKind::Resource => &[],
            };
            match Compiler::compile_from_policy_with_host_await(&policy, &paths, awaited) {
                Ok(program) => Form::Machine(program),
                Err(error) if lacking(&error) => interpreter(engine)?,
                Err(error) => return Err(syntax(&error)),
            }
        }
        // Rules in parts have no path of their own, and the virtual machine cannot begin with them.
        _ => interpreter(engine)?,
    };
    Ok(Compiled { entries, form, input: checked.input.clone(), limits: *limits })
}

/// Whether the virtual machine does not compile this although it is good Rego. The engine wraps some
/// of these errors in others as text, so the text decides.
fn lacking(error: &SpannedCompilerError) -> bool {
    let text = error.to_string();
    [
        "not yet supported by the RVM compiler",
        "within the 255-register window",
        "Unsupported expression type in chained reference",
        "unary - can only be used with numeric literals",
    ]
    .iter()
    .any(|lack| text.contains(lack))
}

/// One evaluation's view of the reference values, and its record of what was asked.
pub(crate) struct Host<'a> {
    values: Option<(&'a dyn ReferenceValueSnapshot, UnixTime)>,
    asked: Vec<(AskedReferenceValue, Rego)>,
    allowance: Allowance,
}

impl<'a> Host<'a> {
    pub(crate) fn new(values: Option<(&'a dyn ReferenceValueSnapshot, UnixTime)>, limits: &Limits) -> Self {
        Host { values, asked: Vec::new(), allowance: Allowance::new(limits.max_input) }
    }

    /// What was asked so far, with the values in the engine's form.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&str, &Rego)> {
        self.asked.iter().map(|(asked, value)| (asked.id.as_str(), value))
    }

    /// Forgets what is not in `used`, and takes over its order.
    pub(crate) fn keep(&mut self, used: &[String]) {
        self.asked.retain(|(asked, _)| used.contains(&asked.id));
        self.asked.sort_by_key(|(asked, _)| used.iter().position(|id| *id == asked.id));
    }

    pub(crate) fn asked(self) -> Vec<AskedReferenceValue> {
        self.asked.into_iter().map(|(asked, _)| asked).collect()
    }

    pub(crate) fn answer(&mut self, id: &str, entry: Entry) -> Result<Rego, PolicyError> {
        if let Some((_, value)) = self.asked.iter().find(|(asked, _)| asked.id == id) {
            return Ok(value.clone());
        }
        let Some((values, now)) = self.values else {
            let message = "there are no reference values here".to_owned();
            return Err(PolicyError::Evaluation { evaluating: entry.evaluating(), message });
        };
        if self.asked.len() >= MAX_ASKED {
            let limit = format!("{MAX_ASKED} different reference values");
            return Err(PolicyError::Limit { evaluating: entry.evaluating(), limit });
        }
        let answer = values.query(id, now);
        let value = match &answer {
            Lookup::Found { value, .. } => {
                to_rego(value, &mut self.allowance).map_err(|unfit| unfit_input("reference values", unfit))?
            }
            // As in Trustee: the policy sees null, the record tells the two apart.
            Lookup::Missing | Lookup::Expired { .. } => Rego::Null,
        };
        self.asked.push((AskedReferenceValue { id: id.to_owned(), answer }, value.clone()));
        Ok(value)
    }
}

pub(crate) fn unfit_input(what: &str, unfit: Unfit) -> PolicyError {
    PolicyError::Input { what: what.to_owned(), why: unfit.as_str().to_owned() }
}

impl Compiled {
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Brings the input into the engine, as far as the policy reads it.
    pub(crate) fn input(&self, input: &Value) -> Result<Rego, PolicyError> {
        let mut allowance = Allowance::new(self.limits.max_input);
        self.input.to_rego(input, &mut allowance).map_err(|unfit| unfit_input("input", unfit))
    }

    /// The parts of the input that it reads.
    pub(crate) fn need(&self) -> &Need {
        &self.input
    }

    pub(crate) fn has(&self, entry: Entry) -> bool {
        self.entries.contains(&entry)
    }

    /// Whether the virtual machine runs it, or else the interpreter.
    pub(crate) fn is_machine(&self) -> bool {
        matches!(self.form, Form::Machine(_))
    }

    /// Evaluates the entries, each of which the policy must have, on one input.
    pub(crate) fn evaluate(
        &self,
        entries: &[Entry],
        input: Rego,
        data: Option<Rego>,
        host: &mut Host<'_>,
    ) -> Result<Vec<Rego>, PolicyError> {
        match &self.form {
            Form::Machine(program) => self.run(program, entries, input, data, host),
            Form::Interpreter(interpreter) => interpreter.evaluate(entries, input, data, host),
        }
    }

    fn run(
        &self,
        program: &Arc<Program>,
        entries: &[Entry],
        input: Rego,
        data: Option<Rego>,
        host: &mut Host<'_>,
    ) -> Result<Vec<Rego>, PolicyError> {
        // A machine of its own for each evaluation: it costs about a microsecond, and nothing of one
        // input can show in the next.
        let mut machine = RegoVM::new();
        machine.set_max_instructions(self.limits.max_instructions);
        machine.set_execution_timer_config(Some(timer(self.limits.max_time)));
        // Suspendable is also the mode that does not recurse on the native stack.
        machine.set_execution_mode(ExecutionMode::Suspendable);
        machine.load_program(Arc::clone(program));
        machine.set_input(input);
        let data = data.unwrap_or_else(Rego::new_object);
        machine
            .set_data(data)
            .map_err(|e| PolicyError::Input { what: "data".to_owned(), why: e.to_string() })?;
        let mut results = Vec::with_capacity(entries.len());
        for &entry in entries {
            let mut result = machine.execute_entry_point_by_name(entry.path());
            loop {
                let value = result.map_err(|e| self.machine_error(&e, entry))?;
                let reply = match machine.execution_state() {
                    ExecutionState::Suspended {
                        reason: SuspendReason::HostAwait { argument: Rego::Array(arguments), .. },
                        ..
                    } => match only_string(arguments) {
                        Some(id) => host.answer(id, entry)?,
                        None => return Err(not_a_name(entry)),
                    },
                    ExecutionState::Completed { .. } => {
                        results.push(value);
                        break;
                    }
                    _ => {
                        let message = "the engine stopped without a result".to_owned();
                        return Err(PolicyError::Evaluation { evaluating: entry.evaluating(), message });
                    }
                };
                result = machine.resume(Some(reply));
            }
        }
        Ok(results)
    }

    fn machine_error(&self, error: &VmError, entry: Entry) -> PolicyError {
        let limit = match error {
            VmError::InstructionLimitExceeded { limit, .. } => format!("{limit} instructions"),
            VmError::TimeLimitExceeded { limit, .. } => format!("{} ms", limit.as_millis()),
            VmError::RegexSizeLimitExceeded { limit, .. } => {
                format!("{limit} bytes for a regular expression")
            }
            // Other errors may carry values of any size in their text.
            other => {
                let message = error_name(other);
                return PolicyError::Evaluation { evaluating: entry.evaluating(), message };
            }
        };
        PolicyError::Limit { evaluating: entry.evaluating(), limit }
    }
}

pub(crate) fn timer(limit: Duration) -> ExecutionTimerConfig {
    ExecutionTimerConfig { limit, check_interval: NonZeroU32::new(CHECK_INTERVAL).unwrap_or(NonZeroU32::MIN) }
}

pub(crate) fn not_a_name(entry: Entry) -> PolicyError {
    let message = format!("{QUERY} takes the name of a reference value, a string");
    PolicyError::Evaluation { evaluating: entry.evaluating(), message }
}

/// The kind of an error without the values in it.
fn error_name(error: &VmError) -> String {
    match error {
        VmError::NumericOverflow { operation, .. } => format!("numeric overflow in {operation}"),
        VmError::ArithmeticError { .. } => "arithmetic error".to_owned(),
        VmError::InvalidIteration { .. } => "something that is no collection was iterated over".to_owned(),
        _ => "the engine gave an error on this input".to_owned(),
    }
}

/// Runs `work` in a thread with a stack of that many bytes. A panic of the engine comes back as an
/// error.
pub(crate) fn on_large_stack<T: Send>(
    bytes: usize,
    work: impl FnOnce() -> Result<T, PolicyError> + Send,
) -> Result<T, PolicyError> {
    let failed = |message: &str| PolicyError::Evaluation {
        evaluating: Evaluating { rule: "the policy".to_owned() },
        message: message.to_owned(),
    };
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("policy".to_owned()).stack_size(bytes).spawn_scoped(scope, work);
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(failed("the engine panicked"))),
            Err(error) => Err(failed(&format!("no thread could be started: {error}"))),
        }
    })
}
