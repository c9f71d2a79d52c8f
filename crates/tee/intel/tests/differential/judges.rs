//! The two judges: this crate and dcap-qvl.

use std::collections::BTreeSet;

use assay_tee_intel::{IntelSettings, IntelVerifier};
use assay_types::{Binding, Finding, Tee, UnixTime, Verifier as _};
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;
use serde_json::{Map, Value};

use crate::support::{items, verifier, verify};

/// What both judge. The collateral are the members of a `QuoteCollateralV3`.
pub(crate) struct Trial {
    /// What was done to it, so that a person sees what happened.
    pub(crate) notes: Vec<String>,
    pub(crate) tee: Tee,
    pub(crate) quote: Vec<u8>,
    pub(crate) collateral: Map<String, Value>,
    pub(crate) now: UnixTime,
}

/// Status and advisories of accepted evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: String,
    pub(crate) advisories: BTreeSet<String>,
}

pub(crate) struct Verdicts {
    /// Or the findings that failed.
    pub(crate) ours: Result<Standing, Vec<Finding>>,
    /// Or the error.
    pub(crate) theirs: Result<Standing, String>,
}

pub(crate) struct Judges {
    tdx: IntelVerifier,
    sgx: IntelVerifier,
    theirs: QuoteVerifier,
}

impl Judges {
    /// Judges under one root, with everything allowed that dcap-qvl can allow: debug and service TDs
    /// are claims here.
    pub(crate) fn new(settings: &IntelSettings, theirs: QuoteVerifier) -> Self {
        Judges {
            tdx: verifier(Tee::Tdx, settings.clone()),
            sgx: verifier(Tee::Sgx, settings.clone()),
            theirs: theirs.allow_debug(true).allow_service_td(true),
        }
    }

    pub(crate) fn judge(&self, trial: &Trial) -> Verdicts {
        let text = Value::Object(trial.collateral.clone()).to_string().into_bytes();
        Verdicts { ours: self.ours(trial, &text), theirs: self.theirs(trial, &text) }
    }

    fn ours(&self, trial: &Trial, collateral: &[u8]) -> Result<Standing, Vec<Finding>> {
        let verifier = if trial.tee == Tee::Sgx { &self.sgx } else { &self.tdx };
        assert_eq!(verifier.tee(), trial.tee);
        let unbound = Binding { report_data: None, init_data: None };
        let collateral = items(&[collateral.to_vec()]);
        let genuine = verify(verifier, &trial.quote, &collateral, &unbound, trial.now)
            .map_err(|e| e.failures().cloned().collect::<Vec<_>>())?;
        let claims = &genuine.facts().claims;
        let ids = claims["advisory_ids"].as_array().unwrap();
        Ok(Standing {
            status: claims["tcb_status"].as_str().unwrap().to_owned(),
            advisories: ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect(),
        })
    }

    fn theirs(&self, trial: &Trial, collateral: &[u8]) -> Result<Standing, String> {
        let collateral: QuoteCollateralV3 =
            serde_json::from_slice(collateral).map_err(|e| format!("collateral: {e}"))?;
        let now = u64::try_from(trial.now.0).unwrap();
        let report =
            self.theirs.verify(&trial.quote, &collateral, now).map_err(|error| format!("{error:#}"))?;
        Ok(Standing { status: report.status, advisories: report.advisory_ids.into_iter().collect() })
    }
}
