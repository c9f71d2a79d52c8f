//! Which TEE this is.

use assay_attester::{Attester, Host, Probe};
use assay_types::Tee;

/// What was looked for, TEE by TEE, and the attester of the one that is here.
pub struct Detection {
    /// Each search, in order.
    pub probes: Vec<Probe>,
    /// The attester.
    pub attester: Option<Box<dyn Attester>>,
}

/// How to find the TEE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first that is here; never the sample TEE.
    Auto,
    /// This one.
    One(Tee),
}

impl Wanted {
    /// Reads `auto` or the name of a TEE that this agent has an attester for.
    ///
    /// # Errors
    /// With the names that are known.
    pub fn from_name(name: &str) -> Result<Self, String> {
        if name == "auto" {
            return Ok(Wanted::Auto);
        }
        match name.parse::<Tee>() {
            Ok(tee) if tee == Tee::Sample || SEARCHES.iter().any(|(known, _)| *known == tee) => {
                Ok(Wanted::One(tee))
            }
            _ => {
                let known: Vec<&str> = SEARCHES.iter().map(|(tee, _)| tee.as_str()).collect();
                Err(format!("no attester for {name:?}; known are auto, {}, sample", known.join(", ")))
            }
        }
    }
}

type Search = fn(&Host) -> Probe;

/// Every search, in the order in which they are made: no guest has two of these.
const SEARCHES: [(Tee, Search); 4] = [
    (Tee::Tdx, assay_tee_intel::attest::tdx::probe),
    (Tee::Sgx, assay_tee_intel::attest::sgx::probe),
    (Tee::Snp, assay_tee_snp::attest::probe),
    (Tee::Cca, assay_tee_cca::attest::probe),
];

/// Looks for the TEE. With [`Wanted::Auto`] every search is made, so that the report is whole.
pub fn detect(host: &Host, wanted: Wanted) -> Detection {
    let mut detection = Detection { probes: Vec::new(), attester: None };
    if wanted == Wanted::One(Tee::Sample) {
        tracing::warn!("the sample TEE was asked for by name; its evidence proves nothing");
        let mut probe = Probe::new(Tee::Sample);
        probe.step("the configuration", true, "names the sample TEE");
        detection.probes.push(probe);
        detection.attester = Some(assay_tee_sample::attest::attester());
        return detection;
    }
    for (tee, search) in SEARCHES {
        if matches!(wanted, Wanted::One(one) if one != tee) {
            continue;
        }
        let mut probe = search(host);
        if let Some(attester) = probe.attester.take()
            && detection.attester.is_none()
        {
            detection.attester = Some(attester);
        }
        detection.probes.push(probe);
    }
    detection
}

impl Detection {
    /// What was looked for and found, a line each.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for probe in &self.probes {
            let here = self.attester.as_ref().is_some_and(|attester| attester.tee() == probe.tee);
            text.push_str(&format!("{}: {}\n", probe.tee, if here { "here" } else { "not here" }));
            for step in &probe.steps {
                let mark = if step.found { "found  " } else { "missing" };
                text.push_str(&format!("  {mark}  {}: {}\n", step.looked_for, step.detail));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_ordinary_machine_has_none_and_every_search_says_why() {
        let empty = tempfile::tempdir().unwrap();
        let detection = detect(&Host::at(empty.path(), BTreeMap::new()), Wanted::Auto);
        assert!(detection.attester.is_none());
        assert_eq!(detection.probes.len(), SEARCHES.len());
        for probe in &detection.probes {
            assert!(probe.steps.iter().any(|step| !step.found && !step.detail.is_empty()), "{}", probe.tee);
        }
        assert!(detection.report().contains("snp: not here"));
    }

    #[test]
    fn the_sample_tee_is_taken_only_by_name() {
        let empty = tempfile::tempdir().unwrap();
        let host = Host::at(empty.path(), BTreeMap::from([("ENABLE_SAMPLE_DEVICE".into(), "1".into())]));
        assert!(detect(&host, Wanted::Auto).attester.is_none());
        let named = detect(&host, Wanted::from_name("sample").unwrap());
        assert_eq!(named.attester.unwrap().tee(), Tee::Sample);
        assert!(Wanted::from_name("se").unwrap_err().contains("snp"));
        assert!(Wanted::from_name("enigma").is_err());
    }
}
