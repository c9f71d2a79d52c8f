//! Appraisal of an SNP guest: as it is done here, and the two ways without compilation to compare.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use assay_policy::{Policy, PolicyKind};
use assay_types::ReferenceValueSnapshot;
use criterion::{Criterion, criterion_group, criterion_main};
use regorus::{Engine, Value};
use support::{NOW, TRUSTEE_LIKE, snp_input, snp_values};

/// An engine with the policy, answering from the same table.
fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.add_policy("policy.rego".to_owned(), TRUSTEE_LIKE.to_owned()).unwrap();
    let values = std::sync::Arc::new(snp_values());
    let answer = move |arguments: Vec<Value>| {
        let id = arguments.first().unwrap().as_string().unwrap().clone();
        Ok(Value::from(values.query(&id, NOW).to_policy_value()))
    };
    engine.add_extension("query_reference_value".to_owned(), 1, Box::new(answer)).unwrap();
    engine
}

fn benches(c: &mut Criterion) {
    let policy = Policy::bundled(PolicyKind::Attestation, TRUSTEE_LIKE).unwrap();
    let interpreted = TRUSTEE_LIKE.replace("trust_claims := {", "parts[\"x\"] := 1 if { input.never }\n\ntrust_claims := {k: v | some k, v in claims; not parts.x}\n\nclaims := {");
    let interpreted = Policy::bundled(PolicyKind::Attestation, &interpreted).unwrap();
    let (input, values) = (snp_input(), snp_values());
    let mut group = c.benchmark_group("appraise snp");
    group.bench_function("compiled policy", |b| b.iter(|| policy.appraise(&input, &values, NOW).unwrap()));
    group.bench_function("policy in the interpreter's form", |b| {
        b.iter(|| interpreted.appraise(&input, &values, NOW).unwrap());
    });
    let rule = "data.policy.trust_claims";
    let prepared = {
        let mut engine = engine();
        engine.set_input(Value::from(input.clone()));
        engine.eval_rule(rule.to_owned()).unwrap();
        engine
    };
    group.bench_function("cloned engine", |b| {
        b.iter(|| {
            let mut engine = prepared.clone();
            engine.set_input(Value::from(input.clone()));
            engine.eval_rule(rule.to_owned()).unwrap()
        });
    });
    group.bench_function("fresh engine", |b| {
        b.iter(|| {
            let mut engine = engine();
            engine.set_input_json(&input.to_string()).unwrap();
            engine.eval_rule(rule.to_owned()).unwrap()
        });
    });
    group.bench_function("conversion of the input by serde alone", |b| b.iter(|| Value::from(input.clone())));
    group.finish();
    c.bench_function("compile", |b| {
        b.iter(|| Policy::bundled(PolicyKind::Attestation, TRUSTEE_LIKE).unwrap())
    });
}

criterion_group!(appraise, benches);
criterion_main!(appraise);
