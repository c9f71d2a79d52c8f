//! The attester in an emulated realm: what it gives verifies, and what it must not give it refuses.
#![cfg(feature = "attester")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

#[path = "../../../attester/tests/plain_guest/mod.rs"]
mod plain_guest;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use assay_attester::{AttesterError, EvidenceRequest, InitDataBinding};
use assay_emulator::cca::Cca;
use assay_tee_cca::CcaSettings;
use assay_tee_cca::attest::{PROVIDER, probe};
use assay_types::{Binding, Digest, HashAlgorithm, Tee};
use plain_guest::{Answer, PlainGuest, ask, attester, bind, soon, step};
use serde_json::Value;
use support::{anchors, silicon, verify_with};

const INIT_DATA: &[u8] = b"init data";

/// The token of a realm that was launched with this digest.
fn token(generation: Cca, challenge: &[u8], init_data: &Digest) -> Vec<u8> {
    let challenge: [u8; 64] = challenge.try_into().expect("the challenge is padded");
    let realm = silicon().guest(generation).realm(|realm| {
        realm.challenge = challenge;
        realm.personalization_value[..init_data.as_bytes().len()].copy_from_slice(init_data.as_bytes());
    });
    realm.build().token
}

fn guest() -> PlainGuest {
    changed(|answer| answer)
}

fn changed(change: impl Fn(Answer) -> Answer + Send + 'static) -> PlainGuest {
    PlainGuest::tsm(PROVIDER, move |inblob| {
        change(Answer::report(token(Cca::Draft2023, inblob, &Digest::sha384(INIT_DATA))))
    })
}

fn verifies(evidence: &Value, report_data: &[u8], init_data: Option<Digest>) -> bool {
    let binding = Binding { report_data: Some(report_data.to_vec()), init_data };
    verify_with(CcaSettings::production(), evidence.to_string().as_bytes(), &binding, &anchors()).is_ok()
}

fn refused(guest: &PlainGuest) -> AttesterError {
    let error = ask(&mut probe(&guest.host()), &[7; 64]).unwrap_err();
    guest.assert_no_entry_is_left();
    error
}

fn malformed(error: &AttesterError, part: &str) {
    assert!(matches!(error, AttesterError::Malformed { .. }), "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn evidence_of_every_generation_verifies_with_the_challenge_and_no_other() {
    for generation in Cca::ALL {
        let guest = PlainGuest::tsm(PROVIDER, move |inblob| {
            Answer::report(token(generation, inblob, &Digest::sha384(INIT_DATA)))
        });
        let mut found = probe(&guest.host());
        assert_eq!(attester(&mut found).tee(), Tee::Cca);
        for len in [0, 48, 64] {
            let challenge = vec![7; len];
            let evidence = ask(&mut found, &challenge).unwrap();
            guest.assert_no_entry_is_left();
            assert!(verifies(&evidence, &challenge, Some(Digest::sha384(INIT_DATA))), "{generation:?}");
            assert!(!verifies(&evidence, &[8; 48], None));
        }
        assert!(attester(&mut found).registers().is_none());
    }
}

#[test]
fn too_long_a_challenge_is_refused_before_anything_is_asked() {
    let guest = guest();
    let mut found = probe(&guest.host());
    for len in [65, 1_000_000] {
        let error = ask(&mut found, &vec![0; len]).unwrap_err();
        assert!(matches!(
            error,
            AttesterError::ReportDataTooLong { tee: Tee::Cca, found, max: 64 } if found == len
        ));
    }
    assert_eq!(guest.answered(), 0);
}

#[test]
fn an_answer_that_is_no_token_is_refused() {
    for (outblob, part) in [
        (b"no token".to_vec(), "the token cannot be read"),
        (vec![0; (128 << 10) + 1], "more than 131072 bytes"),
    ] {
        let guest = changed(move |_| Answer::report(outblob.clone()));
        malformed(&refused(&guest), part);
    }
}

#[test]
fn an_answer_for_another_challenge_is_refused() {
    let guest = PlainGuest::tsm(PROVIDER, |_| {
        Answer::report(token(Cca::Draft2023, &[9; 64], &Digest::sha384(INIT_DATA)))
    });
    malformed(&refused(&guest), &"09".repeat(64));
}

#[test]
fn an_entry_that_others_write_to_is_left_for_a_new_one() {
    let times = AtomicU64::new(0);
    let guest = changed(move |answer| {
        let first = times.fetch_add(1, Ordering::Relaxed) == 0;
        Answer { writes_of_others: u64::from(first), ..answer }
    });
    assert!(verifies(&ask(&mut probe(&guest.host()), &[7; 64]).unwrap(), &[7; 64], None));
    assert_eq!(guest.answered(), 2);
    guest.assert_no_entry_is_left();
    let guest = changed(|answer| Answer { writes_of_others: 1, ..answer });
    let error = refused(&guest);
    assert!(matches!(error, AttesterError::Generation { expected: 1, found: 2, .. }), "{error}");
}

#[test]
fn a_device_that_never_answers_ends_at_the_deadline() {
    let guest = changed(|_| Answer::default());
    let mut found = probe(&guest.host());
    let request = EvidenceRequest { report_data: &[7; 64], aael: &[], deadline: soon() };
    let error = attester(&mut found).evidence(&request).unwrap_err();
    assert!(matches!(error, AttesterError::Deadline { .. }), "{error}");
    guest.assert_no_entry_is_left();
}

#[test]
fn init_data_are_bound_by_the_rule_of_the_verifier() {
    for algorithm in HashAlgorithm::ALL {
        let (digest, other) = (algorithm.digest(INIT_DATA), algorithm.digest(b"other"));
        let launched = digest.clone();
        let guest =
            PlainGuest::tsm(PROVIDER, move |inblob| Answer::report(token(Cca::Draft2023, inblob, &launched)));
        let mut found = probe(&guest.host());
        let bound = bind(&mut found, &digest).unwrap();
        assert_eq!(bound, InitDataBinding::Bound { field: "the personalization value" });
        let evidence = ask(&mut found, &[7; 64]).unwrap();
        assert!(verifies(&evidence, &[7; 64], Some(digest)));
        let error = bind(&mut found, &other).unwrap_err();
        let AttesterError::InitDataMismatch { expected, .. } = error else { panic!("{error}") };
        assert_eq!(expected, format!("{:0<128}", other.to_hex()));
        assert!(!verifies(&evidence, &[7; 64], Some(other)));
        guest.assert_no_entry_is_left();
    }
}

#[test]
fn the_search_says_what_it_found() {
    let guest = PlainGuest::tsm("sev_guest", |_| Answer::default());
    let found = probe(&guest.host());
    assert!(found.attester.is_none() && found.tee == Tee::Cca);
    assert!(step(&found, PROVIDER).1.contains("\"sev_guest\""));
    let found = probe(&PlainGuest::bare().host());
    assert!(found.attester.is_none() && step(&found, PROVIDER).1.contains("configfs"));
}
