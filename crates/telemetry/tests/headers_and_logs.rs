#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]
//! Logs, and headers that mean harm.

mod log;

use assay_telemetry::{Guard, RequestScope, TelemetrySettings, build, inject, outgoing_headers};
use http::{HeaderMap, HeaderValue, Method};
use log::Log;
use proptest::prelude::*;

fn settings(filter: &str, json: bool) -> TelemetrySettings {
    TelemetrySettings { filter: filter.to_owned(), json, traces: None }
}

#[test]
fn the_filter_is_changed_while_the_program_runs_and_a_bad_one_changes_nothing() {
    let log = Log::default();
    let writer = log.clone();
    let (dispatch, guard) = build(&settings("warn", false), move || writer.clone()).unwrap();
    let say = |text: &str| tracing::info!("{text}");
    tracing::dispatcher::with_default(&dispatch, || {
        say("first");
        guard.set_filter("info").unwrap();
        say("second");
        guard.set_filter("a=b=c").unwrap_err();
        Guard::check_filter("a=b=c").unwrap_err();
        say("third");
        guard.set_filter("off").unwrap();
        say("fourth");
    });
    let text = log.text();
    let found = ["first", "second", "third", "fourth"].map(|word| text.contains(word));
    assert_eq!(found, [false, true, true, false], "{text}");
}

#[test]
fn a_line_of_json_has_the_request_id_of_its_request() {
    let log = Log::default();
    let writer = log.clone();
    let (dispatch, _guard) = build(&settings("info", true), move || writer.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("guest-7"));
        let scope = RequestScope::new(&headers, &Method::GET, "/route");
        scope.span().in_scope(|| tracing::info!("said"));
    });
    let text = log.text();
    assert!(text.starts_with('{') && text.contains("\"id\":\"guest-7\"") && text.contains("said"), "{text}");
}

fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let name = prop_oneof![Just("traceparent"), Just("tracestate"), Just("x-request-id")];
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        "[0-9a-f]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-.*)?".prop_map(String::into_bytes),
        "([a-z]{1,9}=[ -~]{0,40},?){0,40}".prop_map(String::into_bytes),
        "[A-Za-z0-9._-]{0,70}".prop_map(String::into_bytes),
    ];
    (name, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever comes in, what goes out is well formed and bounded, and nothing panics.
    #[test]
    fn hostile_headers_do_no_harm(given in proptest::collection::vec(header(), 0..6)) {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        let scope = RequestScope::new(&headers, &Method::POST, "/route");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let out = runtime.block_on(scope.run(async {
            let mut out = headers.clone();
            inject(&mut out);
            // What a caller sent is replaced, never joined.
            prop_assert_eq!(out.get_all("x-request-id").iter().count(), 1);
            Ok(outgoing_headers())
        }))?;
        let id = out["x-request-id"].to_str().unwrap();
        prop_assert!((1..=64).contains(&id.len()));
        prop_assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
        prop_assert!(out.get_all("traceparent").iter().count() <= 1);
        if let Some(parent) = out.get("traceparent") {
            let text = parent.to_str().unwrap();
            prop_assert_eq!(text.len(), 55);
            prop_assert!(text.starts_with("00-"));
            prop_assert!(text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-'));
        }
        if let Some(state) = out.get("tracestate") {
            prop_assert!(out.contains_key("traceparent"));
            prop_assert!(state.len() <= 512);
            prop_assert!(state.to_str().unwrap().split(',').count() <= 32);
        }
    }
}
