//! Published evidence of real platforms, verified as a service would: with the collateral that Intel signed
//! for it, at a date at which that was valid, and at others.
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
mod support;

use std::path::PathBuf;

use assay_tee_intel::{IntelSettings, IntelVerifier};
use assay_types::{Binding, CollateralSet, Outcome, Tee, TeeClaimText, UnixTime, VerifyError};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use quote_support::{samples, vectors};
use serde_json::{Value, json};
use support::{failed, items, verifier, verify};

const DATES: [&str; 4] = ["INTEL-018", "INTEL-022", "INTEL-035", "INTEL-043"];
/// What is due again after a month: lists, TCB info, identity.
const MONTHLY: [&str; 3] = ["INTEL-022", "INTEL-035", "INTEL-043"];

/// What was recorded of a quote with collateral at a date.
struct Case {
    tee: Tee,
    quote: &'static str,
    collateral: &'static str,
    at: &'static str,
    /// Status and advisories, or the codes that fail.
    outcome: Result<(&'static str, &'static [&'static str]), &'static [&'static str]>,
    /// The day after the first piece of collateral expired, and the codes that say so.
    expired: (&'static str, &'static [&'static str]),
}

const OCCLUM: &[&str] = &[
    "INTEL-SA-00586",
    "INTEL-SA-00614",
    "INTEL-SA-00615",
    "INTEL-SA-00657",
    "INTEL-SA-00730",
    "INTEL-SA-00738",
    "INTEL-SA-00767",
];

const VECTORS: &[Case] = &[
    Case {
        tee: Tee::Tdx,
        quote: "tdx_quote_4.dat",
        collateral: "A_50806f_2023.json",
        at: "2023-07-01T00:00:00Z",
        outcome: Ok(("UpToDate", &[])),
        expired: ("2023-07-09T00:00:00Z", &["INTEL-022", "INTEL-043"]),
    },
    Case {
        tee: Tee::Tdx,
        quote: "cos-113-tdx-quote.dat",
        collateral: "C_00806f_2025.json",
        at: "2025-03-01T00:00:00Z",
        outcome: Ok(("UpToDate", &[])),
        expired: ("2025-03-16T00:00:00Z", &MONTHLY),
    },
    Case {
        tee: Tee::Tdx,
        quote: "cos-113-tdx-quote.dat",
        collateral: "T_tdx_tcb_info_00806F050000.json",
        at: "2025-06-25T00:00:00Z",
        outcome: Ok(("UpToDate", &[])),
        expired: ("2025-06-27T00:00:00Z", &["INTEL-035", "INTEL-043"]),
    },
    Case {
        tee: Tee::Sgx,
        quote: "occlum_quote.dat",
        collateral: "P_azure.json",
        at: "2023-05-15T15:41:43Z",
        outcome: Ok(("OutOfDate", OCCLUM)),
        expired: ("2023-06-15T00:00:00Z", &MONTHLY),
    },
    Case {
        tee: Tee::Tdx,
        quote: "tdx_quote_5.dat",
        collateral: "B_90c06f_2026.json",
        at: "2026-02-25T00:00:00Z",
        outcome: Err(&["INTEL-070"]),
        expired: ("2026-03-04T00:00:00Z", &["INTEL-035"]),
    },
];

const SAMPLES: &[Case] = &[
    Case {
        tee: Tee::Tdx,
        quote: "tdx_quote",
        collateral: "tdx_quote_collateral.json",
        at: "2025-06-25T00:00:00Z",
        outcome: Ok(("UpToDate", &[])),
        expired: ("2025-07-20T00:00:00Z", &MONTHLY),
    },
    Case {
        tee: Tee::Sgx,
        quote: "sgx_quote",
        collateral: "sgx_quote_collateral.json",
        at: "2025-06-25T00:00:00Z",
        outcome: Ok(("ConfigurationAndSWHardeningNeeded", &["INTEL-SA-00289", "INTEL-SA-00615"])),
        expired: ("2025-07-20T00:00:00Z", &MONTHLY),
    },
    Case {
        tee: Tee::Tdx,
        quote: "tdx_quote_outdated",
        collateral: "tdx_quote_outdated_collateral.json",
        at: "2026-02-25T00:00:00Z",
        outcome: Err(&["INTEL-070"]),
        expired: ("2026-03-21T00:00:00Z", &MONTHLY),
    },
    Case {
        tee: Tee::Tdx,
        quote: "tdx_quote_td15ex",
        collateral: "tdx_quote_td15ex_collateral.json",
        at: "2026-10-15T00:00:00Z",
        outcome: Ok(("UpToDate", &[])),
        expired: ("2026-11-08T00:00:00Z", &MONTHLY),
    },
];

fn at(text: &str) -> UnixTime {
    UnixTime::parse_rfc3339(text).unwrap()
}

fn intel(tee: Tee) -> IntelVerifier {
    verifier(tee, IntelSettings::production())
}

fn unbound() -> Binding {
    Binding { report_data: None, init_data: None }
}

/// The recorded cases whose files are at hand, with the folder they are in.
fn cases() -> impl Iterator<Item = (PathBuf, &'static Case)> {
    let with = |folder: Option<PathBuf>, cases: &'static [Case]| {
        folder.into_iter().flat_map(move |folder| cases.iter().map(move |case| (folder.clone(), case)))
    };
    with(vectors(), VECTORS).chain(with(samples(), SAMPLES))
}

fn advisories(claims: &Value) -> Vec<String> {
    let mut ids: Vec<String> = serde_json::from_value(claims["advisory_ids"].clone()).unwrap();
    ids.sort();
    ids
}

/// `more` besides what fails at every date, in order.
fn with_dates(case: &Case, more: &[&str]) -> Vec<String> {
    let mut codes: Vec<String> =
        case.outcome.err().unwrap_or_default().iter().chain(more).map(ToString::to_string).collect();
    codes.sort();
    codes
}

#[test]
fn real_evidence_has_the_recorded_verdict_while_its_collateral_is_valid() {
    for (folder, case) in cases() {
        let Case { tee, quote: name, collateral, .. } = case;
        let quote = std::fs::read(folder.join(name)).unwrap();
        let collateral = items(&[std::fs::read(folder.join(collateral)).unwrap()]);
        // One verifier for all dates, so that what it remembers is tried as well.
        let verifier = intel(*tee);
        let judge = |now: UnixTime| verify(&verifier, &quote, &collateral, &unbound(), now);

        let now = at(case.at);
        let result = judge(now);
        match case.outcome {
            Ok((status, expected)) => {
                let genuine = result.unwrap_or_else(|e| panic!("{name}: {e}"));
                let facts = genuine.facts();
                let claims = Value::Object(facts.claims.clone());
                assert_eq!(claims["tcb_status"], status, "{name}");
                assert_eq!(advisories(&claims), expected, "{name}");
                assert!(!facts.emulated, "{name}");
                assert!(facts.validity.contains(now), "{name}");
                // From one second to the next: good to the end, and not beyond it.
                judge(facts.validity.not_after).unwrap_or_else(|e| panic!("{name}: {e}"));
                judge(facts.validity.not_before).unwrap_or_else(|e| panic!("{name}: {e}"));
                for outside in [facts.validity.not_after.plus(1), facts.validity.not_before.plus(-1)] {
                    let codes = failed(&judge(outside));
                    assert!(!codes.is_empty(), "{name} at {outside}");
                    assert!(codes.iter().all(|code| DATES.contains(&code.as_str())), "{name}: {codes:?}");
                }
            }
            Err(codes) => assert_eq!(failed(&result), codes, "{name}: {result:?}"),
        }
        let (day, codes) = case.expired;
        assert_eq!(failed(&judge(at(day))), with_dates(case, codes), "{name} at {day}");
        for day in ["2018-01-01T00:00:00Z", "2050-01-01T00:00:00Z"] {
            let result = judge(at(day));
            assert_eq!(failed(&result), with_dates(case, &DATES), "{name} at {day}");
            let text = result.unwrap_err().to_string();
            let said = if day.starts_with("2018") { "is not valid before" } else { "expired at" };
            assert!(text.contains(said), "{name}: {text}");
        }
    }
}

#[test]
fn a_real_event_log_replays_to_the_registers_of_its_quote() {
    let Some(folder) = vectors() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (quote, log, nonce) = (read("cos-113-tdx-quote.dat"), read("ccel_data.dat"), read("nonce.dat"));
    let collateral = items(&[read("C_00806f_2025.json")]);
    let evidence = |log: &[u8]| {
        let text = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        json!({ "quote": text(&quote), "cc_eventlog": text(log) }).to_string().into_bytes()
    };
    let bound = Binding { report_data: Some(nonce.clone()), init_data: None };
    let (verifier, now) = (intel(Tee::Tdx), at("2025-03-01T00:00:00Z"));
    let genuine = verify(&verifier, &evidence(&log), &collateral, &bound, now).unwrap();
    let passed =
        |code: &str| genuine.findings().iter().any(|f| f.code == code && f.outcome == Outcome::Passed);
    assert!(passed("INTEL-007") && passed("TDX-003") && passed("TDX-004"));
    assert_eq!(genuine.facts().report_data, Some(nonce.to_claim()));
    let claims = Value::Object(genuine.facts().claims.clone());
    let events = claims["uefi_event_logs"].as_array().unwrap();
    assert!(events.len() > 20, "{} events", events.len());
    assert!(events.iter().all(|event| (1..=4).contains(&event["index"].as_u64().unwrap())));
    assert!(!claims["boot_components"].as_object().unwrap().is_empty(), "{}", claims["boot_components"]);

    let other = Binding { report_data: Some([&nonce[..63], &[1]].concat()), init_data: None };
    assert_eq!(failed(&verify(&verifier, &evidence(&log), &collateral, &other, now)), ["INTEL-007"]);
    // Any digest that is measured: the first of the log behind its header event.
    let mut altered = log.clone();
    let digest = altered.windows(2).skip(73).position(|w| w == [0x0c, 0x00]).unwrap() + 73 + 2;
    altered[digest] ^= 1;
    assert_eq!(failed(&verify(&verifier, &evidence(&altered), &collateral, &bound, now)), ["TDX-004"]);
    assert_eq!(failed(&verify(&verifier, &evidence(&log[..200]), &collateral, &bound, now)), ["TDX-003"]);
}

#[test]
fn documents_without_revocation_lists_fail_for_these_alone() {
    let Some(folder) = vectors() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    // The certificate of who signed the documents came in a header of the answer, which was not kept.
    let other: Value = serde_json::from_slice(&read("B_90c06f_2026.json")).unwrap();
    let chain = other["tcb_info_issuer_chain"].as_str().unwrap().as_bytes().to_vec();
    let collateral: CollateralSet = items(&[read("tcbInfo.json"), read("enclaveIdentity.json"), chain]);
    let quote = read("tdx_quote_6.dat");
    let verifier = intel(Tee::Tdx);
    let result = verify(&verifier, &quote, &collateral, &unbound(), at("2025-11-01T00:00:00Z"));
    assert_eq!(failed(&result), ["INTEL-020", "INTEL-021"]);
    let Err(VerifyError::Rejected(findings)) = result else { panic!("not rejected") };
    let level = findings.iter().find(|f| f.code == "INTEL-070").unwrap();
    assert_eq!(level.outcome, Outcome::Passed);
    assert!(level.found.ends_with(": OutOfDate"), "{level:?}");
    // What there is no outcome of hangs on the lists.
    let missing: Vec<&str> = assay_tee_intel::TDX_CHECKS
        .iter()
        .map(|check| check.code)
        .filter(|code| !findings.iter().any(|f| f.code == *code && f.outcome != Outcome::NotChecked))
        .collect();
    assert_eq!(
        missing,
        ["INTEL-007", "INTEL-008", "INTEL-022", "INTEL-023", "INTEL-024", "INTEL-044", "TDX-003", "TDX-004"]
    );
    let late = verify(&verifier, &quote, &collateral, &unbound(), at("2025-11-28T00:00:00Z"));
    assert_eq!(failed(&late), ["INTEL-020", "INTEL-021", "INTEL-035", "INTEL-043"]);
}

/// Every member of `expected` is in `found`, with the same value.
fn contains(found: &Value, expected: &Value, path: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                let found = found.get(name).unwrap_or_else(|| panic!("{path}/{name} is missing"));
                contains(found, expected, &format!("{path}/{name}"));
            }
        }
        _ => assert_eq!(found, expected, "{path}"),
    }
}

#[test]
fn a_verified_td_has_trustees_claims() {
    let Some(folder) = vectors() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let collateral = items(&[read("A_50806f_2023.json")]);
    let now = at("2023-07-01T00:00:00Z");
    let genuine = verify(&intel(Tee::Tdx), &read("tdx_quote_4.dat"), &collateral, &unbound(), now).unwrap();
    let facts = genuine.facts();
    let mut golden: Value = serde_json::from_slice(&read("parse_tdx_claims_expected.json")).unwrap();
    let members = golden.as_object_mut().unwrap();
    assert_eq!(members.remove("report_data").unwrap(), json!(facts.report_data));
    assert_eq!(members.remove("init_data").unwrap(), json!(facts.init_data));
    // The log of another machine, which this quote does not prove.
    members.remove("uefi_event_logs").unwrap();
    let claims = Value::Object(facts.claims.clone());
    contains(&claims, &golden, "");
    assert_eq!(claims["td_attributes"]["debug"], true);
    assert_eq!(claims["platform_provider_id"], "df4c32a9d8d86009aaf380ec43cfcefb");
    assert_eq!(claims["fmspc"], "50806f000000");
    assert_eq!(claims["sgx_type"], "Scalable");
    assert_eq!(claims["tcb_eval_num"], 15);
    assert_eq!((&claims["pck_crl_num"], &claims["root_ca_crl_num"]), (&json!(1), &json!(1)));
    assert_eq!(claims["collateral_expiration_status"], "0");
    assert_eq!(claims["is_smt_enabled"], true);
    assert_eq!(claims["earliest_issue_date"], "2018-05-21T10:45:10Z");
    assert_eq!(claims.get("tcb_outdated_since"), None);
    assert_eq!(claims.get("uefi_event_logs"), None);
}
