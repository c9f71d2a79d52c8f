//! Any bytes as a quote, and as evidence with one: no panic; what is accepted is written as it was read.
#![no_main]

use assay_tee_intel::quote::Quote;
use assay_tee_intel::{IntelEvidence, quote_claims};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(quote) = Quote::parse(Bytes::copy_from_slice(data)) {
        let again = Quote::new(quote.header.clone(), quote.body.clone(), quote.signature.clone());
        assert_eq!(again, quote);
        let _ = quote_claims(&quote);
    }
    if let Ok(evidence) = IntelEvidence::parse(Bytes::copy_from_slice(data)) {
        assert_eq!(IntelEvidence::from_json(&evidence.to_json()), Ok(evidence));
    }
});
