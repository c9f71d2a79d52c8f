//! The wire form of evidence: raw and in JSON, what is ignored and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod quote_support;

use assay_tee_intel::quote::QuoteError;
use assay_tee_intel::{EvidenceError, IntelEvidence, MAX_EVENT_LOG_LEN, checks};
use assay_types::{RawEvidence, VerifyError};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use proptest::prelude::*;
use quote_support::{quote, quotes};
use serde_json::json;

fn parse(text: impl AsRef<[u8]>) -> Result<IntelEvidence, EvidenceError> {
    IntelEvidence::parse(Bytes::copy_from_slice(text.as_ref()))
}

fn td() -> (IntelEvidence, String) {
    let quote = quote(4, 2, 5);
    let text = BASE64_STANDARD.encode(quote.bytes());
    (IntelEvidence { quote, event_log: None }, text)
}

#[test]
fn json_is_written_as_guests_write_it() {
    let (mut evidence, quote) = td();
    assert_eq!(evidence.to_json(), format!(r#"{{"cc_eventlog":null,"quote":"{quote}"}}"#).as_bytes());
    evidence.event_log = Some(Bytes::from_static(b"log"));
    assert_eq!(evidence.to_json(), format!(r#"{{"cc_eventlog":"bG9n","quote":"{quote}"}}"#).as_bytes());
    let enclave = IntelEvidence { quote: quote_support::quote(3, 1, 5), event_log: None };
    let quote = BASE64_STANDARD.encode(enclave.quote.bytes());
    assert_eq!(enclave.to_json(), format!(r#"{{"quote":"{quote}"}}"#).as_bytes());
}

#[test]
fn every_quote_is_read_in_both_forms() {
    for quote in quotes() {
        let evidence = IntelEvidence { quote, event_log: None };
        assert_eq!(parse(evidence.to_json()), Ok(evidence.clone()));
        assert_eq!(parse(evidence.quote.bytes()), Ok(evidence));
    }
}

#[test]
fn an_event_log_comes_along_with_a_td() {
    let (_, quote) = td();
    let with = |log: serde_json::Value| parse(json!({ "quote": quote, "cc_eventlog": log }).to_string());
    assert_eq!(with(json!("bG9n")).unwrap().event_log.unwrap(), "log");
    assert_eq!(with(json!("")).unwrap().event_log.unwrap(), "");
    assert_eq!(with(json!(null)).unwrap().event_log, None);
    // A text with escapes is the same text.
    let escaped = format!(r#" {{"\u0071uote":"{}","cc_eventlog":"bG9\u006e"}}"#, quote.replace('/', "\\/"));
    assert_eq!(parse(escaped).unwrap().event_log.unwrap(), "log");
}

#[test]
fn unknown_members_are_ignored() {
    let (evidence, quote) = td();
    let text =
        json!({ "aa_eventlog": "INIT sha384/00", "quote": quote, "more": [{"deep": null}] }).to_string();
    assert_eq!(parse(text), Ok(evidence));
}

#[test]
fn json_of_another_form_is_refused() {
    let (_, quote) = td();
    for text in [
        "{}".to_owned(),
        "{".to_owned(),
        format!(r#"{{"quote":"{quote}""#),
        format!(r#"{{"quote":"{quote}"}} x"#),
        format!(r#"{{"quote":"{quote}","quote":"{quote}"}}"#),
        format!(r#"{{"quote":"{quote}","cc_eventlog":null,"cc_eventlog":"bG9n"}}"#),
        format!(r#"{{"cc_eventlog":"bG9n","quote":"{quote}","cc_eventlog":"bG9n"}}"#),
        r#"{"cc_eventlog":"bG9n"}"#.to_owned(),
        r#"{"quote":null}"#.to_owned(),
        r#"{"quote":[4,0]}"#.to_owned(),
        format!(r#"{{"quote":"{quote}","cc_eventlog":[1]}}"#),
        format!(r#"{{"quote":"{quote}","cc_eventlog":false}}"#),
        format!("{{\"quote\":\"{quote}\n\"}}"),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(matches!(error, EvidenceError::Json(_)), "{text:.60}: {error}");
        assert_eq!(error.check(), &checks::EVIDENCE_FORM);
    }
}

#[test]
fn base64_is_standard_and_padded() {
    let (evidence, quote) = td();
    let other_alphabet = BASE64_URL_SAFE_NO_PAD.encode(evidence.quote.bytes());
    assert!(other_alphabet != quote.trim_end_matches('='));
    for (text, log, member) in [
        (other_alphabet, "bG9n", "quote"),
        (format!("{quote}="), "bG9n", "quote"),
        (format!("{quote} "), "bG9n", "quote"),
        (quote.clone(), "bG9", "cc_eventlog"),
        (quote.clone(), "bG9n\n", "cc_eventlog"),
        (quote.clone(), "bG9nLg", "cc_eventlog"),
    ] {
        let error = parse(json!({ "quote": text, "cc_eventlog": log }).to_string()).unwrap_err();
        assert!(
            matches!(error, EvidenceError::Base64 { member: found, .. } if found == member),
            "{log}: {error}"
        );
    }
}

#[test]
fn an_enclave_has_no_event_log() {
    let quote = BASE64_STANDARD.encode(quote(3, 1, 5).bytes());
    let with = |log: serde_json::Value| parse(json!({ "quote": quote, "cc_eventlog": log }).to_string());
    assert!(with(json!(null)).is_ok());
    assert_eq!(with(json!("bG9n")), Err(EvidenceError::EventLogOfEnclave));
}

#[test]
fn what_is_too_long_is_refused() {
    let most = vec![b' '; RawEvidence::MAX_LEN];
    assert!(matches!(IntelEvidence::parse(most.clone().into()), Err(EvidenceError::Quote(_))));
    let found = RawEvidence::MAX_LEN + 1;
    let more = [most, vec![b' ']].concat();
    assert_eq!(IntelEvidence::parse(more.into()), Err(EvidenceError::TooLong { found }));
    let (_, quote) = td();
    let log = |len: usize| {
        json!({ "quote": quote, "cc_eventlog": BASE64_STANDARD.encode(vec![0; len]) }).to_string()
    };
    assert!(IntelEvidence::from_json(log(MAX_EVENT_LOG_LEN).as_bytes()).is_ok());
    let found = MAX_EVENT_LOG_LEN + 1;
    let error = IntelEvidence::from_json(log(found).as_bytes());
    assert_eq!(error, Err(EvidenceError::EventLogTooLong { found }));
}

#[test]
fn errors_become_findings_of_their_check() {
    let error = |bytes: &[u8]| VerifyError::from(parse(bytes).unwrap_err());
    let (evidence, _) = td();
    let raw = evidence.quote.bytes().to_vec();

    let malformed = error(&raw[..100]);
    assert!(matches!(malformed, VerifyError::Malformed(_)));
    let finding = &malformed.findings()[0];
    assert_eq!((finding.code.as_ref(), finding.found.as_str()), ("INTEL-001", "52 bytes"));
    assert_eq!(finding.expected, "584 bytes of TD report at offset 48");

    let mut newer = raw.clone();
    newer[0] = 6;
    let unsupported = error(&newer);
    assert!(matches!(unsupported, VerifyError::Unsupported(_)));
    assert_eq!(unsupported.findings()[0].code, "INTEL-002");

    for text in ["{}", r#"{"quote":"*"}"#] {
        let error = error(text.as_bytes());
        assert!(matches!(error, VerifyError::Malformed(_)));
        assert_eq!(error.findings()[0].code, "INTEL-001");
        assert!(error.failures().all(|finding| !finding.expected.is_empty() && !finding.detail.is_empty()));
    }
    let quote_error = EvidenceError::from(QuoteError::TeeType { version: 3, expected: "0 (SGX)", found: 1 });
    assert_eq!(VerifyError::from(quote_error).findings()[0].code, "INTEL-003");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_makes_the_reader_panic(
        at in any::<prop::sample::Index>(),
        piece in prop::sample::select(["", "\"", "\\", "{", "}", ",", ":", "null", "=", "A", "\u{e9}", "\\u0041"].as_slice()),
        cut in 0_usize..5,
    ) {
        let mut text = IntelEvidence { event_log: Some(Bytes::from_static(b"log")), ..td().0 }.to_json();
        let start = at.index(text.len());
        let end = (start + cut).min(text.len());
        text.splice(start..end, piece.bytes());
        if let Ok(evidence) = IntelEvidence::parse(text.into()) {
            prop_assert_eq!(parse(evidence.to_json()).unwrap(), evidence);
        }
    }
}
