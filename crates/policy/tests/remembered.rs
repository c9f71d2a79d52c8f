//! A policy that remembers gives what one gives that was never asked before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod support;

use assay_policy::{Policy, PolicyKind};
use assay_types::{Lookup, UnixTime};
use serde_json::{Value, json};
use support::{NOW, TRUSTEE_LIKE, Table, snp_input, snp_values};

fn fresh() -> Policy {
    Policy::bundled(PolicyKind::Attestation, TRUSTEE_LIKE).unwrap()
}

/// Inputs that differ in what the policy reads, and in what it does not.
fn inputs() -> Vec<Value> {
    let mut inputs = vec![snp_input(), json!({}), json!(null)];
    for (pointer, value) in [
        ("/snp/measurement", json!("5a")),
        ("/snp/policy_debug_allowed", json!(true)),
        ("/snp/reported_tcb_snp", json!(99)),
        ("/snp/reported_tcb_snp", json!("99")),
        ("/report_data", json!("other")),
        ("/runtime_data_claims/nonce", json!("other")),
    ] {
        let mut input = snp_input();
        *input.pointer_mut(pointer).unwrap_or(&mut Value::Null) = value;
        inputs.push(input);
    }
    inputs
}

/// Reference values: all, each one missing, each one ended, one with another end.
fn tables() -> Vec<Table> {
    let mut tables = vec![snp_values(), Table::default()];
    for id in snp_values().0.into_keys() {
        tables.push(snp_values().without(&id));
        let mut ended = snp_values();
        ended.0.insert(id.clone(), Lookup::Expired { since: UnixTime(1) });
        tables.push(ended);
        let mut later = snp_values();
        if let Some(Lookup::Found { expires, .. }) = later.0.get_mut(&id) {
            *expires = NOW.plus(7);
        }
        tables.push(later);
    }
    tables
}

#[test]
fn what_is_remembered_changes_no_verdict() {
    let remembering = fresh();
    for round in 0..2 {
        for input in inputs() {
            for table in tables() {
                let expected = fresh().appraise(&input, &table, NOW);
                let found = remembering.appraise(&input, &table, NOW);
                match (expected, found) {
                    (Ok(expected), Ok(found)) => assert_eq!(expected, found, "round {round}: {input}"),
                    (Err(expected), Err(found)) => assert_eq!(expected.to_string(), found.to_string()),
                    (expected, found) => panic!("round {round}: {expected:?}, remembered {found:?}"),
                }
            }
        }
    }
}

#[test]
fn more_inputs_than_are_remembered_each_get_their_own_verdict() {
    let text =
        "package policy\nimport rego.v1\ntrust_claims := {\"executables\": input.n, \"hardware\": 2}\n";
    let policy = Policy::bundled(PolicyKind::Attestation, text).unwrap();
    for round in 0..3 {
        for n in 0..200 {
            let value = if n % 2 == 0 { 2 } else { 33 };
            let input = json!({ "n": value, "unread": n, "round": round });
            let appraisal = policy.appraise(&input, &Table::default(), NOW).unwrap();
            assert_eq!(i32::from(appraisal.trust_vector.executables), value, "{n}");
        }
    }
    // So that more than those two are there.
    let text = "package policy\nimport rego.v1\ntrust_claims := {\"executables\": 2, \"hardware\": h}\n\
                h := 2 if input.n % 2 == 0\nelse := 97\n";
    let policy = Policy::bundled(PolicyKind::Attestation, text).unwrap();
    for n in (0..300).chain(0..300) {
        let appraisal = policy.appraise(&json!({ "n": n }), &Table::default(), NOW).unwrap();
        assert_eq!(appraisal.trust_vector.hardware == 2, n % 2 == 0, "{n}");
    }
}
