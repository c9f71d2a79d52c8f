//! Names and references in the parsed policy: what a head, a call or a path means.

use regorus::unstable::{Expr, Rule, RuleHead};

use crate::PolicyError;
use crate::analysis::unsupported;

/// The first part of the head of a rule, by which all its definitions belong together.
pub(crate) fn head(rule: &Rule) -> Result<(String, u32), PolicyError> {
    let (refr, span) = (head_reference(rule), rule.span());
    let mut path = full_path(refr);
    path.truncate(1);
    match path.pop().flatten() {
        Some(name) => Ok((name, span.line)),
        None => Err(unsupported(span.line, "this rule head", "a rule begins with its name")),
    }
}

pub(crate) fn head_reference(rule: &Rule) -> &Expr {
    match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. } => refr,
        },
    }
}

pub(crate) fn head_name(rule: &Rule) -> Option<String> {
    head(rule).ok().map(|(name, _)| name)
}

/// The parts of a reference; `None` for a part that is not a plain name.
fn full_path(expr: &Expr) -> Vec<Option<String>> {
    let mut parts = Vec::new();
    let mut at = expr;
    loop {
        match at {
            Expr::Var { span, .. } => {
                parts.push(Some(span.text().to_string()));
                break;
            }
            Expr::RefDot { refr, field, .. } => {
                parts.push(Some(field.0.text().to_string()));
                at = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                parts.push(match index.as_ref() {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => {
                        value.as_string().ok().map(|s| s.to_string())
                    }
                    _ => None,
                });
                at = refr;
            }
            _ => {
                parts.push(None);
                break;
            }
        }
    }
    parts.reverse();
    parts
}

/// The parts of a reference that has only plain names.
pub(crate) fn static_path(expr: &Expr) -> Option<Vec<String>> {
    full_path(expr).into_iter().collect()
}

/// The name of the function that is called.
pub(crate) fn call_name(fcn: &Expr) -> String {
    let path = static_path(fcn).unwrap_or_default();
    match path.as_slice() {
        [data, policy, rest @ ..] if data == "data" && policy == "policy" => rest.join("."),
        path => path.join("."),
    }
}

/// What a reference that begins with `data` may mean of this policy.
pub(crate) enum DataRef {
    /// Nothing: other data.
    Other,
    /// One rule.
    Rule(String),
    /// Any rule.
    Any,
}

pub(crate) fn data_ref(expr: &Expr) -> Option<DataRef> {
    let path = full_path(expr);
    let mut parts = path.into_iter();
    if parts.next().flatten().as_deref() != Some("data") {
        return None;
    }
    Some(match (parts.next(), parts.next()) {
        (Some(Some(first)), Some(Some(name))) if first == "policy" => DataRef::Rule(name),
        (Some(Some(first)), _) if first == "policy" => DataRef::Any,
        (Some(Some(_)), _) => DataRef::Other,
        _ => DataRef::Any,
    })
}

/// The parts of an expression that is no reference, call or comprehension.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().map(AsRef::as_ref).collect(),
        Expr::Object { fields, .. } => fields.iter().flat_map(|(_, k, v)| [k.as_ref(), v.as_ref()]).collect(),
        Expr::UnaryExpr { expr, .. } => vec![expr],
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs, rhs],
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).map(AsRef::as_ref).collect()
        }
        _ => Vec::new(),
    }
}

/// A reference that begins with `input`.
pub(crate) struct InputPath {
    /// The names after `input`, up to the first part that is not a plain name.
    pub(crate) names: Vec<String>,
    /// Whether other parts follow: an index or a variable.
    pub(crate) goes_on: bool,
}

pub(crate) fn input_path(expr: &Expr) -> Option<InputPath> {
    let mut parts = full_path(expr).into_iter();
    if parts.next().flatten().as_deref() != Some("input") {
        return None;
    }
    let mut names = Vec::new();
    for part in parts {
        let Some(name) = part else { return Some(InputPath { names, goes_on: true }) };
        names.push(name);
    }
    Some(InputPath { names, goes_on: false })
}
