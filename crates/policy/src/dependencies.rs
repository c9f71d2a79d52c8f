//! Which rule depends on which: no rule on itself, and no path of rules that goes down too far.

use std::collections::{BTreeMap, BTreeSet};

use crate::PolicyError;
use crate::lexer::count32;
use crate::needs::Need;

/// How deep evaluation may go down: the nesting of expressions, summed along a path of rules.
const MAX_STACK: u32 = 512;

/// A rule as a node of the graph of dependencies: all its definitions together.
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) input: Need,
    pub(crate) queried: BTreeSet<String>,
    pub(crate) depends_on: BTreeSet<String>,
    pub(crate) depth: u32,
}

/// Refuses circles, and paths that go down too far.
pub(crate) fn acyclic(graph: &BTreeMap<String, Node>) -> Result<(), PolicyError> {
    let mut search = Search { graph, done: BTreeMap::new(), path: Vec::new() };
    for name in graph.keys() {
        search.stack_below(name)?;
    }
    Ok(())
}

struct Search<'a> {
    graph: &'a BTreeMap<String, Node>,
    /// The stack below each rule that was looked at in full.
    done: BTreeMap<&'a str, u32>,
    path: Vec<&'a str>,
}

impl<'a> Search<'a> {
    fn stack_below(&mut self, name: &'a str) -> Result<u32, PolicyError> {
        if let Some(stack) = self.done.get(name) {
            return Ok(*stack);
        }
        if let Some(start) = self.path.iter().position(|p| *p == name) {
            let circle = self.path.iter().skip(start).chain([&name]).map(|p| (*p).to_owned());
            return Err(PolicyError::Recursive { path: circle.take(32).collect() });
        }
        let Some(node) = self.graph.get(name) else { return Ok(0) };
        self.path.push(name);
        let mut below = 0;
        for next in &node.depends_on {
            below = self.stack_below(next)?.max(below);
        }
        self.path.pop();
        let stack = below.saturating_add(node.depth);
        if stack > MAX_STACK {
            let detail =
                format!("{} rules in a row go down deeper than {MAX_STACK} levels", count32(self.path.len()));
            return Err(PolicyError::TooDeep { line: node.line, detail });
        }
        self.done.insert(name, stack);
        Ok(stack)
    }
}
