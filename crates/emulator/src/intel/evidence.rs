//! A quote and the log that comes with it.

use assay_types::Tee;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

/// A quote, and with TDX the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntelEvidence {
    /// [`Tee::Tdx`] or [`Tee::Sgx`].
    pub tee: Tee,
    /// The quote.
    pub quote: Vec<u8>,
    /// The event log; `None` where none is sent.
    pub event_log: Option<Vec<u8>>,
}

impl IntelEvidence {
    /// The JSON of the wire, bytes in standard base64: `{"cc_eventlog": … or null, "quote": …}`, with SGX
    /// `{"quote": …}`.
    pub fn to_json(&self) -> Value {
        let quote = BASE64_STANDARD.encode(&self.quote);
        match self.tee {
            Tee::Tdx => {
                json!({ "cc_eventlog": self.event_log.as_ref().map(|log| BASE64_STANDARD.encode(log)), "quote": quote })
            }
            _ => json!({ "quote": quote }),
        }
    }
}
