//! How the sample evidence is made: of nothing. It is never found by a search, since every guest has it and it
//! proves nothing; it is used only where it is asked for by name.
//!
//! - Report data: as they are, at most [`MAX_REPORT_DATA_LEN`] bytes.
//! - Init data: bound to nothing.

use std::time::Instant;

use assay_attester::{Attester, AttesterError, EvidenceRequest, InitDataBinding};
use assay_types::{Digest, Tee};
use serde_json::Value;

use crate::Evidence;

/// The most report data that evidence is made of, in bytes (1 MiB). Our verifier takes
/// [`Evidence::MAX_REPORT_DATA_LEN`]; others take more.
pub const MAX_REPORT_DATA_LEN: usize = 1 << 20;

/// The attester of the sample TEE.
pub fn attester() -> Box<dyn Attester> {
    Box::new(SampleAttester)
}

struct SampleAttester;

impl Attester for SampleAttester {
    fn tee(&self) -> Tee {
        Tee::Sample
    }

    fn evidence(&mut self, request: &EvidenceRequest<'_>) -> Result<Value, AttesterError> {
        let found = request.report_data.len();
        if found > MAX_REPORT_DATA_LEN {
            let max = MAX_REPORT_DATA_LEN;
            return Err(AttesterError::ReportDataTooLong { tee: Tee::Sample, found, max });
        }
        serde_json::to_value(Evidence::new(request.report_data)).map_err(|error| AttesterError::Malformed {
            what: "the evidence".to_owned(),
            why: error.to_string(),
        })
    }

    fn bind_init_data(
        &mut self,
        _digest: &Digest,
        _deadline: Instant,
    ) -> Result<InitDataBinding, AttesterError> {
        let why = "the sample TEE has no field for init data, and nothing signs its evidence".to_owned();
        Ok(InitDataBinding::Unbound { why })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use assay_types::{Binding, CollateralSet, Digest, RawEvidence, Tee, UnixTime, Verifier};

    use super::*;
    use crate::SampleVerifier;

    fn evidence(report_data: &[u8]) -> Result<Value, AttesterError> {
        let deadline = Instant::now() + Duration::from_secs(60);
        attester().evidence(&EvidenceRequest { report_data, aael: b"ignored", deadline })
    }

    #[test]
    fn the_evidence_verifies_with_the_report_data_alone() {
        for len in [0, 48, 64, 65, Evidence::MAX_REPORT_DATA_LEN] {
            let report_data = vec![7; len];
            let text = evidence(&report_data).unwrap().to_string();
            let parsed = SampleVerifier.parse(&RawEvidence::new(Tee::Sample, text)).unwrap();
            let verify = |report_data| {
                let binding = Binding { report_data: Some(report_data), init_data: None };
                parsed.verify(&binding, &CollateralSet::default(), UnixTime(0))
            };
            assert!(verify(report_data.clone()).is_ok());
            assert!(verify([report_data, vec![0]].concat()).is_err());
        }
    }

    #[test]
    fn report_data_are_bounded_and_never_cut() {
        let whole = evidence(&vec![1; 1_000_000]).unwrap();
        let whole: Evidence = serde_json::from_value(whole).unwrap();
        assert_eq!(whole, Evidence::new(vec![1; 1_000_000]));
        let error = evidence(&vec![0; MAX_REPORT_DATA_LEN + 1]).unwrap_err();
        assert!(matches!(error, AttesterError::ReportDataTooLong { tee: Tee::Sample, .. }));
    }

    #[test]
    fn init_data_are_not_bound_and_there_are_no_registers() {
        let mut attester = attester();
        let binding = attester.bind_init_data(&Digest::sha256(b"x"), Instant::now()).unwrap();
        assert!(matches!(binding, InitDataBinding::Unbound { why } if !why.is_empty()));
        assert!(attester.registers().is_none());
        assert_eq!(attester.tee(), Tee::Sample);
    }
}
