//! The interpreter's form of a compiled policy, for what the virtual machine lacks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use regorus::utils::limits::LimitError;
use regorus::{Engine, Value as Rego};

use crate::PolicyError;
use crate::analysis::{Checked, QUERY};
use crate::engine::{Entry, Host, MAX_ASKED, not_a_name, on_large_stack, timer};
use crate::lexer::{position, syntax};

/// How often the interpreter starts again because it asked for values that it was not given before.
const MAX_ROUNDS: usize = 16;

/// The stack of the thread in which the interpreter runs: it follows rules by recursion, and how deep
/// they go is bounded by [`crate::dependencies`].
const INTERPRETER_STACK: usize = 16 << 20;

/// A policy in the interpreter's form.
pub(crate) struct Interpreter {
    engine: Engine,
    /// The entries whose rules are given in parts: they have no path of their own.
    in_parts: Vec<Entry>,
    /// The reference values that the policy names literally: all of them are at hand from the start.
    queried: Vec<String>,
    max_time: Duration,
}

/// Gives the engine the function that answers from this thread's table.
pub(crate) fn register_query(engine: &mut Engine) -> Result<(), PolicyError> {
    let answer = |arguments: Vec<Rego>| Ok(ANSWERS.with_borrow_mut(|a| a.answer(&arguments)));
    engine.add_extension(QUERY.to_owned(), 1, Box::new(answer)).map_err(|e| syntax(&e))
}

impl Interpreter {
    /// Takes an engine that has the policy.
    pub(crate) fn prepare(
        mut engine: Engine,
        in_parts: Vec<Entry>,
        checked: &Checked,
        max_time: Duration,
    ) -> Result<Self, PolicyError> {
        // Any query makes the engine resolve names and check the module.
        engine.eval_query("true".to_owned(), false).map_err(|e| syntax(&e))?;
        Ok(Interpreter { engine, in_parts, queried: checked.queried.iter().cloned().collect(), max_time })
    }

    /// Evaluates the entries on one input.
    pub(crate) fn evaluate(
        &self,
        entries: &[Entry],
        input: Rego,
        data: Option<Rego>,
        host: &mut Host<'_>,
    ) -> Result<Vec<Rego>, PolicyError> {
        let work = || {
            let mut engine = self.engine.clone();
            engine.set_input(input);
            if let Some(data) = data {
                engine
                    .add_data(data)
                    .map_err(|e| PolicyError::Input { what: "data".to_owned(), why: e.to_string() })?;
            }
            let start = Instant::now();
            let mut used = Vec::new();
            let mut results = Vec::with_capacity(entries.len());
            for &entry in entries {
                for id in &self.queried {
                    host.answer(id, entry)?;
                }
                let in_parts = self.in_parts.contains(&entry);
                results.push(self.rounds(&mut engine, (entry, in_parts), start, host, &mut used)?);
            }
            // What was at hand but not asked for, or asked for only because an earlier answer was
            // still lacking, does not count.
            host.keep(&used);
            Ok(results)
        };
        on_large_stack(INTERPRETER_STACK, work)
    }

    /// Evaluates until no value is asked for that was not answered before. The extension of the
    /// interpreter cannot borrow the snapshot, so it answers from a table and notes what it lacks.
    fn rounds(
        &self,
        engine: &mut Engine,
        (entry, in_parts): (Entry, bool),
        start: Instant,
        host: &mut Host<'_>,
        used: &mut Vec<String>,
    ) -> Result<Rego, PolicyError> {
        for _ in 0..MAX_ROUNDS {
            let left = self.max_time.checked_sub(start.elapsed()).unwrap_or(Duration::ZERO);
            engine.set_execution_timer_config(timer(left));
            let known = host.known().map(|(id, value)| (id.to_owned(), value.clone())).collect();
            ANSWERS.set(Answers { known, ..Answers::default() });
            let result = if in_parts {
                engine.eval_query(entry.path().to_owned(), false).map(|mut found| {
                    let expression = found.result.pop().and_then(|mut r| r.expressions.pop());
                    expression.map_or(Rego::Undefined, |e| e.value)
                })
            } else {
                engine.eval_rule(entry.path().to_owned())
            };
            let answers = ANSWERS.take();
            if answers.misused {
                return Err(not_a_name(entry));
            }
            if answers.lacking.is_empty() {
                used.extend(answers.used);
                return result.map_err(|error| match error.downcast_ref::<LimitError>() {
                    Some(_) => self.out_of_time(entry),
                    None => PolicyError::Evaluation {
                        evaluating: entry.evaluating(),
                        message: position(&error.to_string()).2,
                    },
                });
            }
            if start.elapsed() > self.max_time {
                return Err(self.out_of_time(entry));
            }
            for id in answers.lacking {
                host.answer(&id, entry)?;
            }
        }
        let limit = format!("{MAX_ROUNDS} reference values whose names depend on others");
        Err(PolicyError::Limit { evaluating: entry.evaluating(), limit })
    }

    fn out_of_time(&self, entry: Entry) -> PolicyError {
        let limit = format!("{} ms", self.max_time.as_millis());
        PolicyError::Limit { evaluating: entry.evaluating(), limit }
    }
}

#[derive(Default)]
struct Answers {
    known: BTreeMap<String, Rego>,
    /// What was asked and known, once each.
    used: Vec<String>,
    /// What was asked and not known.
    lacking: Vec<String>,
    misused: bool,
}

impl Answers {
    fn answer(&mut self, arguments: &[Rego]) -> Rego {
        let [Rego::String(id)] = arguments else {
            self.misused = true;
            return Rego::Null;
        };
        if let Some(value) = self.known.get(id.as_ref()) {
            if !self.used.iter().any(|u| u.as_str() == id.as_ref()) {
                self.used.push(id.to_string());
            }
            return value.clone();
        }
        if self.lacking.len() <= MAX_ASKED && !self.lacking.iter().any(|l| l.as_str() == id.as_ref()) {
            self.lacking.push(id.to_string());
        }
        Rego::Null
    }
}

thread_local! {
    /// The answers for the evaluation under way in this thread.
    static ANSWERS: RefCell<Answers> = RefCell::new(Answers::default());
}
