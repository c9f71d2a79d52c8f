//! The wire form: a raw quote, or JSON with quote and event log. No I/O.
//!
//! ```text
//! TDX  {"cc_eventlog": base64 or null, "quote": base64}
//! SGX  {"quote": base64}
//! ```
//! Base64 is the standard one, with padding. Members that are unknown are ignored, since guests of other
//! versions send some (older ones `aa_eventlog`): they are bound to nothing and have no part in the verdict.
//! Members that are doubled or missing are refused.
//!
//! Trustee, evidence of tdx and sgx.

use std::borrow::Cow;

use assay_types::{Check, Finding, Outcome, RawEvidence, Tee, VerifyError};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::checks;
use crate::quote::{Quote, QuoteError};

/// The longest event log that is read, in bytes (16 MiB). Firmware keeps 64 to 256 KiB for it.
pub const MAX_EVENT_LOG_LEN: usize = 16 << 20;

/// Bytes that are not Intel evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Longer than any evidence.
    #[error("evidence has at most {} bytes, found {found}", RawEvidence::MAX_LEN)]
    TooLong {
        /// The length in bytes.
        found: usize,
    },
    /// The JSON is not that of Intel evidence.
    #[error("not the JSON of TDX or SGX evidence: {0}")]
    Json(String),
    /// A member is not in base64.
    #[error("{member}: expected standard base64 with padding: {detail}")]
    Base64 {
        /// The member.
        member: &'static str,
        /// What is wrong, and where.
        detail: String,
    },
    /// Longer than any event log.
    #[error("an event log has at most {MAX_EVENT_LOG_LEN} bytes, found {found}")]
    EventLogTooLong {
        /// The length in bytes, at least.
        found: usize,
    },
    /// An event log beside the quote of an enclave, which has no register that could bind it.
    #[error("cc_eventlog: expected none beside an SGX quote")]
    EventLogOfEnclave,
    /// The quote is none.
    #[error(transparent)]
    Quote(#[from] QuoteError),
}

impl EvidenceError {
    /// The check that fails with it.
    pub fn check(&self) -> &'static Check {
        match self {
            EvidenceError::Quote(error) => error.check(),
            _ => &checks::EVIDENCE_FORM,
        }
    }
}

impl From<EvidenceError> for VerifyError {
    fn from(error: EvidenceError) -> Self {
        let (expected, found) = match &error {
            EvidenceError::Quote(error) => (error.expected(), error.found()),
            EvidenceError::TooLong { found } => {
                (format!("at most {} bytes", RawEvidence::MAX_LEN), format!("{found} bytes"))
            }
            EvidenceError::EventLogTooLong { found } => {
                (format!("an event log of at most {MAX_EVENT_LOG_LEN} bytes"), format!("{found} bytes"))
            }
            EvidenceError::EventLogOfEnclave => ("no event log".to_owned(), "an event log".to_owned()),
            EvidenceError::Json(_) => {
                ("{\"quote\": base64, \"cc_eventlog\": base64 or null}".to_owned(), String::new())
            }
            EvidenceError::Base64 { member, .. } => (format!("standard base64 in {member}"), String::new()),
        };
        let unsupported = matches!(&error, EvidenceError::Quote(error) if error.is_unsupported());
        let finding = Finding::new(error.check(), Outcome::Failed, expected, found, error.to_string());
        if unsupported {
            VerifyError::Unsupported(vec![finding])
        } else {
            VerifyError::Malformed(vec![finding])
        }
    }
}

/// Evidence that was read. Nothing of it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntelEvidence {
    /// The quote.
    pub quote: Quote,
    /// The event log (CCEL, with what was appended at run time), as it was sent; TDX only.
    pub event_log: Option<Bytes>,
}

/// A text that is copied only where it has escapes. It has a type of its own since `Option<Cow<str>>` would
/// always be copied, and event logs are long.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct JsonIn<'a> {
    #[serde(borrow)]
    quote: Text<'a>,
    #[serde(borrow, default)]
    cc_eventlog: Option<Text<'a>>,
}

/// The members in the order in which guests write them.
#[derive(Serialize)]
struct JsonOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    cc_eventlog: Option<Option<String>>,
    quote: String,
}

impl IntelEvidence {
    /// Reads either form: JSON when the first byte that is not white space is `{`, else a raw quote.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn parse(bytes: Bytes) -> Result<Self, EvidenceError> {
        if bytes.len() > RawEvidence::MAX_LEN {
            return Err(EvidenceError::TooLong { found: bytes.len() });
        }
        if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
            IntelEvidence::from_json(&bytes)
        } else {
            Ok(IntelEvidence { quote: Quote::parse(bytes)?, event_log: None })
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn from_json(text: &[u8]) -> Result<Self, EvidenceError> {
        let json: JsonIn<'_> =
            serde_json::from_slice(text).map_err(|error| EvidenceError::Json(error.to_string()))?;
        let quote = Quote::parse(base64("quote", &json.quote.0)?)?;
        let event_log = match json.cc_eventlog {
            Some(_) if quote.tee() == Tee::Sgx => return Err(EvidenceError::EventLogOfEnclave),
            Some(log) => Some(event_log(&log.0)?),
            None => None,
        };
        Ok(IntelEvidence { quote, event_log })
    }

    /// The JSON form, as guests write it: with an event log or null for TDX, without the member for SGX.
    pub fn to_json(&self) -> Vec<u8> {
        let log = self.event_log.as_ref().map(|log| BASE64_STANDARD.encode(log));
        let json = JsonOut {
            cc_eventlog: (self.quote.tee() == Tee::Tdx).then_some(log),
            quote: BASE64_STANDARD.encode(self.quote.bytes()),
        };
        // Writing strings into memory cannot fail; an empty text would be refused by whoever reads it.
        serde_json::to_vec(&json).unwrap_or_default()
    }
}

fn base64(member: &'static str, text: &str) -> Result<Bytes, EvidenceError> {
    let decoded = BASE64_STANDARD.decode(text);
    decoded.map(Bytes::from).map_err(|error| EvidenceError::Base64 { member, detail: error.to_string() })
}

fn event_log(text: &str) -> Result<Bytes, EvidenceError> {
    let log = base64("cc_eventlog", text)?;
    if log.len() > MAX_EVENT_LOG_LEN {
        return Err(EvidenceError::EventLogTooLong { found: log.len() });
    }
    Ok(log)
}
