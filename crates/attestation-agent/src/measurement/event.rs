//! Which events can be measured.

use assay_eventlog::Aael;

use super::MeasurementError;
use crate::api::RuntimeEvent;

/// The event as an AAEL entry. Domain and operation have at least one character and neither white space
/// nor control characters, so that two different events never have the same text; the content has no line end.
pub(super) fn entry(event: &RuntimeEvent, max: usize) -> Result<Aael<'_>, MeasurementError> {
    let RuntimeEvent { domain, operation, content, pcr: _ } = event;
    // Two spaces stand between the three.
    let found = domain.len().saturating_add(operation.len()).saturating_add(content.len()).saturating_add(2);
    if found > max {
        return Err(MeasurementError::EventTooLong { found, max });
    }
    name("domain", domain)?;
    name("operation", operation)?;
    let content_line_end =
        MeasurementError::Event { part: "content", why: "has a line end; expected one line" };
    if content.contains(['\n', '\r']) {
        return Err(content_line_end);
    }
    Aael::new(domain, operation, content).map_err(|_| content_line_end)
}

fn name(part: &'static str, name: &str) -> Result<(), MeasurementError> {
    let refused = |why| Err(MeasurementError::Event { part, why });
    if name.is_empty() {
        return refused("is empty; expected at least one character");
    }
    if name.contains(char::is_whitespace) {
        return refused("has white space; expected a name without spaces and line ends");
    }
    if name.contains(char::is_control) {
        return refused("has a control character; expected printable ones");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(domain: &str, operation: &str, content: &str) -> RuntimeEvent {
        RuntimeEvent {
            domain: domain.to_owned(),
            operation: operation.to_owned(),
            content: content.to_owned(),
            pcr: None,
        }
    }

    #[test]
    fn one_line_of_three_parts() {
        for (content, text) in [("", "d o "), (" a  b ", "d o  a  b "), ("{\"ü\": 1}\t", "d o {\"ü\": 1}\t")]
        {
            assert_eq!(entry(&event("d", "o", content), 100).unwrap().to_text(), text);
        }
    }

    #[test]
    fn what_would_be_ambiguous_is_refused_and_named() {
        for (domain, operation, content, part) in [
            ("", "o", "c", "domain"),
            ("d", "", "c", "operation"),
            ("a b", "o", "c", "domain"),
            ("d", "a b", "c", "operation"),
            ("d\n", "o", "c", "domain"),
            ("d", "o\r", "c", "operation"),
            ("d\u{2028}", "o", "c", "domain"),
            ("d\0", "o", "c", "domain"),
            ("d", "\u{1b}[0m", "c", "operation"),
            ("d", "o", "a\nb", "content"),
            ("d", "o", "a\r", "content"),
        ] {
            match entry(&event(domain, operation, content), 100) {
                Err(MeasurementError::Event { part: found, .. }) => assert_eq!(found, part),
                other => panic!("{domain:?} {operation:?} {content:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_bound_is_on_the_whole_text() {
        let at_bound = event("dd", "oo", "cccc");
        assert!(entry(&at_bound, 10).is_ok());
        assert!(matches!(entry(&at_bound, 9), Err(MeasurementError::EventTooLong { found: 10, max: 9 })));
    }
}
