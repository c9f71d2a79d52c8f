//! Any JSON as input and as reference value of a policy that uses every operator: a result or an
//! error, never a panic, and every result names the reference value that was asked for.
#![no_main]

use std::sync::OnceLock;

use assay_policy::{Policy, PolicyKind};
use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, UnixTime};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const TEXT: &str = r#"
package policy
import rego.v1

default hardware := 97

hardware := input.a.b if { input.a.c in query_reference_value("one") }

hardware := 2 if { input.x >= query_reference_value("one"); count(input.list) > 1 }

executables := max([n | some n in input.list]) + input.n % 7

trust_claims := {"hardware": hardware, "executables": executables}

extensions := [{"name": k, "key": 1, "value": sprintf("%v %v", [k, v])} | some k, v in input.object]

findings contains {"code": concat("-", split(input.text, ".")), "found": json.unmarshal(input.text)}
"#;

struct One(Value);

impl ReferenceValueSnapshot for One {
    fn query(&self, _id: &str, _now: UnixTime) -> Lookup {
        Lookup::Found { value: self.0.clone(), expires: UnixTime::MAX }
    }

    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"one")
    }
}

static POLICY: OnceLock<Policy> = OnceLock::new();

fuzz_target!(|parts: (&[u8], &[u8])| {
    let policy =
        POLICY.get_or_init(|| Policy::bundled(PolicyKind::Attestation, TEXT).expect("the policy compiles"));
    let Ok(input) = serde_json::from_slice::<Value>(parts.0) else { return };
    let value = One(serde_json::from_slice(parts.1).unwrap_or(Value::Null));
    if let Ok(appraisal) = policy.appraise(&input, &value, UnixTime(0)) {
        assert!(appraisal.asked.iter().all(|asked| asked.id == "one"));
    }
    let _ = policy.explain(&input, &value, UnixTime(0));
});
