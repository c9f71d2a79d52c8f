//! Evidence in, claims out: only the report data can be checked.

use assay_types::{
    Authenticated, Binding, Check, Checks, CollateralRequest, CollateralSet, Facts, ParsedEvidence,
    RawEvidence, Tee, TeeClaimText, TeeClass, UnixTime, Validity, Verifier, VerifyError,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::{Evidence, checks, claims};

/// The verifier of sample evidence. It has no trust anchors, so what it hands out is always marked
/// as emulated.
#[derive(Clone, Copy, Debug, Default)]
pub struct SampleVerifier;

impl Verifier for SampleVerifier {
    fn tee(&self) -> Tee {
        Tee::Sample
    }

    fn checks(&self) -> &'static [Check] {
        checks::CATALOGUE
    }

    fn parse(&self, evidence: &RawEvidence) -> Result<Box<dyn ParsedEvidence>, VerifyError> {
        if evidence.tee != Tee::Sample {
            return Err(VerifyError::unsupported(
                &checks::STRUCTURE,
                Tee::Sample.as_str(),
                evidence.tee.as_str(),
                "evidence of another TEE",
            ));
        }
        let parsed = Evidence::from_json(&evidence.bytes).map_err(|error| {
            VerifyError::malformed(&checks::STRUCTURE, "sample evidence", "", error.to_string())
        })?;
        Ok(Box::new(parsed))
    }
}

impl ParsedEvidence for Evidence {
    fn collateral_needed(&self, _now: UnixTime) -> Vec<CollateralRequest> {
        Vec::new()
    }

    fn verify(
        &self,
        binding: &Binding,
        _collateral: &CollateralSet,
        _now: UnixTime,
    ) -> Result<Vec<Authenticated>, VerifyError> {
        let mut record = Checks::new(checks::CATALOGUE);
        record.pass(&checks::STRUCTURE, "");
        match &binding.report_data {
            // Not padded: the attester sends the bytes as it got them, and Trustee compares them so.
            Some(expected) => {
                record.equal(
                    &checks::REPORT_DATA,
                    &expected.to_claim(),
                    &self.report_data.to_claim(),
                    "the evidence was made for another nonce or key",
                );
            }
            None => record.not_checked(&checks::REPORT_DATA, "no expected report data were given"),
        }
        record.not_checked(&checks::INIT_DATA, "sample evidence does not bind init data");
        record.not_checked(&checks::ORIGIN, "nothing signs sample evidence: it proves nothing");
        let authenticated = record.finish(Facts {
            tee: Tee::Sample,
            class: TeeClass::Cpu,
            claims: claims::of(self),
            // Trustee hands on the base64 text of the evidence, and policies may compare it.
            report_data: Some(BASE64_STANDARD.encode(&self.report_data)),
            init_data: None,
            validity: Validity::ALWAYS,
            collateral: Vec::new(),
            emulated: true,
            appraiser: None,
        })?;
        Ok(vec![authenticated])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::{Digest, Outcome};
    use serde_json::{Value, json};

    fn verify(evidence: &Value, binding: &Binding) -> Result<Vec<Authenticated>, VerifyError> {
        let raw = RawEvidence::new(Tee::Sample, evidence.to_string());
        let parsed = SampleVerifier.parse(&raw)?;
        assert!(parsed.collateral_needed(UnixTime(0)).is_empty());
        parsed.verify(binding, &CollateralSet::default(), UnixTime(0))
    }

    fn bound_to(report_data: &[u8]) -> Binding {
        Binding { report_data: Some(report_data.to_vec()), init_data: None }
    }

    #[test]
    fn good_evidence_gives_the_claims_of_trustee() {
        let evidence = json!({"svn": "1", "report_data": BASE64_STANDARD.encode([7; 48])});
        let all = verify(&evidence, &bound_to(&[7; 48])).unwrap();
        assert_eq!(all.len(), 1);
        let facts = all[0].facts();
        assert_eq!(
            Value::Object(facts.claims.clone()),
            json!({"svn": "1", "launch_digest": "abcde", "platform_version": {"major": 1, "minor": 4}, "debug": false})
        );
        assert_eq!(facts.report_data.as_deref(), evidence["report_data"].as_str());
        assert_eq!((facts.tee, facts.class, facts.init_data.clone()), (Tee::Sample, TeeClass::Cpu, None));
        assert!(facts.emulated, "nobody vouches for sample evidence");
    }

    #[test]
    fn further_members_become_claims() {
        let evidence = json!({
            "svn": "9", "report_data": "", "launch_digest": "other", "debug": true,
            "platform_version": {"major": 2, "minor": 0},
        });
        let all = verify(&evidence, &Binding::default()).unwrap();
        assert_eq!(
            Value::Object(all[0].facts().claims.clone()),
            json!({"svn": "9", "launch_digest": "other", "platform_version": {"major": 2, "minor": 0}, "debug": true})
        );
    }

    #[test]
    fn other_report_data_fail_that_check_alone() {
        let evidence = json!({"svn": "1", "report_data": BASE64_STANDARD.encode([7; 48])});
        let mut padded = vec![7; 48];
        padded.resize(64, 0);
        for expected in [vec![8; 48], vec![7; 47], padded, vec![]] {
            let error = verify(&evidence, &bound_to(&expected)).unwrap_err();
            assert!(matches!(error, VerifyError::Rejected(_)));
            let failed: Vec<&str> = error.failures().map(|f| f.code.as_ref()).collect();
            assert_eq!(failed, ["SAMPLE-002"]);
        }
    }

    #[test]
    fn what_is_not_checked_is_said() {
        let evidence = json!({"svn": "1", "report_data": ""});
        let binding = Binding { report_data: None, init_data: Some(Digest::sha384(b"init data")) };
        let all = verify(&evidence, &binding).unwrap();
        let open: Vec<&str> = all[0]
            .findings()
            .iter()
            .filter(|f| f.outcome == Outcome::NotChecked)
            .map(|f| f.code.as_ref())
            .collect();
        assert_eq!(open, ["SAMPLE-002", "SAMPLE-003", "SAMPLE-004"]);
    }

    #[test]
    fn a_broken_structure_is_malformed_and_another_tee_unsupported() {
        let error = verify(&json!({"svn": "1"}), &Binding::default()).unwrap_err();
        assert!(matches!(&error, VerifyError::Malformed(f) if f[0].code == "SAMPLE-001"));
        let raw = RawEvidence::new(Tee::Snp, "{}");
        let error = SampleVerifier.parse(&raw).err().unwrap();
        assert!(matches!(&error, VerifyError::Unsupported(f) if f[0].code == "SAMPLE-001"));
    }

    #[test]
    fn codes_are_unique_and_every_check_has_an_outcome() {
        let all = verify(&json!({"svn": "1", "report_data": ""}), &Binding::default()).unwrap();
        let found: Vec<&str> = all[0].findings().iter().map(|f| f.code.as_ref()).collect();
        let catalogue: Vec<&str> = checks::CATALOGUE.iter().map(|c| c.code).collect();
        assert_eq!(found, catalogue);
        assert!(catalogue.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
