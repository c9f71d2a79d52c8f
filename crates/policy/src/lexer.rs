//! The first look at a policy's text: by tokens only, before anything is parsed.
//!
//! The parser of regorus tries each bracket as a comprehension and then, from its start again, as an
//! array, a set or an object. What stands first in a bracket is therefore read twice, and at depth
//! *d* about `2^d` times. It also follows chains of operators without a limit on their length, and
//! later passes walk such chains by recursion. Both are bounded here, in time linear in the text.

use std::num::NonZeroU32;

use regorus::unstable::{Lexer, Source, TokenKind};

use crate::{Limits, PolicyError};

/// How many operators may follow each other in one expression at one depth of brackets.
const MAX_CHAIN: u32 = 48;

/// The name under which the policy's text goes in messages of the engine.
pub(crate) const SOURCE_NAME: &str = "policy.rego";

/// What stood before a token, at its depth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Start,
    Operator,
    Operand,
}

/// Checks size, lines, nesting and chains.
pub(crate) fn guard(text: &str, limits: &Limits) -> Result<(), PolicyError> {
    size(text, limits)?;
    let source = Source::from_contents(SOURCE_NAME.to_owned(), text.to_owned()).map_err(|e| syntax(&e))?;
    let mut lexer = Lexer::new(&source);
    lexer.set_max_col(NonZeroU32::new(count32(limits.max_line)).unwrap_or(NonZeroU32::MIN));

    let mut outer: Vec<u32> = Vec::new();
    let mut chain: u32 = 0;
    let mut before = Before::Start;
    let mut work: u64 = 0;
    let mut previous_end = 0;
    loop {
        let token = lexer.next_token().map_err(|e| syntax(&e))?;
        let (kind, span) = (token.0, token.1);
        let joined = span.start == previous_end;
        previous_end = span.end;
        work = work.saturating_add(1_u64 << outer.len().min(32));
        if work > limits.max_nesting_work {
            return Err(too_deep(span.line, "too much text inside nested brackets"));
        }
        match kind {
            TokenKind::Eof => break,
            TokenKind::String | TokenKind::RawString | TokenKind::Number => {
                chain = if before == Before::Operand { 0 } else { chain };
                before = Before::Operand;
            }
            TokenKind::Ident if span.text() == "in" => {
                chain = chain.saturating_add(1);
                before = Before::Operator;
            }
            // `set(` comes as one token.
            TokenKind::Ident | TokenKind::Symbol if span.text().ends_with(['(', '[', '{']) => {
                chain = match before {
                    // A reference or a call goes on; anything else begins a new expression.
                    Before::Operand if joined && span.text() != "{" => chain.saturating_add(1),
                    Before::Operand => 0,
                    Before::Start | Before::Operator => chain,
                };
                outer.push(chain);
                if outer.len() > limits.max_nesting {
                    let detail = format!("at most {} levels are allowed", limits.max_nesting);
                    return Err(too_deep(span.line, &detail));
                }
                chain = 0;
                before = Before::Start;
            }
            TokenKind::Ident => {
                chain = if before == Before::Operand { 0 } else { chain };
                before = Before::Operand;
            }
            TokenKind::Symbol => match span.text() {
                ")" | "]" | "}" => {
                    chain = outer.pop().unwrap_or(0);
                    before = Before::Operand;
                }
                "," | ";" | ":" => {
                    chain = 0;
                    before = Before::Start;
                }
                _ => {
                    chain = chain.saturating_add(1);
                    before = Before::Operator;
                }
            },
        }
        if chain > MAX_CHAIN {
            let detail = format!("more than {MAX_CHAIN} operators in one expression");
            return Err(too_deep(span.line, &detail));
        }
    }
    Ok(())
}

fn size(text: &str, limits: &Limits) -> Result<(), PolicyError> {
    let too_large = |unit: &str, found: usize, max: usize| PolicyError::TooLarge {
        unit: unit.to_owned(),
        found: count64(found),
        max: count64(max),
    };
    if text.len() > limits.max_bytes {
        return Err(too_large("bytes", text.len(), limits.max_bytes));
    }
    for (index, line) in text.lines().enumerate() {
        if line.len() > limits.max_line {
            let unit = format!("bytes in line {}", index.saturating_add(1));
            return Err(too_large(&unit, line.len(), limits.max_line));
        }
    }
    // The engine takes it for the end of the text and would not see the rest.
    if let Some(at) = text.find('\0') {
        let line = text.get(..at).map_or(0, |head| head.matches('\n').count()).saturating_add(1);
        return Err(PolicyError::Syntax {
            line: count32(line),
            column: 0,
            message: "a NUL character".to_owned(),
        });
    }
    Ok(())
}

fn too_deep(line: u32, detail: &str) -> PolicyError {
    PolicyError::TooDeep { line, detail: detail.to_owned() }
}

pub(crate) fn count32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

pub(crate) fn count64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Takes position and words out of an error of the engine. Their form is
/// `\n--> policy.rego:LINE:COLUMN\n…\nerror: WORDS`, or `policy.rego:LINE:COLUMN error: WORDS`.
pub(crate) fn syntax(error: &dyn std::fmt::Display) -> PolicyError {
    let text = error.to_string();
    let (line, column, message) = position(&text);
    PolicyError::Syntax { line, column, message }
}

/// Position and words of an error of the engine; zeros when it has no position.
pub(crate) fn position(text: &str) -> (u32, u32, String) {
    let mut line = 0;
    let mut column = 0;
    if let Some((_, rest)) = text.split_once(&format!("{SOURCE_NAME}:")) {
        let mut numbers = rest.splitn(3, |c: char| !c.is_ascii_digit());
        line = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        column = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    }
    let words = text.rsplit_once("error: ").map_or(text, |(_, words)| words);
    let message: String = words.trim().chars().take(MAX_MESSAGE).collect();
    (line, column, message)
}

/// The longest message of the engine that is passed on, in characters.
const MAX_MESSAGE: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), PolicyError> {
        guard(text, &Limits::DEFAULT)
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let text = "package policy\nx := \"[[[[[[[[[[[[\" # ((((((((((((((\ny := `{{{{{{{{{{{{{{`\n";
        assert_eq!(check(text), Ok(()));
    }

    #[test]
    fn nesting_is_refused_with_its_line() {
        for (open, close) in [("[", "]"), ("{", "}"), ("(", ")"), ("f(", ")"), ("{\"a\":", "}")] {
            let deep = |n: usize| format!("package policy\n\nx := {}1{}\n", open.repeat(n), close.repeat(n));
            assert_eq!(check(&deep(8)), Ok(()), "{open}");
            assert!(matches!(check(&deep(9)), Err(PolicyError::TooDeep { line: 3, .. })), "{open}");
        }
    }

    #[test]
    fn much_text_deep_inside_is_refused_though_no_level_is_too_many() {
        let text = format!("package policy\nx := [[[[[[[[\n{}1]]]]]]]]\n", "1,\n".repeat(10_000));
        assert!(matches!(check(&text), Err(PolicyError::TooDeep { .. })));
    }

    #[test]
    fn long_chains_are_refused_also_over_several_lines() {
        for text in [
            format!("x := 1{}", "\n+ 1".repeat(1000)),
            format!("x := {}1", "- ".repeat(400)),
            format!("x := a{}", ".b".repeat(400)),
            format!("x := a{}", "[0]".repeat(300)),
            format!("x := a{}", " in a".repeat(150)),
            format!("x := (1{})", " |\n1".repeat(1000)),
        ] {
            let text = format!("package policy\n{text}\n");
            assert!(matches!(check(&text), Err(PolicyError::TooDeep { .. })), "{text}");
        }
    }

    #[test]
    fn many_short_statements_are_no_chain() {
        let body = "\tinput.a.b.c == 1 + 2\n\tcount(input.x) > 3\n".repeat(300);
        assert_eq!(check(&format!("package policy\nallow if {{\n{body}}}\n")), Ok(()));
        let table: String = (0..2000).map(|n| format!("\t\"k{n}\": input.x{n},\n")).collect();
        assert_eq!(check(&format!("package policy\nt := {{\n{table}}}\n")), Ok(()));
    }

    #[test]
    fn sizes_and_odd_characters_are_refused() {
        assert!(matches!(check(&"#".repeat(65_537)), Err(PolicyError::TooLarge { .. })));
        let long = format!("package policy\nx := \"{}\"\n", "a".repeat(2000));
        assert!(matches!(check(&long), Err(PolicyError::TooLarge { .. })));
        assert!(matches!(check("package policy\n\n\0x := 1"), Err(PolicyError::Syntax { line: 3, .. })));
        assert!(matches!(check("package policy\nx := \"a"), Err(PolicyError::Syntax { line: 2, .. })));
        assert!(matches!(
            check("package policy\nx := 1e999999999"),
            Err(PolicyError::Syntax { line: 2, .. })
        ));
    }
}
