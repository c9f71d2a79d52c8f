//! The attester in an emulated TD: what it gives verifies, and what it must not give it refuses.
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
use std::sync::atomic::{AtomicU64, Ordering};

use assay_attester::tsm::ROOT;
use assay_attester::{AttesterError, EvidenceRequest, InitDataBinding, Probe};
use assay_emulator::intel::{IntelGuest, index};
use assay_eventlog::{Aael, EventLog, EventLogBuilder, LogEnd, TcgAlgorithm};
use assay_tee_intel::attest::tdx::{CCEL, DEVICE, PROVIDER, probe};
use assay_types::{Binding, Digest, HashAlgorithm, Tee};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use plain_guest::{Answer, PlainGuest, ask, attester, bind, far, soon, step};
use serde_json::Value;
use support::{INIT_DATA, collateral, failed, now, set, settings, silicon, verifier, verify};

const MEASUREMENTS: &str = "/sys/devices/virtual/misc/tdx_guest/measurements";

/// What the agent measured in an emulated TD.
const ENTRY: (&str, &str, &str) = ("example.org", "Start", "{\"workload\":1}");

/// The TD with these report data; its agent has measured [`ENTRY`].
fn td(report_data: &[u8], init_data: &Digest) -> IntelGuest<'static> {
    let report_data: [u8; 64] = report_data.try_into().expect("report data are padded");
    let mut field = [0; 48];
    let len = init_data.as_bytes().len().min(48);
    field[..len].copy_from_slice(&init_data.as_bytes()[..len]);
    silicon()
        .td()
        .boot(|boot| boot.agent_events = vec![(ENTRY.0.into(), ENTRY.1.into(), ENTRY.2.into())])
        .td_report(|report| {
            report.report_data = report_data;
            report.mr_config_id = field;
        })
}

fn guest() -> PlainGuest {
    changed(|answer| answer)
}

fn changed(change: impl Fn(Answer) -> Answer + Send + 'static) -> PlainGuest {
    PlainGuest::tsm(PROVIDER, move |inblob| {
        change(Answer::report(td(inblob, &Digest::sha384(INIT_DATA)).build().unwrap().quote))
    })
}

/// The firmware's log, in a table filled with 0xff.
fn ccel() -> Vec<u8> {
    let guest = td(&[0; 64], &Digest::sha384(INIT_DATA));
    let mut log = guest.current_log().unwrap().clone();
    let before = log.events.len();
    log.events.retain(|event| event.index != index::RTMR3);
    assert_eq!(log.events.len() + 1, before, "the agent's is the only one of RTMR3");
    log.end = vec![0xff; 4096];
    log.to_bytes()
}

/// [`ENTRY`] as the agent logs it.
fn aael() -> Vec<u8> {
    let mut log = EventLogBuilder::new(&[TcgAlgorithm::Sha384]).unwrap();
    let header = log.build(LogEnd::Events).len();
    log.aael(4, &Aael::new(ENTRY.0, ENTRY.1, ENTRY.2).unwrap()).unwrap();
    log.build(LogEnd::Events).split_off(header)
}

fn ask_with(probe: &mut Probe, report_data: &[u8], aael: &[u8]) -> Result<Value, AttesterError> {
    attester(probe).evidence(&EvidenceRequest { report_data, aael, deadline: far() })
}

fn check(evidence: &Value, report_data: &[u8], init_data: Option<Digest>) -> Vec<String> {
    let guest = td(&[0; 64], &Digest::sha384(INIT_DATA));
    let published = set(&collateral(&guest).to_json(Tee::Tdx).unwrap());
    let binding = Binding { report_data: Some(report_data.to_vec()), init_data };
    let text = evidence.to_string();
    failed(&verify(&verifier(Tee::Tdx, settings()), text.as_bytes(), &published, &binding, now()))
}

fn log_of(evidence: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(evidence["cc_eventlog"].as_str().unwrap()).unwrap()
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
fn evidence_verifies_with_the_report_data_and_no_others() {
    let guest = guest();
    let mut found = probe(&guest.host());
    assert_eq!(attester(&mut found).tee(), Tee::Tdx);
    for len in [0, 48, 64] {
        let report_data = vec![7; len];
        let evidence = ask(&mut found, &report_data).unwrap();
        guest.assert_no_entry_is_left();
        assert_eq!(evidence["cc_eventlog"], Value::Null);
        assert_eq!(check(&evidence, &report_data, Some(Digest::sha384(INIT_DATA))), [""; 0]);
        assert!(!check(&evidence, &[8; 48], None).is_empty());
    }
}

#[test]
fn the_zeros_behind_a_quote_are_not_sent() {
    let plain = ask(&mut probe(&guest().host()), &[7; 64]).unwrap();
    let padded = changed(|mut answer| {
        answer.outblob.as_mut().unwrap().extend([0; 4096]);
        answer
    });
    assert_eq!(ask(&mut probe(&padded.host()), &[7; 64]).unwrap(), plain);
}

#[test]
fn too_many_report_data_are_refused_before_anything_is_asked() {
    let guest = guest();
    let mut found = probe(&guest.host());
    for len in [65, 1_000_000] {
        let error = ask(&mut found, &vec![0; len]).unwrap_err();
        assert!(matches!(
            error,
            AttesterError::ReportDataTooLong { tee: Tee::Tdx, found, max: 64 } if found == len
        ));
    }
    assert_eq!(guest.answered(), 0);
}

#[test]
fn the_log_is_the_firmwares_with_the_agents_entries_and_replays_to_the_registers() {
    let guest = guest();
    guest.put(CCEL, ccel());
    let mut found = probe(&guest.host());
    let evidence = ask_with(&mut found, &[7; 64], &aael()).unwrap();
    assert_eq!(check(&evidence, &[7; 64], None), [""; 0]);
    let firmware = EventLog::parse(ccel()).unwrap().without_end();
    assert_eq!(log_of(&evidence), [&firmware, aael().as_slice(), &[0xff; 8]].concat());
    // Without the entry the log does not give RTMR3.
    let without = ask_with(&mut found, &[7; 64], &[]).unwrap();
    assert_eq!(log_of(&without), [firmware.as_ref(), &[0xff; 8]].concat());
    assert!(!check(&without, &[7; 64], None).is_empty());
}

#[test]
fn without_a_log_of_the_firmware_the_agents_has_a_header_of_its_own() {
    // A TD whose firmware measured nothing.
    let guest = PlainGuest::tsm(PROVIDER, |inblob| {
        let td = td(inblob, &Digest::sha384(INIT_DATA))
            .event_log(|log| log.events.retain(|event| event.index == index::RTMR3));
        Answer::report(td.build().unwrap().quote)
    });
    let evidence = ask_with(&mut probe(&guest.host()), &[7; 64], &aael()).unwrap();
    assert_eq!(check(&evidence, &[7; 64], None), [""; 0]);
    let log = EventLog::parse(log_of(&evidence)).unwrap();
    assert_eq!(log.events().len(), 1);
    assert_eq!(log.spec_id().algorithms, [(TcgAlgorithm::Sha384, 48)]);
}

#[test]
fn a_log_that_cannot_be_read_goes_as_it_is_and_nothing_can_be_added_to_it() {
    let guest = guest();
    let broken = [ccel().as_slice(), &[1]].concat();
    guest.put(CCEL, &broken);
    let mut found = probe(&guest.host());
    assert_eq!(log_of(&ask(&mut found, &[7; 64]).unwrap()), broken);
    let before = guest.answered();
    malformed(&ask_with(&mut found, &[7; 64], &aael()).unwrap_err(), "cannot be added");
    // Entries that are none.
    guest.put(CCEL, ccel());
    malformed(&ask_with(&mut found, &[7; 64], &[1; 40]).unwrap_err(), "the agent's entries cannot be read");
    assert_eq!(guest.answered(), before, "no quote was asked for");
}

#[test]
fn an_answer_that_is_no_quote_of_a_td_is_refused() {
    let enclave = |report_data: [u8; 64]| {
        silicon().enclave().enclave_report(|report| report.report_data = report_data).build().unwrap().quote
    };
    for (outblob, part) in [
        (b"no quote".to_vec(), "header"),
        (enclave([7; 64]), "expected a quote of tdx, found one of sgx"),
        (td(&[9; 64], &Digest::sha384(b"")).build().unwrap().quote, "the answer is for other report data"),
        (vec![0; (128 << 10) + 1], "more than 131072 bytes"),
    ] {
        let guest = changed(move |_| Answer::report(outblob.clone()));
        malformed(&refused(&guest), part);
    }
}

#[test]
fn an_entry_that_others_write_to_is_left_for_a_new_one() {
    let times = AtomicU64::new(0);
    let guest = changed(move |answer| {
        let first = times.fetch_add(1, Ordering::Relaxed) == 0;
        Answer { writes_of_others: u64::from(first), ..answer }
    });
    assert_eq!(check(&ask(&mut probe(&guest.host()), &[7; 64]).unwrap(), &[7; 64], None), [""; 0]);
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
fn init_data_are_bound_by_the_rule_of_the_verifier_wherever_the_field_is_read() {
    for algorithm in HashAlgorithm::ALL {
        let (digest, other) = (algorithm.digest(INIT_DATA), algorithm.digest(b"other"));
        let launched = digest.clone();
        let guest = PlainGuest::tsm(PROVIDER, move |inblob| {
            Answer::report(td(inblob, &launched).build().unwrap().quote)
        });
        let mut found = probe(&guest.host());
        let both = |found: &mut Probe| {
            let bound = bind(found, &digest).unwrap();
            assert_eq!(bound, InitDataBinding::Bound { field: "MRCONFIGID" });
            let error = bind(found, &other).unwrap_err();
            assert!(matches!(error, AttesterError::InitDataMismatch { field: "MRCONFIGID", .. }), "{error}");
        };
        both(&mut found);
        assert_eq!(guest.answered(), 2, "from a quote");
        guest.assert_no_entry_is_left();
        let evidence = ask(&mut found, &[7; 64]).unwrap();
        assert_eq!(check(&evidence, &[7; 64], Some(digest.clone())), [""; 0]);
        assert!(!check(&evidence, &[7; 64], Some(other.clone())).is_empty());

        let mut field: Vec<u8> = digest.as_bytes().iter().copied().take(48).collect();
        field.resize(48, 0);
        guest.put(&format!("{MEASUREMENTS}/mrconfigid"), field);
        both(&mut found);
        assert_eq!(guest.answered(), 3, "from the kernel's file");
    }
}

#[test]
fn a_field_of_another_length_is_refused_and_the_device_is_asked_before_a_quote() {
    let guest = guest();
    let mut found = probe(&guest.host());
    for len in [47, 49] {
        guest.put(&format!("{MEASUREMENTS}/mrconfigid"), vec![0; len]);
        let error = bind(&mut found, &Digest::sha384(b"")).unwrap_err();
        assert!(matches!(error, AttesterError::Malformed { .. }), "{error}");
    }
    fs::remove_file(guest.host().path(MEASUREMENTS).join("mrconfigid")).unwrap();
    guest.put(DEVICE, "");
    let error = bind(&mut found, &Digest::sha384(b"")).unwrap_err();
    assert!(
        matches!(&error, AttesterError::Device { action: "asking", path, .. } if path.ends_with("tdx_guest"))
    );
    assert_eq!(guest.answered(), 0);
}

#[test]
fn registers_are_the_kernels_files() {
    let guest = guest();
    assert!(attester(&mut probe(&guest.host())).registers().is_none());
    for number in 0..4_u8 {
        guest.put(&format!("{MEASUREMENTS}/rtmr{number}:sha384"), [number; 48]);
    }
    let mut found = probe(&guest.host());
    assert!(step(&found, MEASUREMENTS).0);
    let registers = attester(&mut found).registers().unwrap();
    assert_eq!(registers.algorithm(), HashAlgorithm::Sha384);
    for pcr in 0..=24 {
        let index = registers.log_index(pcr);
        match pcr {
            1..=7 => assert!(matches!(index, Err(AttesterError::NoSuchRegister { .. }))),
            8..=15 => assert_eq!(index.unwrap(), 3),
            _ => assert_eq!(index.unwrap(), 4),
        }
    }
    assert_eq!(registers.log_index(u64::MAX).unwrap(), 4);
    for (index, name) in [(1, "RTMR0"), (2, "RTMR1"), (3, "RTMR2"), (4, "RTMR3")] {
        assert_eq!(registers.name(index).unwrap(), name);
        assert_eq!(registers.read(index).unwrap().as_bytes(), [u8::try_from(index - 1).unwrap(); 48]);
    }
    for index in [0, 5, u32::MAX] {
        assert!(registers.name(index).is_err() && registers.read(index).is_err());
    }
    let digest = Digest::sha384(b"event");
    for index in [0, 1, 2, 5] {
        assert!(matches!(registers.extend(index, &digest), Err(AttesterError::NoSuchRegister { .. })));
    }
    let short = registers.extend(4, &Digest::sha256(b"event"));
    assert!(matches!(short, Err(AttesterError::WrongDigest { expected: HashAlgorithm::Sha384, .. })));
    // What a plain file holds then is what was written, 48 bytes.
    registers.extend(3, &digest).unwrap();
    assert_eq!(registers.read(3).unwrap(), digest);
    assert_eq!(registers.read(4).unwrap().as_bytes(), [3; 48]);
    guest.put(&format!("{MEASUREMENTS}/rtmr3:sha384"), [0; 47]);
    assert!(matches!(registers.read(4), Err(AttesterError::Malformed { .. })));
    fs::remove_file(guest.host().path(MEASUREMENTS).join("rtmr3:sha384")).unwrap();
    let gone = registers.extend(4, &digest);
    assert!(matches!(gone, Err(AttesterError::Device { action: "writing", .. })));
}

#[test]
fn the_search_says_what_it_found() {
    let snp = PlainGuest::tsm("sev_guest", |_| Answer::default());
    let found = probe(&snp.host());
    assert!(found.attester.is_none() && found.tee == Tee::Tdx);
    assert!(step(&found, ROOT).1.contains("\"sev_guest\""));
    assert_eq!(step(&found, DEVICE), (false, "not there"));
    let bare = PlainGuest::bare();
    bare.put(DEVICE, "");
    let found = probe(&bare.host());
    assert!(found.attester.is_none());
    let (is_tee, words) = step(&found, DEVICE);
    assert!(!is_tee && words.contains("makes no quote"), "{words}");
}
