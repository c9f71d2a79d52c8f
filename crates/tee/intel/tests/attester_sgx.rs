//! The attester in an emulated enclave: what it gives verifies, and what it must not give it refuses.
#![cfg(feature = "attester")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

#[path = "../../../attester/tests/plain_guest/mod.rs"]
mod plain_guest;
mod support;

use std::fs;

use assay_attester::{AttesterError, InitDataBinding};
use assay_tee_intel::attest::sgx::{GRAMINE, OCCLUM, OCCLUM_VARIABLE, probe};
use assay_types::{Binding, Digest, HashAlgorithm, Tee};
use plain_guest::{PlainGuest, ask, attester, bind, step};
use serde_json::Value;
use support::{INIT_DATA, collateral, enclave, failed, now, set, settings, silicon, verifier, verify};

fn quote(report_data: [u8; 64], init_data: &Digest) -> Vec<u8> {
    let enclave = silicon().enclave().enclave_report(|report| {
        report.report_data = report_data;
        report.config_id[..init_data.as_bytes().len()].copy_from_slice(init_data.as_bytes());
    });
    enclave.build().unwrap().quote
}

/// An enclave of Gramine that answers with this quote, whatever is asked.
fn gramine(quote: Vec<u8>) -> PlainGuest {
    let guest = PlainGuest::bare();
    guest.put(&format!("{GRAMINE}/attestation_type"), "dcap");
    guest.put(&format!("{GRAMINE}/user_report_data"), [0; 64]);
    guest.put(&format!("{GRAMINE}/quote"), quote);
    guest
}

fn check(evidence: &Value, report_data: &[u8], init_data: Option<Digest>) -> Vec<String> {
    let published = set(&collateral(&enclave(&silicon())).to_json(Tee::Sgx).unwrap());
    let binding = Binding { report_data: Some(report_data.to_vec()), init_data };
    let text = evidence.to_string();
    failed(&verify(&verifier(Tee::Sgx, settings()), text.as_bytes(), &published, &binding, now()))
}

fn malformed(error: &AttesterError, part: &str) {
    assert!(matches!(error, AttesterError::Malformed { .. }), "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn a_quote_of_gramine_verifies_and_was_asked_for_with_the_report_data() {
    let mut padded = [0; 64];
    padded[..48].fill(7);
    let guest = gramine(quote(padded, &Digest::sha384(INIT_DATA)));
    let mut found = probe(&guest.host());
    assert_eq!(attester(&mut found).tee(), Tee::Sgx);
    assert!(attester(&mut found).registers().is_none());
    let evidence = ask(&mut found, &[7; 48]).unwrap();
    assert_eq!(fs::read(guest.host().path(GRAMINE).join("user_report_data")).unwrap(), padded);
    assert_eq!(evidence.as_object().unwrap().len(), 1, "there is no event log");
    assert_eq!(check(&evidence, &[7; 48], Some(Digest::sha384(INIT_DATA))), [""; 0]);
    assert!(!check(&evidence, &[8; 48], None).is_empty());
}

#[test]
fn too_many_report_data_are_refused_before_anything_is_asked() {
    let guest = gramine(quote([1; 64], &Digest::sha384(INIT_DATA)));
    let mut found = probe(&guest.host());
    for len in [65, 1_000_000] {
        let error = ask(&mut found, &vec![1; len]).unwrap_err();
        assert!(matches!(
            error,
            AttesterError::ReportDataTooLong { tee: Tee::Sgx, found, max: 64 } if found == len
        ));
    }
    assert_eq!(fs::read(guest.host().path(GRAMINE).join("user_report_data")).unwrap(), [0; 64]);
}

#[test]
fn an_answer_that_is_no_quote_of_this_request_is_refused() {
    let td = silicon().td().td_report(|report| report.report_data = [7; 64]).build().unwrap().quote;
    for (quote, part) in [
        (b"no quote".to_vec(), "header"),
        (td, "expected a quote of sgx, found one of tdx"),
        (quote([9; 64], &Digest::sha384(INIT_DATA)), "the answer is for other report data"),
        (vec![0; (128 << 10) + 1], "more than 131072 bytes"),
    ] {
        malformed(&ask(&mut probe(&gramine(quote).host()), &[7; 64]).unwrap_err(), part);
    }
    let guest = gramine(vec![]);
    let mut found = probe(&guest.host());
    for name in ["quote", "user_report_data"] {
        fs::remove_file(guest.host().path(GRAMINE).join(name)).unwrap();
        let error = ask(&mut found, &[7; 64]).unwrap_err();
        assert!(matches!(&error, AttesterError::Device { path, .. } if path.ends_with(name)), "{error}");
    }
}

#[test]
fn init_data_are_bound_by_the_rule_of_the_verifier() {
    for algorithm in HashAlgorithm::ALL {
        let (digest, other) = (algorithm.digest(INIT_DATA), algorithm.digest(b"other"));
        let guest = gramine(quote([0; 64], &digest));
        let mut found = probe(&guest.host());
        assert_eq!(bind(&mut found, &digest).unwrap(), InitDataBinding::Bound { field: "CONFIGID" });
        let evidence = ask(&mut found, &[]).unwrap();
        assert_eq!(check(&evidence, &[], Some(digest)), [""; 0]);
        let error = bind(&mut found, &other).unwrap_err();
        assert!(matches!(error, AttesterError::InitDataMismatch { field: "CONFIGID", .. }), "{error}");
        assert!(!check(&evidence, &[], Some(other)).is_empty());
    }
}

#[test]
fn the_search_says_what_it_found() {
    let bare = PlainGuest::bare();
    let found = probe(&bare.host());
    assert!(found.attester.is_none() && found.tee == Tee::Sgx);
    assert_eq!(step(&found, OCCLUM_VARIABLE), (false, "not set"));
    assert_eq!(step(&found, "attestation_type"), (false, "not there"));
    bare.put(&format!("{GRAMINE}/attestation_type"), "none\n");
    let found = probe(&bare.host());
    let (is_tee, words) = step(&found, "attestation_type");
    assert!(found.attester.is_none() && !is_tee && words.contains("sgx.remote_attestation"), "{words}");
}

#[test]
fn in_occlum_its_device_is_asked() {
    let guest = PlainGuest::bare();
    let found = probe(&guest.host_with(OCCLUM_VARIABLE, "yes"));
    assert!(found.attester.is_none() && step(&found, OCCLUM).1 == "not there");
    guest.put(OCCLUM, "");
    // It is a plain file, which takes no such call.
    let error = ask(&mut probe(&guest.host_with(OCCLUM_VARIABLE, "yes")), &[7; 64]).unwrap_err();
    assert!(matches!(&error, AttesterError::Device { action: "asking", path, .. } if path.ends_with("sgx")));
    assert!(probe(&guest.host()).attester.is_none(), "the device alone says nothing");
}
