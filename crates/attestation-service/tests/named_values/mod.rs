//! The default policy with reference values by name, and one wrong thing at a time.

use std::collections::BTreeMap;

use assay_attestation_service::ATTESTATION_POLICIES;
use assay_policy::{Policy, PolicyKind};
use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, TrustVector, UnixTime};
use serde_json::Value;

const NOW: UnixTime = UnixTime(1_790_000_000);

/// Named reference values.
#[derive(Clone, Default)]
pub(crate) struct Values(pub(crate) BTreeMap<&'static str, Value>);

impl ReferenceValueSnapshot for Values {
    fn query(&self, id: &str, _now: UnixTime) -> Lookup {
        match self.0.get(id) {
            Some(value) => Lookup::Found { value: value.clone(), expires: UnixTime::MAX },
            None => Lookup::Missing,
        }
    }

    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"values")
    }
}

/// Input and reference values that belong together.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) input: Value,
    pub(crate) values: Values,
}

impl Case {
    /// With another claim at `pointer` (RFC 6901), which may be new.
    pub(crate) fn with(mut self, pointer: &str, claim: Value) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.input.pointer_mut(parent).unwrap()[name] = claim;
        self
    }

    /// Without the claim at `pointer`.
    pub(crate) fn without(mut self, pointer: &str) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.input.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    /// With another reference value.
    pub(crate) fn registered(mut self, name: &'static str, value: Value) -> Self {
        self.values.0.insert(name, value);
        self
    }

    /// Without a reference value that was there.
    pub(crate) fn not_registered(mut self, name: &'static str) -> Self {
        self.values.0.remove(name).unwrap();
        self
    }

    /// The verdict: executables, hardware, configuration; and the codes of the findings.
    pub(crate) fn verdict(&self) -> (i8, i8, i8, Vec<String>) {
        let (_, text) = ATTESTATION_POLICIES.iter().find(|(id, _)| *id == "default_cpu").unwrap();
        let policy = Policy::bundled(PolicyKind::Attestation, text).unwrap();
        let vector = policy.appraise(&self.input, &self.values, NOW).unwrap().trust_vector;
        let TrustVector { executables, hardware, configuration, .. } = vector;
        let others = TrustVector { executables: 0, hardware: 0, configuration: 0, ..vector };
        assert_eq!(others, TrustVector::default(), "no other claim is made");
        let findings = policy.explain(&self.input, &self.values, NOW).unwrap();
        for finding in &findings {
            assert!(!finding.detail.is_empty() && !finding.remedy.is_empty(), "{}", finding.code);
        }
        let mut codes: Vec<String> = findings.into_iter().map(|finding| finding.code).collect();
        codes.sort();
        (executables, hardware, configuration, codes)
    }

    /// The one verdict expected, and why.
    #[track_caller]
    pub(crate) fn gives(&self, executables: i8, hardware: i8, configuration: i8, codes: &[&str]) {
        let (e, h, c, found) = self.verdict();
        assert_eq!(
            (e, h, c, found),
            (executables, hardware, configuration, codes.iter().map(|c| (*c).to_owned()).collect())
        );
    }
}
