//! Admission: good policies pass, hostile ones are refused or bounded, and this process survives.

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

use std::time::Duration;

use assay_policy::{
    Admission, Limits, Policy, PolicyError, PolicyKind, TrialFailure, TrialProcess, allowed_builtins,
};
use assay_types::{Coded, Fault};
use support::TRUSTEE_LIKE;

fn trial() -> TrialProcess {
    TrialProcess { program: env!("CARGO_BIN_EXE_assay-policy-trial").into(), args: Vec::new() }
}

async fn admit_as(kind: PolicyKind, text: &str) -> Result<Policy, PolicyError> {
    Admission::new(trial(), Limits::DEFAULT).admit(kind, text).await
}

async fn admit(rules: &str) -> Result<Policy, PolicyError> {
    admit_as(PolicyKind::Attestation, &format!("package policy\nimport rego.v1\n{rules}\n")).await
}

/// Claims that mention `name`, so that the rule of that name is compiled and evaluated.
fn using(name: &str, rules: &str) -> String {
    format!("{rules}\ntrust_claims := {{\"hardware\": 2}} if {{ {name} != 0 }}")
}

/// Operators take the bundled policy as it is, change a line and set it: so all of it must be admitted.
#[tokio::test]
async fn the_bundled_policy_is_admitted() {
    let text = concat!(
        include_str!("../../attestation-service/policies/default_cpu.rego"),
        include_str!("../../attestation-service/policies/sample.rego"),
        include_str!("../../attestation-service/policies/snp.rego"),
        include_str!("../../attestation-service/policies/cca.rego"),
        include_str!("../../attestation-service/policies/intel.rego"),
        include_str!("../../attestation-service/policies/tdx.rego"),
        include_str!("../../attestation-service/policies/sgx.rego"),
    );
    admit_as(PolicyKind::Attestation, text).await.unwrap();
    let resource = include_str!("../../attestation-service/policies/resource.rego");
    admit_as(PolicyKind::Resource, resource).await.unwrap();
}

#[tokio::test]
async fn good_policies_are_admitted() {
    let policy = admit_as(PolicyKind::Attestation, TRUSTEE_LIKE).await.unwrap();
    assert_eq!(policy.text(), TRUSTEE_LIKE);
    admit_as(
        PolicyKind::Resource,
        "package policy\ndefault allow := false\nallow if {\n\tcount(input.submods) > 0\n\tevery s in input.submods { s[\"ear.status\"] == \"affirming\" }\n}\n",
    )
    .await
    .unwrap();
    admit("trust_claims[\"hardware\"] := 2 if { input.snp }").await.unwrap();
    // Claims with dashes in their names, as those of Arm CCA.
    admit(
        "default executables := 33\nexecutables := 3 if {\n\
         \tinput.cca.realm[\"cca-realm-initial-measurement\"] in query_reference_value(\"cca.rim\")\n}\n\
         trust_claims := {\"executables\": executables, \"hardware\": h}\n\
         h := input.cca.appraisal.combined.hardware",
    )
    .await
    .unwrap();
    // For one TEE only: undefined for all others.
    admit("trust_claims := {\"hardware\": 2} if { input.tdx.tcb_status == \"UpToDate\" }").await.unwrap();
}

#[tokio::test]
async fn useful_constructs_are_admitted() {
    for rules in [
        // Lists made from lists, and from lists inside lists.
        using("count(x)", "x := [n | some c in input.containers; some e in c.env; n := split(e, \"=\")[0]]"),
        using("count(x)", "x := [[n.a | some n in c.list] | some c in input.containers]"),
        using("count(x)", "x := {k: v | some k, v in input.snp; startswith(k, \"reported_\")}"),
        using("count(x)", "x := {sprintf(\"%s=%v\", [k, v]) | some k, v in input.snp}"),
        using("count(x)", "x contains concat(\",\", [a, b]) if { some a in input.l; some b in a.m }"),
        using("x", "default x := 1\nx := y if { y := max([n | some n in input.l; is_number(n)]) }"),
        using("x", "x := f(input.a) + f(input.b)\nf(n) := n * 2 if { n > 1 } else := 1"),
        using("x", "x := 1 if { some i; input.a[i] == input.b[i] }"),
        using("x", "x := 1 if { every e in input.events { regex.match(`^[a-f0-9]+$`, e.digest) } }"),
        using("x", "x := 1 if { not input.a.b in {1, 2, 3} }"),
        using("x", "x := object.get(input, [\"snp\", \"measurement\"], \"\")"),
        using("x", "import input.snp as report\nx := report.measurement").replace("import rego.v1\n", ""),
    ] {
        // Imports stand before rules.
        let text = match rules.strip_prefix("import") {
            Some(rest) => format!("package policy\nimport{rest}\n"),
            None => format!("package policy\nimport rego.v1\n{rules}\n"),
        };
        if let Err(error) = admit_as(PolicyKind::Attestation, &text).await {
            panic!("{rules}\n{error}");
        }
    }
}

#[tokio::test]
async fn syntax_errors_have_their_place() {
    for (rules, line) in [
        ("trust_claims := {", 3),
        ("x := 1\n\ntrust_claims := {\"hardware\": }", 5),
        ("trust_claims := \"a", 3),
        ("trust_claims { 1 == 1 }", 3),
        ("trust_claims := {} if", 4),
    ] {
        match admit(rules).await {
            Err(PolicyError::Syntax { line: found, message, .. }) => {
                assert!(
                    found == line || found == line + 1 || found + 1 == line,
                    "{rules}: line {found}: {message}"
                );
                assert!(!message.is_empty());
            }
            other => panic!("{rules}: {other:?}"),
        }
    }
    let error = admit("trust_claims := {\"hardware\": }").await.unwrap_err();
    assert!(matches!(error, PolicyError::Syntax { line: 3, column: 30, .. }), "{error:?}");
    assert_eq!((error.code(), error.fault()), ("POL-003", Fault::Unprocessable));
}

#[tokio::test]
async fn recursion_is_refused_with_its_circle() {
    for (rules, circle) in [
        (using("f(1)", "f(n) := f(n + 1)"), "f -> f"),
        (using("f(1)", "f(n) := g(n)\ng(n) := f(n)"), "f -> g -> f"),
        (using("a", "a := b\nb := a"), "a -> b -> a"),
        (using("f(1)", "f(n) := data.policy.f(n)"), "f -> f"),
        (using("f(1)", "f(n) := data[\"policy\"].f(n)"), "f -> f"),
        (using("f(1)", "f(n) := x if { x := [y | y := f(n)][0] }"), "f -> f"),
        (using("a", "a := f(1)\nf(n) := y if { y := a; count([a | some a in [1]]) == n }"), "a -> f -> a"),
        (using("a", "a := data.policy[input.name]"), "a -> a"),
        (using("a", "a := data[input.name].a"), "a -> a"),
        (using("a", "a := count(data)"), "a -> a"),
        (using("a", "default a := 0\na[k] := v if { some k, v in a }"), "a -> a"),
    ] {
        match admit(&rules).await {
            Err(error @ PolicyError::Recursive { .. }) => {
                let text = error.to_string();
                assert!(text.ends_with(circle), "{rules}: {text}");
                assert_eq!(error.code(), "POL-005");
            }
            other => panic!("{rules}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn long_rows_of_rules_are_refused() {
    let mut rules = "r0 := 1\n".to_owned();
    for n in 1..1500 {
        rules.push_str(&format!("r{n} := r{} + 1\n", n - 1));
    }
    assert!(matches!(admit(&using("r1499", &rules)).await, Err(PolicyError::TooDeep { .. })));
}

#[tokio::test]
async fn nested_brackets_are_refused_before_they_are_parsed() {
    for (open, close) in [("[", "]"), ("{", "}"), ("{\"a\":", "}"), ("(", ")"), ("count([", "])")] {
        for depth in [9, 20, 200] {
            let rules = format!("x := {}1{}", open.repeat(depth), close.repeat(depth));
            assert!(
                matches!(
                    admit(&rules).await,
                    Err(PolicyError::TooDeep { .. } | PolicyError::TooLarge { .. })
                ),
                "{open}"
            );
        }
    }
}

#[tokio::test]
async fn functions_that_amplify_or_reach_outside_are_refused() {
    for call in [
        "numbers.range(1, 30000000)",
        "bits.lsh(1, 400000000)",
        "sprintf(\"%999999999d\", [1])",
        "sprintf(\"%\u{b2}d\", [1])",
        "sprintf(input.format, [1])",
        "regex.match(input.pattern, \"a\")",
        "regex.match(\"(a{1000}){1000}\", \"a\")",
        "indexof(input.a, input.b)",
        "http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"})",
        "opa.runtime()",
        "rand.intn(\"a\", 2)",
        "time.now_ns()",
        "trace(\"x\")",
        "print(\"x\")",
        "walk(input)",
        "units.parse(\"1K\")",
        "__builtin_host_await(1, \"query_reference_value\")",
        "query_reference_value(\"a\", \"b\")",
        "no_such_function(1)",
    ] {
        match admit(&using("x", &format!("x := {call}"))).await {
            Err(error @ PolicyError::ForbiddenBuiltin { line: 3, .. }) => assert_eq!(error.code(), "POL-006"),
            other => panic!("{call}: {other:?}"),
        }
    }
    let resource = "package policy\nallow if { query_reference_value(\"a\") }";
    assert!(matches!(
        admit_as(PolicyKind::Resource, resource).await,
        Err(PolicyError::ForbiddenBuiltin { .. })
    ));
    assert!(allowed_builtins().contains(&"startswith"));
    assert!(!allowed_builtins().contains(&"http.send"));
}

#[tokio::test]
async fn what_doubles_from_rule_to_rule_is_refused() {
    for step in [
        "concat(\"\", [PREV, PREV])",
        "[PREV, PREV]",
        "{\"a\": PREV, \"b\": PREV}",
        "sprintf(\"%s%s\", [PREV, PREV])",
        "replace(PREV, \"a\", PREV)",
        "PREV * PREV",
        "array.concat(PREV, PREV)",
        "json.marshal([PREV, PREV])",
        "double(PREV)",
        "[PREV | some x in [1, 2]]",
        "y if { y := [PREV, PREV] }",
        "y if { [y, z] := [[PREV, z], PREV] }",
    ] {
        let mut rules = "double(x) := [x, x]\nr0 := input.a\n".to_owned();
        for n in 1..=40 {
            let step = step.replace("PREV", &format!("r{}", n - 1));
            rules.push_str(&format!("r{n} := {step}\n"));
        }
        match admit(&using("r40", &rules)).await {
            Err(error @ PolicyError::Growth { .. }) => assert_eq!(error.code(), "POL-008"),
            other => panic!("{step}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn copies_of_the_input_for_each_triple_of_elements_are_refused() {
    for rules in [
        "x := [[a, b, c, input] | some a in input.l; some b in input.l; some c in input.l]",
        "x := [[input | some b in input.l] | some a in input.l; some c in input.m]",
        "x contains [input, a, b] if { some a in input.l; some b in input.l; some c in input.l }",
        "i := 0\nx := [[input, j, k] | some i; some j; some k; input.l[i]; input.l[j]; input.l[k]]",
        "x := [concat(c, [d | some d in input.l]) | some a in input.l; some b in input.m; c := b.x]",
    ] {
        assert!(matches!(admit(&using("count(x)", rules)).await, Err(PolicyError::Growth { .. })), "{rules}");
    }
}

#[tokio::test]
async fn endless_work_is_stopped_in_the_trial() {
    // 200 x 200 x 200, from nothing but the policy's text.
    let table: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let rules = format!(
        "t := [{}]\nx := 1 if {{ some a in t; some b in t; some c in t; a + b + c < 0 }}",
        table.join(",")
    );
    let error = admit(&using("x", &rules)).await.unwrap_err();
    let PolicyError::Trial { failure: TrialFailure::Refused { error: inner, .. } } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(**inner, PolicyError::Limit { .. }), "{inner}");
    assert_eq!((error.code(), error.fault()), ("POL-013", Fault::Unprocessable));

    // A comprehension over all pairs of a large table is refused before that.
    let table: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    let lines: Vec<String> = table.chunks(100).map(|chunk| chunk.join(",")).collect();
    let rules =
        format!("t := [\n{}\n]\nx := count([1 | some a in t; some b in t; a == b])", lines.join(",\n"));
    assert!(matches!(admit(&using("x", &rules)).await, Err(PolicyError::Growth { .. })));
}

#[tokio::test]
async fn wrong_results_on_the_samples_are_refused() {
    for (rules, code) in [
        ("trust_claims := {\"hardwear\": 2}", "POL-010"),
        ("trust_claims := {\"hardware\": 258}", "POL-011"),
        ("trust_claims := {\"hardware\": 258} if { input.snp.policy_debug_allowed }", "POL-011"),
        ("trust_claims := 2", "POL-012"),
        ("trust_claims := {}\nextensions := input", "POL-012"),
        ("trust_claims := {}\nfindings := [1]", "POL-012"),
    ] {
        let error = admit(rules).await.unwrap_err();
        assert_eq!((error.code(), error.fault()), (code, Fault::Unprocessable), "{rules}: {error}");
    }
}

#[tokio::test]
async fn missing_rules_and_foreign_packages_are_refused() {
    assert!(matches!(admit("x := 1").await, Err(PolicyError::MissingRule { .. })));
    let resource = admit_as(PolicyKind::Resource, "package policy\nx := 1").await;
    assert_eq!(resource.unwrap_err().to_string(), "the policy has no rule data.policy.allow");
    for text in [
        "package other\ntrust_claims := {}",
        "package policy.sub\ntrust_claims := {}",
        "package policy\nimport data.policy.x\ntrust_claims := {}",
        "package policy\nimport data\ntrust_claims := {}",
        "package policy\ntrust_claims := {} if { input.a with input as {} }",
        "package policy\ntrust_claims := {} if { count([1]) == 1 with count as 1 }",
        "package policy\ncount(x) := 1\ntrust_claims := {}",
        "package policy\nquery_reference_value(x) := 1\ntrust_claims := {}",
    ] {
        let result = admit_as(PolicyKind::Attestation, text).await;
        assert!(matches!(result, Err(PolicyError::Unsupported { .. })), "{text}: {result:?}");
    }
    assert!(matches!(admit_as(PolicyKind::Attestation, "").await, Err(PolicyError::Syntax { .. })));
}

#[tokio::test]
async fn without_a_working_trial_nothing_is_admitted() {
    let with = |program: &str, args: &[&str]| TrialProcess {
        program: program.into(),
        args: args.iter().map(|a| (*a).to_owned()).collect(),
    };
    let quick = Limits { trial_deadline: Duration::from_millis(300), ..Limits::DEFAULT };
    for (process, limits, fault) in [
        (with("/nonexistent/program", &[]), Limits::DEFAULT, Fault::Internal),
        (with("/bin/true", &[]), Limits::DEFAULT, Fault::Internal),
        (with("/bin/false", &[]), Limits::DEFAULT, Fault::Internal),
        (with("/bin/echo", &["{}"]), Limits::DEFAULT, Fault::Internal),
        (with("/bin/sh", &["-c", "kill -6 $$"]), Limits::DEFAULT, Fault::Unprocessable),
        (with("/bin/sleep", &["60"]), quick, Fault::Unprocessable),
        (with("/bin/cat", &["/dev/zero"]), quick, Fault::Unprocessable),
        (trial(), Limits { trial_memory: 4 << 20, ..Limits::DEFAULT }, Fault::Internal),
    ] {
        let name = format!("{process:?}");
        let error =
            Admission::new(process, limits).admit(PolicyKind::Attestation, TRUSTEE_LIKE).await.unwrap_err();
        assert!(matches!(error, PolicyError::Trial { .. }), "{name}: {error}");
        if limits.trial_memory == Limits::DEFAULT.trial_memory {
            assert_eq!(error.fault(), fault, "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn the_text_is_bounded() {
    let long = format!("package policy\n{}trust_claims := {{}}", "# comment\n".repeat(7000));
    let error = admit_as(PolicyKind::Attestation, &long).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("POL-001", Fault::TooLarge));
    let rules: String = (0..3000).map(|n| format!("r{n} := {n}\n")).collect();
    assert!(matches!(admit(&using("r1", &rules)).await, Err(PolicyError::TooLarge { .. })));
}
