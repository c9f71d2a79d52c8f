//! How the realm obtains the evidence: a token from configfs-tsm (provider `arm_cca_guest`). The processor is not
//! looked at: an emulated realm runs on any.
//!
//! - Report data: the challenge, at most 64 bytes, padded with zeros on the right.
//! - Init data: the personalization value of a fresh token, 64 bytes, is compared with the digest and zeros.
//! - No register is extended: the kernel has no way to it yet.

use std::time::Instant;

use assay_attester::tsm::{Tsm, TsmOptions, search};
use assay_attester::{Attester, AttesterError, EvidenceRequest, Host, InitDataBinding, Probe, binding};
use assay_types::{Digest, ReportData, Tee};
use serde_json::{Value, json};

use crate::CcaEvidence;

/// The provider's name in configfs-tsm.
pub const PROVIDER: &str = "arm_cca_guest";

/// Looks for a realm.
pub fn probe(host: &Host) -> Probe {
    let mut probe = Probe::new(Tee::Cca);
    let tsm = search(host, TsmOptions::default(), PROVIDER, &mut probe);
    probe.attester = tsm.map(|tsm| -> Box<dyn Attester> { Box::new(CcaAttester { tsm }) });
    probe
}

struct CcaAttester {
    tsm: Tsm,
}

impl CcaAttester {
    /// A fresh token with this challenge, and what it says.
    fn fresh(
        &mut self,
        challenge: &ReportData,
        deadline: Instant,
    ) -> Result<(Vec<u8>, CcaEvidence), AttesterError> {
        let report = self.tsm.report(PROVIDER, challenge.as_bytes(), deadline)?;
        let what = report.entry.display().to_string();
        let evidence = CcaEvidence::read(&report.outblob).map_err(|error| AttesterError::Malformed {
            what: what.clone(),
            why: format!("the token cannot be read: {error}"),
        })?;
        binding::same_report_data(&what, challenge, &evidence.realm.challenge)?;
        Ok((report.outblob, evidence))
    }
}

impl Attester for CcaAttester {
    fn tee(&self) -> Tee {
        Tee::Cca
    }

    fn evidence(&mut self, request: &EvidenceRequest<'_>) -> Result<Value, AttesterError> {
        let challenge = binding::report_data(Tee::Cca, request.report_data)?;
        let (token, _) = self.fresh(&challenge, request.deadline)?;
        Ok(json!({ "token": token }))
    }

    fn bind_init_data(
        &mut self,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<InitDataBinding, AttesterError> {
        let (_, evidence) = self.fresh(&ReportData::new([0; 64]), deadline)?;
        binding::init_data("the personalization value", digest, &evidence.realm.personalization_value)
    }
}
