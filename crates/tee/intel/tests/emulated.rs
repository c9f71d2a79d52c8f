//! The claims of verified evidence of the emulator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod support;

use assay_emulator::intel::{COLLATERAL_VALIDITY, Event, TcbLevelName, event_type, index};
use assay_tee_intel::TDX_CHECKS;
use assay_tee_intel::collateral::TcbInfo;
use assay_tee_intel::tcb::{TcbEvaluation, TcbInputs, TdTcb};
use assay_types::{Digest, Outcome};
use serde_json::{Value, json};
use support::{claims, collateral, enclave, failed, judge_with, now, silicon, td};

#[test]
fn every_status_but_revoked_is_a_claim() {
    let s = silicon();
    for level in TcbLevelName::ALL.into_iter().filter(|level| *level != TcbLevelName::Revoked) {
        for guest in [td(&s), td(&s).tdx_1_5(), enclave(&s)] {
            let claims = claims(judge_with(guest.tcb_level(level), |_| {}));
            assert_eq!(claims["tcb_status"], level.status());
            assert_eq!(claims["advisory_ids"], json!(level.advisories()));
            assert_eq!(claims["tcb_date"], level.date());
            assert_eq!(claims["tcb_levels"]["platform"]["status"], level.status());
            assert_eq!(claims["tcb_levels"]["qe"]["status"], "UpToDate");
            let outdated = level.status().starts_with("OutOfDate");
            // The next better level is of the day from which this one is out of date.
            let since = match level {
                TcbLevelName::OutOfDate => json!("2024-11-13T00:00:00Z"),
                TcbLevelName::OutOfDateConfigurationNeeded => json!("2024-03-13T00:00:00Z"),
                _ => Value::Null,
            };
            assert_eq!(claims.get("tcb_outdated_since").unwrap_or(&Value::Null), &since);
            let seconds = claims.get("tcb_outdated_seconds").and_then(Value::as_i64);
            assert_eq!(seconds.is_some(), outdated);
            if level == TcbLevelName::OutOfDate {
                assert_eq!(seconds, Some(now().0 - 1_731_456_000));
            }
        }
    }
}

#[test]
fn a_td_that_was_launched_on_an_old_tcb_is_advised_to_relaunch() {
    let s = silicon();
    let launched = |level: TcbLevelName, now: TcbLevelName| {
        let guest = td(&s).tdx_1_5().td_report(|r| {
            r.tee_tcb_svn[2] = level.tdx_microcode();
            r.extension.as_mut().unwrap().tee_tcb_svn2[2] = now.tdx_microcode();
        });
        claims(judge_with(guest, |_| {}))
    };
    use TcbLevelName::{ConfigurationNeeded, OutOfDate, OutOfDateConfigurationNeeded, UpToDate};
    for (launch, current, status) in [
        (OutOfDate, UpToDate, "TDRelaunchAdvised"),
        (OutOfDate, ConfigurationNeeded, "TDRelaunchAdvisedConfigurationNeeded"),
        (OutOfDateConfigurationNeeded, UpToDate, "TDRelaunchAdvisedConfigurationNeeded"),
        (OutOfDate, OutOfDate, "OutOfDate"),
        (UpToDate, OutOfDate, "UpToDate"),
    ] {
        let claims = launched(launch, current);
        assert_eq!(claims["tcb_status"], status, "{launch:?} {current:?}");
        assert_eq!(claims["tcb_status_current"], current.status());
        assert_eq!(claims["tcb_date_current"], current.date());
        assert_eq!(claims["advisory_ids"], json!(launch.advisories()));
        assert_eq!(claims["advisory_ids_current"], json!(current.advisories()));
    }
    // A module, now, of which nobody knows anything.
    let guest = td(&s).tdx_1_5().td_report(|r| r.extension.as_mut().unwrap().tee_tcb_svn2[1] = 9);
    assert_eq!(failed(&judge_with(guest, |_| {})), ["TDX-001"]);
    let guest = td(&s).tdx_1_5().td_report(|r| r.extension.as_mut().unwrap().tee_tcb_svn2[0] = 1);
    assert_eq!(failed(&judge_with(guest, |_| {})), ["TDX-002"]);
}

#[test]
fn debug_is_a_claim() {
    let s = silicon();
    for debug in [false, true] {
        let td = claims(judge_with(td(&s).td_report(|r| r.td_attributes ^= u64::from(debug)), |_| {}));
        assert_eq!(td["td_attributes"]["debug"], debug);
        assert_eq!(td["td_attributes"]["septve_disable"], true);
        let enclave =
            claims(judge_with(enclave(&s).enclave_report(|r| r.flags ^= 2 * u64::from(debug)), |_| {}));
        assert_eq!(enclave["sgx_attributes"]["debug"], debug);
    }
}

#[test]
fn collateral_is_told_in_trustees_names() {
    let s = silicon();
    let names = [
        "tcb_status",
        "advisory_ids",
        "tcb_date",
        "tcb_eval_num",
        "collateral_expiration_status",
        "earliest_issue_date",
        "latest_issue_date",
        "earliest_expiration_date",
        "pck_crl_num",
        "root_ca_crl_num",
        "root_key_id",
        "platform_provider_id",
        "platform_instance_id",
        "sgx_type",
        "is_dynamic_platform",
        "is_cached_keys",
        "is_smt_enabled",
    ];
    for guest in [td(&s), enclave(&s)] {
        let claims = claims(judge_with(guest, |c| c.platform_crl.number = 7));
        for name in names {
            assert!(claims.get(name).is_some(), "{name}");
        }
        assert_eq!((&claims["pck_crl_num"], &claims["root_ca_crl_num"]), (&json!(7), &json!(1)));
        assert_eq!(claims["earliest_issue_date"], "2024-01-01T00:00:00Z");
        assert_eq!(claims["latest_issue_date"], COLLATERAL_VALIDITY.not_before.to_string());
        assert_eq!(claims["earliest_expiration_date"], COLLATERAL_VALIDITY.not_after.to_string());
        assert_eq!(claims["sgx_type"], "Scalable");
        // The bytes of the certificate from the last to the first.
        let mut id = s.platform().platform_instance_id.unwrap();
        id.reverse();
        assert_eq!(claims["platform_instance_id"], hex::encode(id));
        assert_eq!(claims["root_key_id"].as_str().unwrap().len(), 96);
    }
}

#[test]
fn only_what_the_registers_prove_is_among_the_events() {
    let s = silicon();
    let guest = td(&s).event_log(|log| {
        log.events.push(Event::aael(index::RTMR3, "vendor", "op", "proven"));
        log.events.push(Event::of_data(index::MRTD, event_type::EFI_ACTION, b"of no register".to_vec()));
        log.events.push(Event::of_data(9, event_type::EFI_ACTION, b"of a register that is none".to_vec()));
        log.events.push(
            Event::of_data(index::RTMR2, event_type::EFI_ACTION, b"another algorithm".to_vec()).with_sha256(),
        );
        log.algorithms.push((0x000b, 32));
        let mut silent = Event::of_data(index::RTMR1, event_type::NO_ACTION, b"never measured".to_vec());
        silent.digests = vec![(0x000c, vec![0; 48])];
        log.events.push(silent);
    });
    let result = judge_with(guest, |_| {});
    let claims = claims(result);
    let text = |name: &str| {
        let events = claims[name].as_array().unwrap();
        events
            .iter()
            .map(|event| {
                let data = event["event"].as_str().unwrap();
                let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, data).unwrap();
                String::from_utf8_lossy(&bytes).into_owned()
            })
            .collect::<Vec<_>>()
    };
    let (proven, unbound) = (text("uefi_event_logs"), text("unbound_event_logs"));
    assert!(proven.iter().any(|event| event.contains("vendor op proven")));
    for stray in ["of no register", "of a register that is none", "another algorithm", "never measured"] {
        assert!(!proven.iter().any(|event| event.contains(stray)), "{stray}");
        assert!(unbound.iter().any(|event| event.contains(stray)), "{stray}: {unbound:?}");
    }
    let events = claims["unbound_event_logs"].as_array().unwrap();
    assert!(events.iter().all(|event| !event["reason"].as_str().unwrap().is_empty()));
    let components = &claims["boot_components"];
    for (role, measured) in [("kernel", "assay emulator kernel"), ("initrd", "assay emulator initrd")] {
        let digest = Digest::sha384(measured.as_bytes()).to_hex();
        assert_eq!(components[role][0]["digest"], digest, "{role}: {components}");
    }
    assert!(components["kernel_command_line"][0]["digest"].as_str().is_some_and(|digest| digest.len() == 96));
}

#[test]
fn a_module_of_version_0_needs_a_description_in_the_tcb_info() {
    let s = silicon();
    let guest = td(&s);
    let text = collateral(&guest).tdx_tcb_info.signed_text();
    let mut info = TcbInfo::read(&text).unwrap();
    let inputs = TcbInputs {
        td: Some(TdTcb {
            tee_tcb_svn: [6, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            tee_tcb_svn2: None,
            mrsigner_seam: [0; 48],
            seam_attributes: [0; 8],
        }),
        ..TcbInputs::default()
    };
    let outcome = |info: &TcbInfo| {
        let mut checks = assay_types::Checks::new(TDX_CHECKS);
        TcbEvaluation::new(TcbInputs { tcb_info: Some(info), ..inputs }).record(&mut checks);
        checks.findings().iter().find(|f| f.code == "TDX-001").unwrap().outcome
    };
    assert_eq!(outcome(&info), Outcome::Passed);
    info.tdx_module = None;
    assert_eq!(outcome(&info), Outcome::Failed);
}
