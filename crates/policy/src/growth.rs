//! A static bound on how large the values can grow that a policy builds.
//!
//! Limits on instructions and time are looked at between instructions only. One instruction can be
//! long when its operands are huge: comparing two values, joining strings, printing. And values can
//! become huge in few instructions, by doubling: `b := [a, a]`, `c := [b, b]`, …; or
//! `b := concat("", [a, a])`. So the size of every expression is bounded here, as a polynomial in
//! *N*, the size of the largest thing that comes from outside (input, data, reference values).
//!
//! The rules, each an upper bound:
//! - a literal has its own length; input, data and reference values have *N*;
//! - a part of a value is at most the whole;
//! - arrays, sets, objects and most functions: the sum of their parts; some functions: the product;
//! - a comprehension, or a rule that makes a set or an object: the number of its iterations times its
//!   term. The number of iterations over a collection is at most its size. When the term takes
//!   elements of that collection, all of them together are at most the collection, so such an element
//!   counts as 1 there. That needs a size for each level of nested comprehensions, see [`crate::size`];
//! - a function: its parameters have the size of the largest argument of all its calls.
//!
//! Where a name could be several things, the largest counts. Because no rule depends on itself
//! ([`crate::analysis`]), repeating the whole until nothing changes comes to an end.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, Module, Query, Rule, RuleAssign, RuleHead};

use crate::analysis::QUERY;
use crate::builtins::{Cost, find, result_size};
use crate::lexer::count64;
use crate::references::{DataRef, call_name, children, data_ref, head_name, static_path};
use crate::size::{LEVELS, Size};
use crate::{Limits, PolicyError};

/// How many expressions are looked at, with repetitions, before the policy counts as too intricate.
const MAX_VISITS: u64 = 1_000_000;

/// Bounds every expression of the module.
pub(crate) fn check(module: &Module, names: &BTreeSet<String>, limits: &Limits) -> Result<(), PolicyError> {
    let mut imports = BTreeSet::new();
    for import in &module.imports {
        let alias = import.r#as.as_ref().map(|span| span.text().to_string());
        imports.extend(alias.or_else(|| static_path(&import.refr).and_then(|mut p| p.pop())));
    }
    let mut bounds = Bounds {
        names,
        imports,
        max: limits.max_growth,
        rules: BTreeMap::new(),
        params: BTreeMap::new(),
        visits: 0,
        scopes: Vec::new(),
        changed: false,
    };
    loop {
        let before = (bounds.rules.clone(), bounds.params.clone());
        let mut sums: BTreeMap<String, Size> = BTreeMap::new();
        for rule in &module.policy {
            let Some(name) = head_name(rule) else { continue };
            let (size, collects) = bounds.rule(&name, rule)?;
            // Definitions of a set or an object add up; of a single value, the largest counts.
            let sum =
                sums.get(&name).map_or(size, |sum| if collects { sum.plus(&size) } else { sum.max(&size) });
            bounds.within(&sum, rule.span().line)?;
            sums.insert(name, sum);
        }
        bounds.rules = sums;
        if (&bounds.rules, &bounds.params) == (&before.0, &before.1) {
            return Ok(());
        }
    }
}

/// The variables of one rule body, comprehension or `every`.
#[derive(Default)]
struct Scope {
    variables: BTreeMap<String, Size>,
    /// Variables that run over a collection, so that their second use is no second loop.
    loops: BTreeSet<String>,
    /// Variables of `some` without a collection: as an index they run, even when a rule has the name.
    declared: BTreeSet<String>,
    iterations: Option<Size>,
    level: usize,
}

struct Bounds<'a> {
    names: &'a BTreeSet<String>,
    imports: BTreeSet<String>,
    max: u64,
    rules: BTreeMap<String, Size>,
    /// By function and position.
    params: BTreeMap<(String, usize), Size>,
    visits: u64,
    scopes: Vec<Scope>,
    /// Whether a variable became larger in this round.
    changed: bool,
}

impl Bounds<'_> {
    fn within(&self, size: &Size, line: u32) -> Result<(), PolicyError> {
        if size.is_within(self.max) {
            return Ok(());
        }
        let detail = "what is built here can grow too large for its input (it doubles from rule to rule, \
                      or copies its input for each pair of elements)";
        Err(PolicyError::Growth { line, detail: detail.to_owned() })
    }

    fn rule(&mut self, name: &str, rule: &Rule) -> Result<(Size, bool), PolicyError> {
        self.scopes.clear();
        self.scopes.push(Scope::default());
        match rule {
            Rule::Default { value, .. } => Ok((self.expr(value)?.in_full(), false)),
            Rule::Spec { head, bodies, .. } => {
                let (assign, key, collects): (Option<&RuleAssign>, Option<&Expr>, bool) = match head {
                    RuleHead::Compr { refr, assign, .. } => {
                        let plain = matches!(refr.as_ref(), Expr::Var { .. });
                        (assign.as_ref(), head_key(refr), !plain)
                    }
                    RuleHead::Set { refr, key, .. } => {
                        (None, key.as_ref().map(AsRef::as_ref).or_else(|| head_key(refr)), true)
                    }
                    RuleHead::Func { args, assign, .. } => {
                        for (index, arg) in args.iter().enumerate() {
                            let size = self.params.get(&(name.to_owned(), index)).copied();
                            self.bind(arg, &size.unwrap_or(Size::constant(1)));
                        }
                        (assign.as_ref(), None, false)
                    }
                };
                let mut largest = Size::constant(1);
                let params = self.scopes.pop().unwrap_or_default();
                for index in 0..bodies.len().max(1) {
                    let body = bodies.get(index);
                    self.scopes.clear();
                    self.scopes.push(Scope { variables: params.variables.clone(), ..Scope::default() });
                    if let Some(body) = body {
                        self.query(&body.query)?;
                    }
                    let value = body.and_then(|b| b.assign.as_ref()).or(assign);
                    let mut term = Size::constant(8);
                    if let Some(value) = value {
                        term = term.plus(&self.expr(&value.value)?);
                    }
                    if let Some(key) = key {
                        term = term.plus(&self.expr(key)?);
                    }
                    let iterations = self.scopes.pop().and_then(|s| s.iterations);
                    let size = match iterations {
                        Some(iterations) if collects => term.repeated(&iterations, 0),
                        _ => term,
                    };
                    let size = size.in_full_unless_collected(collects);
                    self.within(&size, rule.span().line)?;
                    largest = if collects { largest.plus(&size) } else { largest.max(&size) };
                }
                Ok((largest, collects))
            }
        }
    }

    /// All statements, until the sizes of the variables no longer change: statements may stand in any
    /// order.
    fn query(&mut self, query: &Query) -> Result<(), PolicyError> {
        // What comprehensions and rules inside change belongs to their own variables.
        let outer = self.changed;
        for _ in 0..=query.stmts.len() {
            self.changed = false;
            for stmt in &query.stmts {
                self.statement(&stmt.literal)?;
            }
            if !self.changed {
                self.changed = outer;
                return Ok(());
            }
        }
        let detail = "variables that depend on each other";
        Err(PolicyError::Growth { line: query.span.line, detail: detail.to_owned() })
    }

    fn statement(&mut self, literal: &Literal) -> Result<(), PolicyError> {
        match literal {
            Literal::SomeVars { vars, .. } => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.declared.extend(vars.iter().map(|span| span.text().to_string()));
                }
                Ok(())
            }
            Literal::SomeIn { key, value, collection, span, .. } => {
                let size = self.expr(collection)?;
                let id = format!("some {}:{}", span.line, span.col);
                let element = self.iterate(id, &size);
                for pattern in key.iter().chain([value]) {
                    self.bind(pattern, &element);
                }
                Ok(())
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr).map(|_| ()),
            Literal::Every { key, value, domain, query, .. } => {
                let size = self.expr(domain)?.in_full();
                let level = self.level();
                let mut scope = Scope { level, ..Scope::default() };
                for span in key.iter().chain([value]) {
                    scope.variables.insert(span.text().to_string(), size);
                }
                self.scopes.push(scope);
                let result = self.query(query);
                self.scopes.pop();
                result
            }
        }
    }

    fn level(&self) -> usize {
        self.scopes.last().map_or(0, |s| s.level)
    }

    /// Notes a loop over a collection of that size, once for each `id`, and gives its element.
    fn iterate(&mut self, id: String, collection: &Size) -> Size {
        let Some(scope) = self.scopes.last_mut() else { return collection.in_full() };
        let element = collection.element(scope.level);
        if scope.loops.insert(id) {
            let so_far = scope.iterations.unwrap_or(Size::constant(1));
            // One more, so that an empty product never hides the other loops.
            let count = collection.plus(&Size::constant(1));
            scope.iterations = Some(so_far.repetitions(&count));
        }
        element
    }

    /// Gives every variable in a pattern at least that size.
    fn bind(&mut self, pattern: &Expr, size: &Size) {
        match pattern {
            Expr::Var { span, .. } => {
                let name = span.text().to_string();
                if let Some(scope) = self.scopes.last_mut() {
                    let known = scope.variables.get(&name).copied();
                    let larger = known.map_or(*size, |known| known.max(size));
                    if known != Some(larger) {
                        self.changed = true;
                        scope.variables.insert(name, larger);
                    }
                }
            }
            Expr::Object { fields, .. } => {
                for (_, _, value) in fields {
                    self.bind(value, size);
                }
            }
            Expr::Array { items, .. } => {
                for item in items {
                    self.bind(item, size);
                }
            }
            _ => {}
        }
    }

    fn known(&self, name: &str) -> Option<Size> {
        let local = self.scopes.iter().rev().find_map(|s| s.variables.get(name)).copied();
        let rule =
            self.names.contains(name).then(|| self.rules.get(name).copied().unwrap_or(Size::constant(1)));
        let outside = (name == "input" || name == "data" || self.imports.contains(name)).then(Size::outside);
        [local, rule, outside].into_iter().flatten().reduce(|a, b| a.max(&b))
    }

    fn any_rule(&self) -> Size {
        self.rules.values().fold(Size::outside(), |a, b| a.max(b))
    }

    fn expr(&mut self, expr: &Expr) -> Result<Size, PolicyError> {
        self.visits = self.visits.saturating_add(1);
        let line = expr.span().line;
        if self.visits > MAX_VISITS {
            let detail = "the policy is too intricate to bound what it builds";
            return Err(PolicyError::Growth { line, detail: detail.to_owned() });
        }
        let size = match expr {
            Expr::String { span, .. } | Expr::RawString { span, .. } | Expr::Number { span, .. } => {
                Size::constant(count64(span.text().len()).saturating_add(1))
            }
            Expr::Bool { .. } | Expr::Null { .. } => Size::constant(1),
            // A variable that nothing has bound so far is bound in a later round, or by a loop.
            Expr::Var { span, .. } => self.known(span.text()).unwrap_or(Size::constant(1)),
            Expr::Array { .. }
            | Expr::Set { .. }
            | Expr::Object { .. }
            | Expr::ArithExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::UnaryExpr { .. } => self.sum(expr)?,
            Expr::BoolExpr { .. } | Expr::Membership { .. } => {
                self.sum(expr)?;
                Size::constant(1)
            }
            Expr::AssignExpr { lhs, rhs, .. } => {
                let (left, right) = (self.expr(lhs)?, self.expr(rhs)?);
                self.bind(lhs, &right);
                // `=` binds in both directions; a known variable on the right only becomes larger.
                if matches!(rhs.as_ref(), Expr::Var { .. } | Expr::Array { .. } | Expr::Object { .. }) {
                    self.bind(rhs, &left);
                }
                Size::constant(1)
            }
            Expr::RefDot { refr, .. } => match data_ref(expr) {
                Some(root) => self.data(root),
                None => self.expr(refr)?,
            },
            Expr::RefBrack { refr, index, .. } => {
                let base = match data_ref(expr) {
                    Some(root) => self.data(root),
                    None => self.expr(refr)?,
                };
                self.index(index, base)?
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.comprehension(&[term], query)?
            }
            Expr::ObjectCompr { key, value, query, .. } => self.comprehension(&[key, value], query)?,
            Expr::Call { fcn, params, .. } => {
                self.call(fcn, &params.iter().map(AsRef::as_ref).collect::<Vec<_>>())?
            }
        };
        self.within(&size, line)?;
        Ok(size)
    }

    fn sum(&mut self, expr: &Expr) -> Result<Size, PolicyError> {
        let mut sum = Size::constant(1);
        for child in children(expr) {
            sum = sum.plus(&self.expr(child)?);
        }
        Ok(sum)
    }

    fn data(&self, root: DataRef) -> Size {
        match root {
            DataRef::Other => Size::outside(),
            DataRef::Rule(name) => self.known(&name).unwrap_or(Size::outside()),
            DataRef::Any => self.any_rule(),
        }
    }

    /// `base[index]`: a loop when the index is a variable without a value of its own.
    fn index(&mut self, index: &Expr, base: Size) -> Result<Size, PolicyError> {
        let Expr::Var { span, .. } = index else {
            // Patterns such as base[[x, y]] run over a set: their variables are elements.
            if matches!(index, Expr::Array { .. } | Expr::Object { .. }) {
                let element =
                    self.iterate(format!("pattern {}:{}", span_of(index).0, span_of(index).1), &base);
                self.bind(index, &element);
                return Ok(element);
            }
            self.expr(index)?;
            return Ok(base);
        };
        let name = span.text().to_string();
        let is_loop = self.scopes.iter().any(|s| s.loops.contains(&name) || s.declared.contains(&name));
        if name != "_" && !is_loop && self.known(&name).is_some() {
            return Ok(base);
        }
        let id = if name == "_" { format!("_ {}:{}", span.line, span.col) } else { name };
        let element = self.iterate(id, &base);
        if span.text() != "_" {
            self.bind(index, &element);
        }
        Ok(element)
    }

    fn comprehension(&mut self, terms: &[&Expr], query: &Query) -> Result<Size, PolicyError> {
        let level = self.scopes.iter().map(|s| s.level).max().unwrap_or(0).saturating_add(1);
        if level.saturating_add(1) >= LEVELS {
            let detail = "comprehensions are nested too deep".to_owned();
            return Err(PolicyError::TooDeep { line: query.span.line, detail });
        }
        self.scopes.push(Scope { level, ..Scope::default() });
        let mut result = self.query(query);
        let mut term = Size::constant(1);
        for expr in terms {
            if result.is_ok() {
                match self.expr(expr) {
                    Ok(size) => term = term.plus(&size),
                    Err(error) => result = Err(error),
                }
            }
        }
        let scope = self.scopes.pop().unwrap_or_default();
        result?;
        Ok(term.repeated(&scope.iterations.unwrap_or(Size::constant(1)), level))
    }

    fn call(&mut self, fcn: &Expr, params: &[&Expr]) -> Result<Size, PolicyError> {
        let name = call_name(fcn);
        let mut sizes = Vec::with_capacity(params.len());
        for param in params {
            sizes.push(self.expr(param)?);
        }
        let first = name.split('.').next().unwrap_or_default();
        Ok(if self.names.contains(first) {
            for (index, size) in sizes.iter().enumerate() {
                let slot = self.params.entry((first.to_owned(), index)).or_insert(Size::constant(1));
                *slot = slot.max(&size.in_full());
            }
            self.known(first).unwrap_or(Size::constant(1)).in_full()
        } else if name == QUERY {
            Size::outside()
        } else {
            result_size(find(&name).map_or(Cost::Product, |b| b.cost), &sizes)
        })
    }
}

fn span_of(expr: &Expr) -> (u32, u32) {
    (expr.span().line, expr.span().col)
}

/// The key of `name[key]` or `name.key` in the head of a rule that makes an object.
fn head_key(refr: &Expr) -> Option<&Expr> {
    match refr {
        Expr::RefBrack { index, .. } => Some(index),
        Expr::RefDot { refr, .. } => head_key(refr),
        _ => None,
    }
}
