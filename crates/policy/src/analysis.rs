//! What is checked on the parsed policy before it is compiled: package, imports, functions, and that
//! no rule depends on itself.
//!
//! The engine finds circles among rules only while it evaluates them, and circles through functions
//! not at all. Here every name that a rule mentions counts as a dependency when a rule has that name,
//! also when a local variable hides the rule: that refuses too much rather than too little.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Import, Literal, Module, Parser, Query, Rule, RuleHead, Source};

use crate::dependencies::{Node, acyclic};
use crate::lexer::{SOURCE_NAME, count64, syntax};
use crate::needs::Need;
use crate::references::{
    DataRef, call_name, children, data_ref, head, head_name, head_reference, input_path, static_path,
};
use crate::{Limits, PolicyError, PolicyKind, builtins, growth};

/// The function by which a policy asks for reference values.
pub(crate) const QUERY: &str = "query_reference_value";

/// How many rules a policy may have.
const MAX_RULES: usize = 2048;

/// What later steps need to know of a checked policy.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// The names of all rules.
    pub(crate) rules: BTreeSet<String>,
    /// Those of them that are given in parts, such as `trust_claims["hardware"] := 2 if …`.
    pub(crate) in_parts: BTreeSet<String>,
    /// The names of reference values that the policy asks for literally.
    pub(crate) queried: BTreeSet<String>,
    /// The parts of the input that the policy reads.
    pub(crate) input: Need,
}

/// Parses and checks `text`, which passed [`crate::lexer::guard`].
pub(crate) fn check(kind: PolicyKind, text: &str, limits: &Limits) -> Result<Checked, PolicyError> {
    let source = Source::from_contents(SOURCE_NAME.to_owned(), text.to_owned()).map_err(|e| syntax(&e))?;
    let mut parser = Parser::new(&source).map_err(|e| syntax(&e))?;
    parser.enable_rego_v1().map_err(|e| syntax(&e))?;
    let module = parser.parse().map_err(|e| syntax(&e))?;

    package(&module)?;
    let mut input = Need::default();
    for import in &module.imports {
        check_import(import)?;
        if let Some(path) = input_path(&import.refr) {
            input.add(&path.names, true);
        }
    }
    let names = rule_names(&module)?;
    let arities = arities(&module);
    let mut graph: BTreeMap<String, Node> = BTreeMap::new();
    let mut queried = BTreeSet::new();
    for rule in &module.policy {
        let (name, line) = head(rule)?;
        let mut visitor = Visitor { kind, names: &names, arities: &arities, node: Node::default() };
        visitor.rule(rule)?;
        queried.append(&mut visitor.node.queried);
        input.merge(std::mem::take(&mut visitor.node.input));
        let node = graph.entry(name).or_default();
        node.line = if node.line == 0 { line } else { node.line };
        node.depth = node.depth.max(visitor.node.depth);
        node.depends_on.append(&mut visitor.node.depends_on);
    }
    acyclic(&graph)?;
    needed_rule(kind, &names)?;
    growth::check(&module, &names, limits)?;
    let in_parts = module
        .policy
        .iter()
        .filter(|rule| !matches!(head_reference(rule), Expr::Var { .. }))
        .filter_map(|rule| head_name(rule));
    Ok(Checked { in_parts: in_parts.collect(), queried, input, rules: names })
}

pub(crate) fn unsupported(line: u32, construct: impl Into<String>, why: &str) -> PolicyError {
    PolicyError::Unsupported { line, construct: construct.into(), why: why.to_owned() }
}

fn package(module: &Module) -> Result<(), PolicyError> {
    match static_path(&module.package.refr).as_deref() {
        Some([name]) if name == "policy" => Ok(()),
        path => Err(unsupported(
            module.package.span.line,
            format!("package {}", path.map(|p| p.join(".")).unwrap_or_default()),
            "the package must be called policy",
        )),
    }
}

fn check_import(import: &Import) -> Result<(), PolicyError> {
    let line = import.span.line;
    let path = static_path(&import.refr).unwrap_or_default();
    let text = format!("import {}", path.join("."));
    let mut parts = path.iter().map(String::as_str);
    match (parts.next(), parts.next()) {
        (Some("rego" | "future" | "input"), _) => Ok(()),
        (Some("data"), Some("policy")) => Err(unsupported(line, text, "a policy does not import itself")),
        (Some("data"), Some(_)) => Ok(()),
        _ => Err(unsupported(line, text, "there is nothing of that name to import")),
    }
}

fn needed_rule(kind: PolicyKind, names: &BTreeSet<String>) -> Result<(), PolicyError> {
    let rule = match kind {
        PolicyKind::Attestation => "trust_claims",
        PolicyKind::Resource => "allow",
    };
    if names.contains(rule) {
        Ok(())
    } else {
        Err(PolicyError::MissingRule { rule: format!("data.policy.{rule}") })
    }
}

fn rule_names(module: &Module) -> Result<BTreeSet<String>, PolicyError> {
    if module.policy.len() > MAX_RULES {
        return Err(PolicyError::TooLarge {
            unit: "rules".to_owned(),
            found: count64(module.policy.len()),
            max: count64(MAX_RULES),
        });
    }
    let mut names = BTreeSet::new();
    for rule in &module.policy {
        let (name, line) = head(rule)?;
        let taken = name == QUERY
            || name == "print"
            || regorus::unstable::BUILTINS.keys().any(|b| b.split('.').next() == Some(&name));
        // Whether the engine then takes the rule or the function is not the same in its two forms.
        if taken {
            return Err(unsupported(line, format!("rule {name}"), "a built-in function has that name"));
        }
        names.insert(name);
    }
    Ok(names)
}

fn arities(module: &Module) -> BTreeMap<String, usize> {
    let mut arities = BTreeMap::new();
    for rule in &module.policy {
        if let Rule::Spec { head: RuleHead::Func { refr, args, .. }, .. } = rule.as_ref() {
            arities.insert(call_name(refr), args.len());
        }
    }
    arities
}

/// Walks through one rule: collects what it depends on and checks what it uses.
struct Visitor<'a> {
    kind: PolicyKind,
    names: &'a BTreeSet<String>,
    /// How many arguments each function has, by its whole name.
    arities: &'a BTreeMap<String, usize>,
    node: Node,
}

impl Visitor<'_> {
    fn rule(&mut self, rule: &Rule) -> Result<(), PolicyError> {
        match rule {
            Rule::Default { args, value, .. } => {
                for arg in args {
                    self.expr(arg, 1)?;
                }
                self.expr(value, 1)
            }
            Rule::Spec { head, bodies, .. } => {
                match head {
                    RuleHead::Compr { refr, assign, .. } => {
                        self.head_indices(refr)?;
                        if let Some(assign) = assign {
                            self.expr(&assign.value, 1)?;
                        }
                    }
                    RuleHead::Set { refr, key, .. } => {
                        self.head_indices(refr)?;
                        if let Some(key) = key {
                            self.expr(key, 1)?;
                        }
                    }
                    RuleHead::Func { refr, args, assign, .. } => {
                        self.head_indices(refr)?;
                        for arg in args {
                            self.expr(arg, 1)?;
                        }
                        if let Some(assign) = assign {
                            self.expr(&assign.value, 1)?;
                        }
                    }
                }
                for body in bodies {
                    if let Some(assign) = &body.assign {
                        self.expr(&assign.value, 1)?;
                    }
                    self.query(&body.query, 1)?;
                }
                Ok(())
            }
        }
    }

    /// The keys in a head, without its name: that is the rule itself.
    fn head_indices(&mut self, refr: &Expr) -> Result<(), PolicyError> {
        let mut at = refr;
        loop {
            match at {
                Expr::RefBrack { refr, index, .. } => {
                    self.expr(index, 1)?;
                    at = refr;
                }
                Expr::RefDot { refr, .. } => at = refr,
                _ => return Ok(()),
            }
        }
    }

    fn query(&mut self, query: &Query, depth: u32) -> Result<(), PolicyError> {
        for stmt in &query.stmts {
            if let Some(with) = stmt.with_mods.first() {
                return Err(unsupported(with.span.line, "with", "nothing is replaced during evaluation"));
            }
            match &stmt.literal {
                Literal::SomeVars { .. } => {}
                Literal::SomeIn { key, value, collection, .. } => {
                    for expr in key.iter().chain([value, collection]) {
                        self.expr(expr, depth)?;
                    }
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => match input_path(expr) {
                    // A statement by itself asks only whether the value is there and not false.
                    Some(path) if !path.goes_on => self.node.input.add(&path.names, false),
                    _ => self.expr(expr, depth)?,
                },
                Literal::Every { domain, query, .. } => {
                    self.expr(domain, depth)?;
                    self.query(query, depth.saturating_add(1))?;
                }
            }
        }
        Ok(())
    }

    fn expr(&mut self, expr: &Expr, depth: u32) -> Result<(), PolicyError> {
        self.node.depth = self.node.depth.max(depth);
        let next = depth.saturating_add(1);
        match expr {
            Expr::Var { span, .. } => {
                let name = span.text();
                if name == "data" {
                    self.depends_on_any();
                } else if name == "input" {
                    self.node.input.add(&[], true);
                } else {
                    self.depends_on(name);
                }
            }
            Expr::Call { fcn, params, span, .. } => {
                self.call(fcn, params.iter().map(AsRef::as_ref).collect(), span.line)?;
                for param in params {
                    self.expr(param, next)?;
                }
            }
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr, next)?,
            Expr::SetCompr { query, term, .. } | Expr::ArrayCompr { query, term, .. } => {
                self.expr(term, next)?;
                self.query(query, next)?;
            }
            Expr::ObjectCompr { query, key, value, .. } => {
                self.expr(key, next)?;
                self.expr(value, next)?;
                self.query(query, next)?;
            }
            _ => {
                for child in children(expr) {
                    self.expr(child, next)?;
                }
            }
        }
        Ok(())
    }

    fn reference(&mut self, expr: &Expr, depth: u32) -> Result<(), PolicyError> {
        let data = data_ref(expr);
        match &data {
            Some(DataRef::Any) => self.depends_on_any(),
            Some(DataRef::Rule(name)) => self.depends_on(name),
            Some(DataRef::Other) | None => {}
        }
        let input = input_path(expr);
        if let Some(path) = &input {
            self.node.input.add(&path.names, true);
        }
        let mut at = expr;
        let mut depth = depth;
        loop {
            self.node.depth = self.node.depth.max(depth);
            match at {
                Expr::RefDot { refr, .. } => at = refr,
                Expr::RefBrack { refr, index, .. } => {
                    self.expr(index, depth)?;
                    at = refr;
                }
                // References that begin with `data` or `input` were looked at as a whole.
                Expr::Var { .. } if data.is_some() || input.is_some() => return Ok(()),
                root => return self.expr(root, depth),
            }
            depth = depth.saturating_add(1);
        }
    }

    fn call(&mut self, fcn: &Expr, args: Vec<&Expr>, line: u32) -> Result<(), PolicyError> {
        let name = call_name(fcn);
        let first = name.split('.').next().unwrap_or_default();
        if self.names.contains(first) {
            self.depends_on(first);
            // One argument more would be a variable that takes the result.
            return match self.arities.get(&name) {
                Some(arity) if *arity != args.len() => {
                    Err(unsupported(line, format!("call of {name}"), &format!("it takes {arity} arguments")))
                }
                _ => Ok(()),
            };
        }
        let forbidden = |why: &str| PolicyError::ForbiddenBuiltin {
            line,
            name: name.chars().take(64).collect(),
            why: why.to_owned(),
        };
        if name == QUERY && self.kind == PolicyKind::Attestation {
            let [id] = args.as_slice() else { return Err(forbidden("it takes one argument")) };
            if let Expr::String { value, .. } | Expr::RawString { value, .. } = id {
                self.node.queried.extend(value.as_string().ok().map(|id| id.to_string()));
            }
            return Ok(());
        }
        let Some(builtin) = builtins::find(&name) else {
            return Err(forbidden(builtins::why_not(&name)));
        };
        let arity = regorus::unstable::BUILTINS.get(builtin.name).map(|(_, arity)| usize::from(*arity));
        if arity != Some(args.len()) {
            return Err(forbidden("it has another number of arguments"));
        }
        builtins::check_literal(builtin, &args).map_err(forbidden)
    }

    fn depends_on(&mut self, name: &str) {
        if self.names.contains(name) {
            self.node.depends_on.insert(name.to_owned());
        }
    }

    fn depends_on_any(&mut self) {
        self.node.depends_on.extend(self.names.iter().cloned());
    }
}
