//! Entries of the Attestation Agent's event log.

use serde_json::Value;

use crate::CannotWrite;
use crate::writer::event_len;

/// The tag of an AAEL entry in an `EV_EVENT_TAG` event. Little endian: its bytes read `LEAA`.
pub const AAEL_TAG: u32 = 0x4141_454c;

/// How deep a content may nest and still be read as JSON. Deeper ones stay text.
pub const MAX_CONTENT_DEPTH: usize = 32;

/// One AAEL entry: what the text `<domain> <operation> <content>` says. On the wire it is the data of a
/// `TCG_PCClientTaggedEvent` with the tag [`AAEL_TAG`], and the event's digest is that of the whole
/// tagged event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aael<'a> {
    /// Who defines the operation, such as `github.com/confidential-containers`. No space, no line end.
    pub domain: &'a str,
    /// What happened, such as `PullImage`. No space, no line end.
    pub operation: &'a str,
    /// Anything in one line.
    pub content: &'a str,
}

/// Why a text or its parts are not an AAEL entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAael {
    /// The text is not UTF-8.
    #[error("the entry is not UTF-8")]
    Encoding,
    /// The text has fewer than two spaces.
    #[error("an entry is <domain> <operation> <content>, with single spaces")]
    Form,
    /// Domain or operation have a space, a line end, or nothing.
    #[error("domain and operation have at least one character, no space and no line end")]
    Name,
    /// The content has a line end.
    #[error("the content has no line end")]
    LineEnd,
}

impl<'a> Aael<'a> {
    /// An entry from its parts.
    ///
    /// # Errors
    /// [`NotAael::Name`] and [`NotAael::LineEnd`]: the text could not be taken apart again.
    pub fn new(domain: &'a str, operation: &'a str, content: &'a str) -> Result<Self, NotAael> {
        if [domain, operation].iter().any(|name| name.is_empty() || name.contains([' ', '\n', '\r'])) {
            return Err(NotAael::Name);
        }
        if content.contains('\n') {
            return Err(NotAael::LineEnd);
        }
        Ok(Aael { domain, operation, content })
    }

    /// Takes the text apart at its first two spaces.
    ///
    /// # Errors
    /// [`NotAael`].
    pub fn from_text(text: &'a [u8]) -> Result<Self, NotAael> {
        let text = std::str::from_utf8(text).map_err(|_| NotAael::Encoding)?;
        let (domain, rest) = text.split_once(' ').ok_or(NotAael::Form)?;
        let (operation, content) = rest.split_once(' ').ok_or(NotAael::Form)?;
        Aael::new(domain, operation, content)
    }

    /// The text `<domain> <operation> <content>`.
    pub fn to_text(&self) -> String {
        format!("{} {} {}", self.domain, self.operation, self.content)
    }

    /// The event's data, which is what its digest is of: tag (4 bytes, little endian), size of the text (4),
    /// text.
    ///
    /// # Errors
    /// [`CannotWrite::EventLen`].
    pub fn to_tagged_event(&self) -> Result<Vec<u8>, CannotWrite> {
        let text = self.to_text();
        let len = event_len(text.as_bytes())?;
        let mut data = AAEL_TAG.to_le_bytes().to_vec();
        data.extend(len.to_le_bytes());
        data.extend_from_slice(text.as_bytes());
        Ok(data)
    }

    /// The content as JSON where it is JSON of at most [`MAX_CONTENT_DEPTH`] levels, as a string otherwise.
    /// Of a member that is there twice the last one counts, as in Trustee.
    pub fn content_value(&self) -> Value {
        let parsed = if depth(self.content) <= MAX_CONTENT_DEPTH {
            serde_json::from_str(self.content).ok()
        } else {
            None
        };
        parsed.unwrap_or_else(|| Value::String(self.content.to_owned()))
    }
}

/// How deep brackets nest in a text, if it is JSON. Without recursion.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_both_ways() {
        let entry = Aael::new("coco.com", "PullImage", r#"{"image": "a b"}"#).unwrap();
        assert_eq!(Aael::from_text(entry.to_text().as_bytes()), Ok(entry));
        assert_eq!(entry.content_value()["image"], "a b");
    }

    #[test]
    fn what_could_not_be_taken_apart_again_is_refused() {
        assert_eq!(Aael::new("a b", "c", ""), Err(NotAael::Name));
        assert_eq!(Aael::new("a", "b\n", ""), Err(NotAael::Name));
        assert_eq!(Aael::new("", "b", ""), Err(NotAael::Name));
        assert_eq!(Aael::new("a", "b", "c\nd"), Err(NotAael::LineEnd));
        assert_eq!(Aael::from_text(b"a b"), Err(NotAael::Form));
        assert_eq!(Aael::from_text(b"a  b c"), Err(NotAael::Name));
        assert_eq!(Aael::from_text(b"a b \xff"), Err(NotAael::Encoding));
    }

    #[test]
    fn content_that_is_no_json_or_too_deep_stays_text() {
        let content = |content: &str| Aael { domain: "d", operation: "o", content }.content_value();
        assert_eq!(content("plain"), Value::from("plain"));
        assert_eq!(content(""), Value::from(""));
        assert_eq!(content("7"), Value::from(7));
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(content(&nested(MAX_CONTENT_DEPTH)).is_array());
        assert!(content(&nested(MAX_CONTENT_DEPTH + 1)).is_string());
        let many = nested(100_000);
        assert_eq!(content(&many), Value::from(many.as_str()));
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        let text = format!(r#"["\"{}"]"#, "[".repeat(100));
        let value = Aael { domain: "d", operation: "o", content: &text }.content_value();
        assert!(value.is_array());
    }
}
