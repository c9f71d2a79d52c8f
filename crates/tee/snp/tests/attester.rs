//! The attester in an emulated guest: what it gives verifies, and what it must not give it refuses.
#![cfg(feature = "attester")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "../../../attester/tests/plain_guest/mod.rs"]
mod plain_guest;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use assay_attester::{AttesterError, EvidenceRequest, Host, InitDataBinding, Probe};
use assay_emulator::{Emulator, Seed};
use assay_tee_snp::attest::{DEVICE, KERNEL_VMPL, PROVIDER, probe};
use assay_tee_snp::evidence::REPORT_LEN;
use assay_types::{Binding, CollateralSet, Digest, HashAlgorithm, Tee};
use plain_guest::{Answer, PlainGuest, ask, attester, bind, soon, step};
use serde_json::Value;
use support::{emulated, failed, now, verify};

const INIT_DATA: &[u8] = b"init data";

/// What the firmware answers.
fn firmware(inblob: &[u8], init_data: Option<&Digest>, set: &[(&str, &str)]) -> Answer {
    let set: Vec<(String, String)> = set.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let raw = Emulator::new(Seed::DEVELOPMENT).raw_evidence(Tee::Snp, inblob, init_data, &set).unwrap();
    let (report, table) = raw.split_at(REPORT_LEN);
    Answer { auxblob: Some(table.to_vec()), ..Answer::report(report.to_vec()) }
}

fn guest() -> PlainGuest {
    changed(|answer| answer)
}

/// A guest whose answers are changed.
fn changed(change: impl Fn(Answer) -> Answer + Send + 'static) -> PlainGuest {
    PlainGuest::tsm(PROVIDER, move |inblob| change(firmware(inblob, Some(&Digest::sha256(INIT_DATA)), &[])))
}

/// A host that is configured for a service.
fn with_service(guest: &PlainGuest) -> Host {
    let mut host = guest.host();
    host.service_provider = Some("svsm".to_owned());
    host
}

fn check(evidence: &Value, report_data: &[u8], init_data: Option<Digest>) -> Vec<String> {
    let binding = Binding { report_data: Some(report_data.to_vec()), init_data };
    let text = evidence.to_string();
    failed(&verify(&emulated(), text.as_bytes(), &CollateralSet::default(), &binding, now()))
}

/// Why there is no evidence; whatever happens, the entry is gone.
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
fn evidence_verifies_with_the_report_data_and_no_others() {
    let guest = guest();
    let mut found = probe(&guest.host());
    assert_eq!(attester(&mut found).tee(), Tee::Snp);
    for len in [0, 48, 64] {
        let report_data = vec![7; len];
        let evidence = ask(&mut found, &report_data).unwrap();
        guest.assert_no_entry_is_left();
        assert!(evidence["cert_chain"].is_array());
        assert_eq!(check(&evidence, &report_data, Some(Digest::sha256(INIT_DATA))), [""; 0]);
        assert!(!check(&evidence, &[8; 48], None).is_empty());
    }
}

#[test]
fn too_many_report_data_are_refused_before_anything_is_asked() {
    let guest = guest();
    let mut found = probe(&guest.host());
    for len in [65, 1_000_000] {
        let error = ask(&mut found, &vec![0; len]).unwrap_err();
        assert!(matches!(
            error,
            AttesterError::ReportDataTooLong { tee: Tee::Snp, found, max: 64 } if found == len
        ));
    }
    assert_eq!(guest.answered(), 0);
}

#[test]
fn a_guest_without_certificates_says_null() {
    for table in [None, Some(vec![]), Some(vec![0; 24]), Some(vec![0; 0x4000])] {
        let guest = changed(move |answer| Answer { auxblob: table.clone(), ..answer });
        let evidence = ask(&mut probe(&guest.host()), &[7; 64]).unwrap();
        assert_eq!(evidence["cert_chain"], Value::Null);
    }
}

#[test]
fn a_certificate_table_that_is_none_is_refused() {
    for (table, part) in [(vec![1; 23], "certificate table"), (vec![1; 1000], "certificate table")] {
        let guest = changed(move |answer| Answer { auxblob: Some(table.clone()), ..answer });
        malformed(&refused(&guest), part);
    }
    let guest = changed(|answer| Answer { auxblob: Some(vec![0; (1 << 20) + 1]), ..answer });
    malformed(&refused(&guest), "more than 1048576 bytes");
}

#[test]
fn an_answer_that_is_no_report_is_refused() {
    type Edit = fn(&mut Vec<u8>);
    let table: [(&str, Edit); 6] = [
        ("a report has 1184 bytes, found 1183", |report| report.truncate(1183)),
        ("a report has 1184 bytes, found 1185", |report| report.push(0)),
        ("more than 131072 bytes", |report| report.resize((128 << 10) + 1, 0)),
        ("report version 9", |report| report[0] = 9),
        ("byte 0x04c of the report is reserved", |report| report[0x4c] = 1),
        ("no known product", |report| report[0x188] = 0xff),
    ];
    for (part, edit) in table {
        let guest = changed(move |mut answer| {
            answer.outblob.as_mut().map(edit).unwrap();
            answer
        });
        malformed(&refused(&guest), part);
    }
}

#[test]
fn an_answer_for_other_report_data_is_refused() {
    let guest = PlainGuest::tsm(PROVIDER, |_| firmware(&[9; 64], None, &[]));
    malformed(&refused(&guest), &"09".repeat(64));
    malformed(&bind(&mut probe(&guest.host()), &Digest::sha256(b"")).unwrap_err(), "other report data");
    guest.assert_no_entry_is_left();
}

#[test]
fn an_entry_that_others_write_to_is_left_for_a_new_one() {
    let times = AtomicU64::new(0);
    let guest = changed(move |answer| {
        let first = times.fetch_add(1, Ordering::Relaxed) == 0;
        Answer { writes_of_others: u64::from(first), ..answer }
    });
    let evidence = ask(&mut probe(&guest.host()), &[7; 64]).unwrap();
    assert_eq!(check(&evidence, &[7; 64], None), [""; 0]);
    assert_eq!(guest.answered(), 2);
    guest.assert_no_entry_is_left();

    let guest = changed(|answer| Answer { writes_of_others: 3, ..answer });
    let error = refused(&guest);
    assert!(matches!(error, AttesterError::Generation { expected: 1, found: 4, .. }), "{error}");
}

#[test]
fn a_device_that_never_answers_ends_at_the_deadline() {
    let guest = changed(|answer| Answer { outblob: None, ..answer });
    let mut found = probe(&guest.host());
    let request = EvidenceRequest { report_data: &[7; 64], aael: &[], deadline: soon() };
    let error = attester(&mut found).evidence(&request).unwrap_err();
    assert!(matches!(error, AttesterError::Deadline { .. }), "{error}");
    guest.assert_no_entry_is_left();
}

#[test]
fn init_data_are_bound_by_the_rule_of_the_verifier() {
    for algorithm in HashAlgorithm::ALL {
        let digest = algorithm.digest(INIT_DATA);
        let launched = digest.clone();
        let guest = PlainGuest::tsm(PROVIDER, move |inblob| firmware(inblob, Some(&launched), &[]));
        let mut found = probe(&guest.host());
        for _ in 0..2 {
            assert_eq!(bind(&mut found, &digest).unwrap(), InitDataBinding::Bound { field: "HOSTDATA" });
        }
        let evidence = ask(&mut found, &[7; 64]).unwrap();
        assert_eq!(check(&evidence, &[7; 64], Some(digest.clone())), [""; 0]);

        let other = algorithm.digest(b"other");
        let error = bind(&mut found, &other).unwrap_err();
        let AttesterError::InitDataMismatch { field: "HOSTDATA", expected, found } = error else {
            panic!("{error}")
        };
        assert_eq!((expected, found), (other.to_hex()[..64].to_owned(), digest.to_hex()[..64].to_owned()));
        assert!(!check(&evidence, &[7; 64], Some(other)).is_empty());
        guest.assert_no_entry_is_left();
    }
}

#[test]
fn the_privilege_level_is_asked_for_and_must_be_answered() {
    let guest = |vmpl: &'static str| {
        PlainGuest::tsm(PROVIDER, move |inblob| firmware(inblob, None, &[("vmpl", vmpl)]))
    };
    let at = |guest: &PlainGuest, level| {
        let mut host = guest.host();
        host.privilege_level = Some(level);
        ask(&mut probe(&host), &[7; 64])
    };
    let two = guest("2");
    assert_eq!(at(&two, 2).unwrap()["attestation_report"]["vmpl"], 2);
    malformed(&at(&two, 1).unwrap_err(), "VMPL 1 was asked for, found 2");
    malformed(&at(&two, 4).unwrap_err(), "this guest has 0 to 3");
    two.assert_no_entry_is_left();
}

#[test]
fn a_manifest_is_not_sent_and_a_report_that_binds_it_is_refused() {
    let svsm = |guest: &PlainGuest| ask(&mut probe(&with_service(guest)), &[7; 64]);
    let guest = changed(|answer| Answer { manifestblob: Some(b"manifest".to_vec()), ..answer });
    assert_eq!(check(&svsm(&guest).unwrap(), &[7; 64], None), [""; 0]);

    let guest = PlainGuest::tsm(PROVIDER, |inblob| {
        let bound = HashAlgorithm::Sha512.digest(&[inblob, b"manifest"].concat());
        Answer { manifestblob: Some(b"manifest".to_vec()), ..firmware(bound.as_bytes(), None, &[]) }
    });
    malformed(&svsm(&guest).unwrap_err(), "ask without a service provider");
    guest.assert_no_entry_is_left();
}

#[test]
fn the_search_says_what_it_found() {
    let words = |guest: &PlainGuest, looked_for: &str| {
        let found: Probe = probe(&guest.host());
        assert!(found.attester.is_none() && found.tee == Tee::Snp);
        step(&found, looked_for).1.to_owned()
    };
    let td = PlainGuest::tsm("tdx_guest", |_| Answer::default());
    assert!(words(&td, PROVIDER).contains("\"tdx_guest\""));
    assert_eq!(words(&td, DEVICE), "not there");
    assert!(words(&PlainGuest::bare(), PROVIDER).contains("configfs"));
}

#[test]
fn the_device_is_used_where_there_is_no_configfs_tsm() {
    let guest = PlainGuest::bare();
    guest.put(DEVICE, "");
    let mut found = probe(&guest.host());
    assert!(step(&found, DEVICE).0);
    // It is a plain file, which takes no such call.
    let error = ask(&mut found, &[7; 64]).unwrap_err();
    assert!(
        matches!(&error, AttesterError::Device { action: "asking", path, .. } if path.ends_with("sev-guest"))
    );
    guest.put(KERNEL_VMPL, "7\n");
    malformed(&ask(&mut probe(&guest.host()), &[7; 64]).unwrap_err(), "expected a privilege level");
    // It has no way to a service.
    let found = probe(&with_service(&guest));
    assert!(found.attester.is_none() && step(&found, DEVICE).1.contains("svsm"));
}

#[test]
fn there_are_no_registers() {
    let guest = guest();
    assert!(attester(&mut probe(&guest.host())).registers().is_none());
}
