//! Any text as a policy: it is refused or it is compiled, in bounded time and stack, and what is
//! compiled evaluates within its limits.
#![no_main]

use assay_policy::{Policy, PolicyKind};
use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, UnixTime};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

struct Nothing;

impl ReferenceValueSnapshot for Nothing {
    fn query(&self, _id: &str, _now: UnixTime) -> Lookup {
        Lookup::Missing
    }

    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"")
    }
}

fuzz_target!(|text: &str| {
    let input = json!({ "snp": { "measurement": "00", "list": [1, 2, 3] } });
    // Most random texts lack the first lines; what is interesting comes after them.
    let text = format!("package policy\nimport rego.v1\n{text}");
    if let Ok(policy) = Policy::bundled(PolicyKind::Attestation, &text) {
        assert_eq!(policy.text(), text);
        let _ = policy.appraise(&input, &Nothing, UnixTime(0));
        let _ = policy.explain(&input, &Nothing, UnixTime(0));
    }
    if let Ok(policy) = Policy::bundled(PolicyKind::Resource, &text) {
        let data = json!({ "plugin": "resource", "resource-path": ["a", "b", "c"], "query": {} });
        let _ = policy.allow(&data, &input);
    }
});
