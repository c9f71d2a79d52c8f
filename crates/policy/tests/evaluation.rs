//! What admitted policies give, and what becomes of wrong results.

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

use assay_policy::{Policy, PolicyError, PolicyKind};
use assay_types::{Coded, Lookup, TrustTier, TrustVector, UnixTime};
use serde_json::{Value, json};
use support::{NOW, TRUSTEE_LIKE, Table, sample_input, sample_values, snp_input, snp_values};

fn attestation(rules: &str) -> Policy {
    Policy::bundled(PolicyKind::Attestation, &format!("package policy\nimport rego.v1\n{rules}\n")).unwrap()
}

fn resource(rules: &str) -> Policy {
    Policy::bundled(PolicyKind::Resource, &format!("package policy\nimport rego.v1\n{rules}\n")).unwrap()
}

fn appraise(rules: &str, input: &Value) -> Result<TrustVector, PolicyError> {
    attestation(rules).appraise(input, &Table::default(), NOW).map(|a| a.trust_vector)
}

#[test]
fn a_matching_snp_guest_is_affirmed_and_all_questions_are_recorded() {
    let policy = Policy::bundled(PolicyKind::Attestation, TRUSTEE_LIKE).unwrap();
    let appraisal = policy.appraise(&snp_input(), &snp_values(), NOW).unwrap();
    assert_eq!(
        appraisal.trust_vector,
        TrustVector { executables: 3, hardware: 2, configuration: 2, ..TrustVector::default() }
    );
    let mut asked: Vec<&str> = appraisal.asked.iter().map(|a| a.id.as_str()).collect();
    asked.sort_unstable();
    let values = snp_values();
    let mut all: Vec<&str> = values.0.keys().map(String::as_str).collect();
    all.sort_unstable();
    assert_eq!(asked, all);
    assert!(appraisal.asked.iter().all(|a| matches!(a.answer, Lookup::Found { .. })));
    assert!(appraisal.extensions.is_empty());
    assert_eq!(policy.explain(&snp_input(), &snp_values(), NOW).unwrap(), []);
}

#[test]
fn every_single_missing_reference_value_makes_the_verdict_worse_and_is_named() {
    let policy = Policy::bundled(PolicyKind::Attestation, TRUSTEE_LIKE).unwrap();
    let cases = snp_values().0.into_keys().map(|id| (snp_input(), snp_values(), id));
    let samples = sample_values().0.into_keys().map(|id| (sample_input(false), sample_values(), id));
    for (input, values, id) in cases.chain(samples) {
        let best = policy.appraise(&input, &values, NOW).unwrap().trust_vector;
        assert_eq!(best.status(), TrustTier::Affirming);
        let worse = policy.appraise(&input, &values.without(&id), NOW).unwrap();
        assert!(worse.trust_vector != best, "{id}");
        assert!(worse.asked.iter().any(|a| a.id == id && a.answer == Lookup::Missing), "{id}");
    }
}

#[test]
fn an_expired_reference_value_is_null_to_the_policy_and_expired_in_the_record() {
    let policy = Policy::bundled(PolicyKind::Attestation, TRUSTEE_LIKE).unwrap();
    let mut values = snp_values();
    let expired = Lookup::Expired { since: UnixTime(5) };
    values.0.insert("snp_launch_measurement".into(), expired.clone());
    let appraisal = policy.appraise(&snp_input(), &values, NOW).unwrap();
    assert_eq!(appraisal.trust_vector.executables, 33);
    assert!(appraisal.asked.iter().any(|a| a.answer == expired));
    let findings = policy.explain(&snp_input(), &values, NOW).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, "EXAMPLE-001");
    assert_eq!(findings[0].expected, Value::Null);
    assert_eq!(findings[0].value, Some(33));
}

#[test]
fn a_value_asked_for_twice_is_recorded_once() {
    let policy = attestation(
        r#"trust_claims := {"executables": 2} if { query_reference_value("a") == query_reference_value("a") }
           extensions := [{"name": "n", "key": 1, "value": query_reference_value("a")}]"#,
    );
    let appraisal = policy.appraise(&json!({}), &Table::of(json!({"a": [1]})), NOW).unwrap();
    assert_eq!(appraisal.asked.len(), 1);
    assert_eq!(appraisal.extensions[0].value, json!([1]));
}

#[test]
fn identifiers_of_containers_become_an_extension() {
    let policy = Policy::bundled(PolicyKind::Attestation, TRUSTEE_LIKE).unwrap();
    let container = |image: &str, uid: u32| json!({"OCI": {"Annotations": {"io.kubernetes.cri.image-name": image}, "Process": {"User": {"UID": uid}}}});
    let mut input = sample_input(false);
    input["init_data_claims"] =
        json!({"agent_policy_claims": {"containers": [container("a", 0), container("b", 1000)]}});
    let appraisal = policy.appraise(&input, &sample_values(), NOW).unwrap();
    assert_eq!(appraisal.extensions.len(), 1);
    assert_eq!(appraisal.extensions[0].name, "ear.trustee.identifiers");
    assert_eq!(appraisal.extensions[0].key, -18);
    assert_eq!(
        appraisal.extensions[0].value,
        json!({"validated": {"container_images": ["a", "b"], "container_uids": [0, 1000]}})
    );
}

#[test]
fn every_claim_name_is_understood_with_hyphens_and_with_underscores() {
    for claim in assay_types::TrustClaim::ALL {
        for name in [claim.as_str().to_owned(), claim.as_str().replace('-', "_")] {
            let vector = appraise(&format!("trust_claims := {{\"{name}\": -128}}"), &json!({})).unwrap();
            assert_eq!(vector.get(claim), -128);
        }
    }
}

#[test]
fn an_unknown_trust_claim_is_an_error() {
    for name in ["filesystem", "Executables", "", "submods"] {
        let error = appraise(&format!("trust_claims := {{\"{name}\": 2}}"), &json!({})).unwrap_err();
        assert_eq!(error, PolicyError::UnknownTrustClaim { name: name.into() });
        assert_eq!(error.code(), "POL-010");
    }
}

#[test]
fn a_value_that_is_no_whole_number_of_one_byte_is_an_error_and_never_wraps() {
    for value in
        ["128", "258", "-129", "1.5", "\"2\"", "true", "null", "[2]", "18446744073709551618", "1e300"]
    {
        let error =
            appraise(&format!("trust_claims := {{\"executables\": {value}}}"), &json!({})).unwrap_err();
        assert!(
            matches!(&error, PolicyError::ValueOutOfRange { claim, .. } if claim == "executables"),
            "{error}"
        );
        assert_eq!(error.code(), "POL-011");
    }
    for (value, number) in [("127", 127), ("-128", -128), ("0", 0)] {
        let vector = appraise(&format!("trust_claims := {{\"executables\": {value}}}"), &json!({})).unwrap();
        assert_eq!(vector.executables, number);
    }
}

#[test]
fn claims_that_are_no_object_or_undefined_are_an_error() {
    for rule in [
        "trust_claims := 2",
        "trust_claims := [2]",
        "trust_claims := null",
        "trust_claims := {2} if { input.no }",
    ] {
        assert!(matches!(appraise(rule, &json!({})), Err(PolicyError::WrongShape { .. })), "{rule}");
    }
}

#[test]
fn the_same_claim_under_both_spellings_is_an_error() {
    let rule = r#"trust_claims := {"file-system": 2, "file_system": 97}"#;
    assert!(matches!(appraise(rule, &json!({})), Err(PolicyError::WrongShape { .. })));
}

#[test]
fn a_rule_in_conflict_with_itself_gives_no_verdict() {
    let rules =
        "hardware := 2 if input.a\nhardware := 97 if input.b\ntrust_claims := {\"hardware\": hardware}";
    assert!(appraise(rules, &json!({"a": 1, "b": 1})).is_err());
    assert_eq!(appraise(rules, &json!({"a": 1})).unwrap().hardware, 2);
}

#[test]
fn malformed_extensions_and_findings_are_errors() {
    for (rule, value) in [
        ("extensions", "{}"),
        ("extensions", r#"[{"name": 1, "key": 1, "value": 1}]"#),
        ("extensions", r#"[{"name": "n", "key": "k", "value": 1}]"#),
        ("extensions", r#"[{"name": "n", "key": 1}]"#),
        ("extensions", r#"[{"name": "n", "key": 1, "value": {1: 2}}]"#),
        ("findings", r#"[{"claim": "nope", "code": "x"}]"#),
        ("findings", r#"[{"claim": "hardware"}]"#),
        ("findings", r#"[{"code": "x", "value": 300}]"#),
    ] {
        let policy = attestation(&format!("trust_claims := {{}}\n{rule} := {value}"));
        let results = [
            policy.appraise(&json!({}), &Table::default(), NOW).map(drop),
            policy.explain(&json!({}), &Table::default(), NOW).map(drop),
        ];
        let failing = usize::from(rule == "findings");
        assert!(matches!(results[failing], Err(PolicyError::WrongShape { .. })), "{rule} {value}");
        assert_eq!(results[1 - failing], Ok(()));
    }
}

#[test]
fn asking_for_something_that_is_no_name_is_an_error() {
    let rules = "trust_claims := {\"hardware\": 2} if { query_reference_value(7) }";
    assert!(matches!(appraise(rules, &json!({})), Err(PolicyError::Evaluation { .. })));
}

#[test]
fn a_resource_policy_allows_only_by_true() {
    let data = json!({"plugin": "resource", "resource-path": ["a", "b", "c"], "query": {}});
    for (rules, allowed) in [
        ("allow := true", true),
        ("allow if { data.plugin == \"resource\" }", true),
        ("allow if { data[\"resource-path\"][0] == \"a\"; count(data.query) == 0 }", true),
        ("allow if { data.plugin == \"other\" }", false),
        ("default allow := false\nallow if { input.no }", false),
        ("allow := false", false),
        ("allow := \"true\"", false),
        ("allow := 1", false),
        ("allow := {\"a\": true}", false),
        ("allow := null", false),
    ] {
        assert_eq!(resource(rules).allow(&data, &json!({})), Ok(allowed), "{rules}");
    }
}

#[test]
fn the_affirming_policy_looks_at_every_submodule() {
    let policy = resource(
        r#"
        default allow := false
        allow if {
            count(input.submods) > 0
            every _, submodule in input.submods { submodule["ear.status"] == "affirming" }
        }"#,
    );
    let data = json!({"plugin": "resource", "resource-path": ["a", "b", "c"], "query": {}});
    let token = |a: &str, b: &str| json!({"submods": {"cpu0": {"ear.status": a}, "gpu0": {"ear.status": b}}});
    assert_eq!(policy.allow(&data, &token("affirming", "affirming")), Ok(true));
    assert_eq!(policy.allow(&data, &token("affirming", "warning")), Ok(false));
    assert_eq!(policy.allow(&data, &json!({"submods": {}})), Ok(false));
    assert_eq!(policy.allow(&data, &json!({})), Ok(false));
}

#[test]
fn data_and_input_that_cannot_be_are_errors() {
    let policy = resource("allow if { input.x == input.y } else := input == 1");
    assert!(matches!(policy.allow(&json!(1), &json!({})), Err(PolicyError::Input { .. })));
    assert!(policy.allow(&json!({"policy": {"allow": true}}), &json!({})).is_err());
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    assert!(matches!(policy.allow(&json!({}), &deep), Err(PolicyError::Input { .. })));
    let huge = json!("x".repeat(2 << 20));
    assert!(matches!(policy.allow(&json!({}), &huge), Err(PolicyError::Input { .. })));
}

#[test]
fn only_the_parts_of_the_input_that_are_read_are_bounded() {
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let input = json!({"read": {"this": 1, "not": "x".repeat(2 << 20)}, "other": deep});
    let policy =
        resource("allow if { input.read; input.read.this == 1; not input.missing; not input.read.nothing }");
    assert_eq!(policy.allow(&json!({}), &input), Ok(true));
    let policy = resource("allow if { input.read.not }");
    assert_eq!(policy.allow(&json!({}), &json!({"read": {"not": false}})), Ok(false));
    assert_eq!(policy.allow(&json!({}), &json!({"read": {"not": {"a": 1}}})), Ok(true));
    assert!(matches!(policy.allow(&json!({}), &input), Err(PolicyError::Input { .. })));
}

#[test]
fn every_way_to_read_the_whole_input_sees_all_of_it() {
    let input = json!({"a": {"b": 1, "c": 2}, "d": [{"e": 3}]});
    for condition in [
        "count(input) == 2",
        "count(input.a) == 2",
        "x := input; x.a.c == 2",
        "some k; input.a[k] == 2; k == \"c\"",
        "some k, v in input.a; v == 2; k == \"c\"",
        "input[\"a\"][\"c\"] == 2",
        "input.d[0].e == 3",
        "input.d[_].e == 3",
        "f(input.a) == 2",
        "object.get(input, \"a\", {}).c == 2",
        "every v in input.a { v > 0 }; input.a == {\"b\": 1, \"c\": 2}",
        "[y | y := input.a.c][0] == 2",
        "input == {\"a\": {\"b\": 1, \"c\": 2}, \"d\": [{\"e\": 3}]}",
        "{\"c\": z, \"b\": 1} = input.a; z == 2",
    ] {
        let policy = resource(&format!("f(x) := x.c\nallow if {{ {condition} }}"));
        assert_eq!(policy.allow(&json!({}), &input), Ok(true), "{condition}");
    }
    let text = "package policy\nimport input.a as part\nimport input as all\nallow if { part.c == 2; count(all) == 2 }";
    assert_eq!(Policy::bundled(PolicyKind::Resource, text).unwrap().allow(&json!({}), &input), Ok(true));
}

#[test]
fn a_policy_of_the_other_kind_is_refused() {
    let resource = resource("allow := true");
    assert!(matches!(
        resource.appraise(&json!({}), &Table::default(), NOW),
        Err(PolicyError::WrongKind { .. })
    ));
    let attestation = attestation("trust_claims := {}");
    assert!(matches!(attestation.allow(&json!({}), &json!({})), Err(PolicyError::WrongKind { .. })));
}

#[test]
fn digest_text_and_kind_are_kept_and_clones_are_shared_between_threads() {
    let policy = Policy::bundled(PolicyKind::Attestation, TRUSTEE_LIKE).unwrap();
    assert_eq!(policy.text(), TRUSTEE_LIKE);
    assert_eq!(policy.kind().as_str(), "attestation");
    assert_eq!(*policy.digest(), assay_types::Digest::sha384(TRUSTEE_LIKE.as_bytes()));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let policy = policy.clone();
            std::thread::spawn(move || policy.appraise(&snp_input(), &snp_values(), NOW).unwrap())
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap().trust_vector.executables, 3);
    }
}

#[test]
fn costs_that_depend_on_the_input_are_stopped_by_the_limits() {
    let rules = r#"
        trust_claims := {"hardware": 2} if { count([1 | some x in input.list; some y in input.list; x == y]) > 5 }"#;
    let policy = attestation(rules);
    let list = |n: u32| json!({"list": (0..n).collect::<Vec<_>>()});
    assert_eq!(policy.appraise(&list(6), &Table::default(), NOW).unwrap().trust_vector.hardware, 2);
    let error = policy.appraise(&list(5000), &Table::default(), NOW).unwrap_err();
    assert!(matches!(error, PolicyError::Limit { .. }), "{error}");
    assert_eq!(error.code(), "POL-013");
}

#[test]
fn a_result_that_is_too_large_is_refused() {
    let policy = attestation(
        "trust_claims := {}\nextensions := [{\"name\": \"n\", \"key\": 1, \"value\": input.big}]\nfindings := input.big",
    );
    let input = json!({"big": ["x".repeat(70_000)]});
    assert!(matches!(
        policy.appraise(&input, &Table::default(), NOW),
        Err(PolicyError::OutputTooLarge { .. })
    ));
    assert!(matches!(
        policy.explain(&input, &Table::default(), NOW),
        Err(PolicyError::OutputTooLarge { .. })
    ));
}

#[test]
fn an_unbound_or_oddly_typed_input_is_never_a_panic() {
    let policy = attestation(
        r#"
        default hardware := 97
        hardware := input.a.b if { input.a.c in query_reference_value("one") }
        hardware := 2 if { input.x >= query_reference_value("one"); count(input.list) > 1 }
        executables := max([n | some n in input.list]) + input.n % 7
        trust_claims := {"hardware": hardware, "executables": executables}
        extensions := [{"name": k, "key": 1, "value": sprintf("%v %v", [k, v])} | some k, v in input.object]
        findings contains {"code": concat("-", split(input.text, ".")), "found": json.unmarshal(input.text)}"#,
    );
    for input in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"a": 1, "list": 1, "n": 0.5, "object": [], "text": {}}),
        json!({"a": {"b": 300, "c": 1}, "list": [1, "x", null, {}], "n": u64::MAX, "object": {"k": [1]}, "text": "1.2"}),
        json!({"list": [1e308, -1e308], "n": -7, "text": "[[[["}),
    ] {
        let values = Table::of(json!({"one": [1, null, "x"]}));
        let _ = policy.appraise(&input, &values, NOW);
        let _ = policy.explain(&input, &values, NOW);
    }
}
