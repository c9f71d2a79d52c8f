//! How the guest obtains the evidence: [`tdx`] for trust domains, [`sgx`] for enclaves.

mod event_log;
mod registers;
pub mod sgx;
pub mod tdx;

use assay_attester::{AttesterError, binding};
use assay_types::{ReportData, Tee};
use bytes::Bytes;
use serde_json::Value;

use crate::IntelEvidence;
use crate::quote::Quote;

/// The quote in an answer of `what`: of this TEE, and with the report data that were asked for.
fn checked_quote(tee: Tee, what: &str, bytes: Vec<u8>, asked: &ReportData) -> Result<Quote, AttesterError> {
    let malformed = |why: String| AttesterError::Malformed { what: what.to_owned(), why };
    let quote = Quote::parse(Bytes::from(bytes)).map_err(|error| malformed(error.to_string()))?;
    if quote.tee() != tee {
        return Err(malformed(format!("expected a quote of {tee}, found one of {}", quote.tee())));
    }
    binding::same_report_data(what, asked, quote.report_data())?;
    Ok(quote)
}

/// The JSON of the wire.
fn to_value(evidence: &IntelEvidence) -> Result<Value, AttesterError> {
    serde_json::from_slice(&evidence.to_json())
        .map_err(|error| AttesterError::Malformed { what: "the evidence".to_owned(), why: error.to_string() })
}
