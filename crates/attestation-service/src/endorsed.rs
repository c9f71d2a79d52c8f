//! The comparison with endorsed reference values, where a TEE has such: before the policies judge, so
//! that they can build on it.

use assay_types::{
    AskedReferenceValue, EndorsedAppraisal, Facts, Finding, LayerAppraisal, LayerFinding, TrustVector,
};
use serde_json::Value;

use crate::appraise::{Context, add_verdict};

/// The claim that holds the comparison, below the claims of the TEE.
const CLAIM: &str = "appraisal";

/// What the comparison leaves for the verdict.
#[derive(Default)]
pub(crate) struct Endorsed {
    pub(crate) layers: Vec<LayerAppraisal>,
    pub(crate) findings: Vec<LayerFinding>,
    pub(crate) asked: Vec<AskedReferenceValue>,
}

/// Compares, and puts what came out among the claims.
pub(crate) fn compare(facts: &mut Facts, context: &Context<'_>) -> Endorsed {
    let Some(appraiser) = facts.appraiser.take() else { return Endorsed::default() };
    let appraisal = appraiser.appraise(context.values, context.now);
    facts.claims.insert(CLAIM.to_owned(), Value::Object(appraisal.to_claims()));
    let EndorsedAppraisal { layers, findings, asked, .. } = appraisal;
    Endorsed { layers, findings, asked }
}

/// A finding of the comparison as the verdict shows it. A failed one says what the policies made of
/// its claim: they may judge otherwise than the comparison.
pub(crate) fn finding(reason: LayerFinding, verdict: &TrustVector) -> Finding {
    let LayerFinding { claim, mut finding } = reason;
    if finding.failed() {
        add_verdict(&mut finding.detail, claim, verdict.get(claim));
    }
    finding
}
