//! The registry of message types. A new type is one module and one line here.

use assay_tee_cca::endorsement::NamedEndorsement;
use assay_types::UnixTime;
use serde_json::Value;

use crate::{CorimTrust, MAX_MESSAGE_LEN, ReferenceValueError, cca_stores, corim, sample};

/// What a payload is read with.
pub(crate) struct Context<'a> {
    pub(crate) now: UnixTime,
    pub(crate) trust: &'a CorimTrust,
}

/// What a payload says.
#[derive(Debug, Default)]
pub(crate) struct Extract {
    /// Names and values.
    pub(crate) values: Vec<(String, Value)>,
    /// The last second in which the document is valid.
    pub(crate) not_after: Option<UnixTime>,
    /// What the names of all values of earlier editions of the document contain. Those that this one
    /// does not have are deleted.
    pub(crate) replaces: Option<String>,
    /// Remarks for whoever registers.
    pub(crate) notes: Vec<String>,
}

impl Extract {
    /// Values and nothing else.
    pub(crate) fn of(values: Vec<(String, Value)>) -> Self {
        Extract { values, ..Extract::default() }
    }
}

/// The names and stored forms of endorsements.
pub(crate) fn named_values(endorsements: &[NamedEndorsement]) -> Vec<(String, Value)> {
    let of = |named: &NamedEndorsement| {
        let value = named.endorsement.to_value();
        named.names().into_iter().map(move |name| (name, value.clone()))
    };
    endorsements.iter().flat_map(of).collect()
}

/// What a payload says, or what is wrong with it.
pub(crate) type Extracted = Result<Extract, ReferenceValueError>;

/// Reads the payload of one message type.
pub(crate) struct Extractor {
    /// The type's name in messages.
    pub(crate) name: &'static str,
    /// The largest message of this type in bytes.
    pub(crate) max_message: usize,
    /// From the payload (base64 undone) to names and values. Limits on them are checked by the caller.
    pub(crate) extract: fn(payload: &[u8], context: &Context<'_>) -> Extracted,
}

const EXTRACTORS: &[Extractor] = &[
    Extractor { name: sample::NAME, max_message: sample::MAX_MESSAGE, extract: sample::extract },
    Extractor { name: corim::NAME, max_message: MAX_MESSAGE_LEN, extract: corim::extract },
    Extractor {
        name: cca_stores::TRUST_ANCHORS,
        max_message: MAX_MESSAGE_LEN,
        extract: cca_stores::trust_anchors,
    },
    Extractor {
        name: cca_stores::REFERENCE_VALUES,
        max_message: MAX_MESSAGE_LEN,
        extract: cca_stores::reference_values,
    },
];

/// The extractor for the type of that name.
pub(crate) fn find(name: &str) -> Result<&'static Extractor, ReferenceValueError> {
    EXTRACTORS.iter().find(|e| e.name == name).ok_or_else(|| {
        let known: Vec<&str> = EXTRACTORS.iter().map(|e| e.name).collect();
        ReferenceValueError::UnknownType { found: name.chars().take(64).collect(), known: known.join(", ") }
    })
}
