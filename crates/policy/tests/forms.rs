//! The two forms of a compiled policy, virtual machine and interpreter, give the same results.

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

mod support;

use assay_policy::{Policy, PolicyAppraisal, PolicyError, PolicyKind};
use assay_types::Lookup;
use serde_json::{Value, json};
use support::{NOW, TRUSTEE_LIKE, Table, sample_input, sample_values, snp_input, snp_values};

/// The same policy with rules that the virtual machine does not compile, that read the whole input,
/// and that change nothing.
fn forms() -> [Policy; 2] {
    let through_an_object = TRUSTEE_LIKE.replace(
        "trust_claims := {\n",
        "parts[\"x\"] := 1 if { input.never }\n\nall := input\n\nunused := parts\n\ntrust_claims := {k: v | some k, v in claims; not unused.x}\n\nclaims := {\n",
    );
    assert!(through_an_object != TRUSTEE_LIKE);
    let forms = [TRUSTEE_LIKE, &through_an_object]
        .map(|text| Policy::bundled(PolicyKind::Attestation, text).unwrap());
    assert!(format!("{:?}", forms[0]).contains("machine: true"));
    assert!(format!("{:?}", forms[1]).contains("machine: false"));
    forms
}

fn both(input: &Value, values: &Table) -> PolicyAppraisal {
    let [machine, interpreter] = forms();
    let mut one = machine.appraise(input, values, NOW).unwrap();
    let mut two = interpreter.appraise(input, values, NOW).unwrap();
    // The interpreter's order of questions is its own.
    one.asked.sort_by(|a, b| a.id.cmp(&b.id));
    two.asked.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(one, two);
    assert_eq!(
        machine.explain(input, values, NOW).unwrap(),
        interpreter.explain(input, values, NOW).unwrap()
    );
    one
}

#[test]
fn both_forms_agree_on_good_and_bad_guests() {
    assert_eq!(both(&snp_input(), &snp_values()).trust_vector.hardware, 2);
    assert_eq!(both(&sample_input(false), &sample_values()).trust_vector.configuration, 2);
    assert_eq!(both(&sample_input(true), &sample_values()).trust_vector.configuration, 36);
    assert_eq!(both(&json!({}), &snp_values()).trust_vector.hardware, 97);
    for id in snp_values().0.into_keys() {
        let appraisal = both(&snp_input(), &snp_values().without(&id));
        assert!(appraisal.asked.iter().any(|a| a.answer == Lookup::Missing));
    }
    let claims = snp_input()["snp"].as_object().unwrap().clone();
    for claim in claims.keys().filter(|k| !k.starts_with("further")) {
        for wrong in [Value::Null, json!(true), json!(77), json!("x"), json!([])] {
            let mut input = snp_input();
            input["snp"][claim] = wrong;
            both(&input, &snp_values());
        }
    }
}

#[test]
fn rules_that_fill_an_object_run_in_the_interpreter() {
    let text = r#"
        package policy
        trust_claims["hardware"] := 2 if { input.a in query_reference_value("a") }
        trust_claims["executables"] := 3 if { input.b == query_reference_value(input.name) }
    "#;
    let policy = Policy::bundled(PolicyKind::Attestation, text).unwrap();
    let values = Table::of(json!({"a": [1], "b": 2}));
    let input = json!({"a": 1, "b": 2, "name": "b"});
    let appraisal = policy.appraise(&input, &values, NOW).unwrap();
    assert_eq!((appraisal.trust_vector.hardware, appraisal.trust_vector.executables), (2, 3));
    assert_eq!(appraisal.asked.len(), 2);
    // Two evaluations share nothing.
    assert_eq!(policy.appraise(&json!({}), &values, NOW).unwrap().trust_vector.hardware, 0);

    let conflict = "package policy\ntrust_claims[\"hardware\"] := 2 if { input.a }\ntrust_claims[\"hardware\"] := 97 if { input.b }";
    let policy = Policy::bundled(PolicyKind::Attestation, conflict).unwrap();
    assert!(policy.appraise(&json!({"a": 1, "b": 1}), &values, NOW).is_err());
}

#[test]
fn bodies_with_too_many_registers_run_in_the_interpreter() {
    let lists: String = (0..40)
        .map(|n| format!("\tx{n} := [y | some y in input.l{n}; count([z | some z in y; z > {n}]) > 0]\n"))
        .collect();
    let text = format!("package policy\ntrust_claims := {{\"hardware\": 2}} if {{\n{lists}}}\n");
    let policy = Policy::bundled(PolicyKind::Attestation, &text).unwrap();
    assert!(format!("{policy:?}").contains("machine: false"));
    let input: Value = (0..40).map(|n| (format!("l{n}"), json!([[n + 1]]))).collect();
    assert_eq!(policy.appraise(&input, &Table::default(), NOW).unwrap().trust_vector.hardware, 2);
}

#[test]
fn the_interpreter_is_stopped_by_the_time_limit() {
    let text = r#"
        package policy
        trust_claims["hardware"] := 2 if { count([1 | some x in input.list; some y in input.list; x == y]) > 5 }
    "#;
    let policy = Policy::bundled(PolicyKind::Attestation, text).unwrap();
    let input = json!({"list": (0..5000).collect::<Vec<_>>()});
    let error = policy.appraise(&input, &Table::default(), NOW).unwrap_err();
    assert!(matches!(error, PolicyError::Limit { .. }), "{error}");
}

#[test]
fn a_resource_policy_in_the_interpreter_sees_its_data() {
    let text = r#"
        package policy
        reasons["path"] := data["resource-path"] if { data.plugin == "resource" }
        allow if { reasons.path[0] == input.tenant }
    "#;
    let policy = Policy::bundled(PolicyKind::Resource, text).unwrap();
    let data = json!({"plugin": "resource", "resource-path": ["a", "b", "c"], "query": {}});
    assert_eq!(policy.allow(&data, &json!({"tenant": "a"})), Ok(true));
    assert_eq!(policy.allow(&data, &json!({"tenant": "b"})), Ok(false));
}
