//! The record of an appraisal under way: each reason, with the claim it bears on.

use assay_types::{Check, Finding, LayerFinding, Outcome, TrustClaim};

/// Reasons, in the order in which they came up.
#[derive(Debug, Default)]
pub(super) struct Reasons(Vec<LayerFinding>);

impl Reasons {
    /// Records that `check` holds; `found` is the value that satisfied it.
    pub(super) fn pass(&mut self, claim: TrustClaim, check: &Check, found: impl Into<String>, detail: &str) {
        self.add(claim, Finding::new(check, Outcome::Passed, "", found, detail));
    }

    /// Records that `check` does not hold.
    pub(super) fn fail(
        &mut self,
        claim: TrustClaim,
        check: &Check,
        expected: impl Into<String>,
        found: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.add(claim, Finding::new(check, Outcome::Failed, expected, found, detail));
    }

    /// Records that `check` was not made on `found`, and why.
    pub(super) fn not_checked(
        &mut self,
        claim: TrustClaim,
        check: &Check,
        found: impl Into<String>,
        why: impl Into<String>,
    ) {
        self.add(claim, Finding::new(check, Outcome::NotChecked, "", found, why));
    }

    fn add(&mut self, claim: TrustClaim, finding: Finding) {
        self.0.push(LayerFinding { claim, finding });
    }

    /// All of them.
    pub(super) fn into_findings(self) -> Vec<LayerFinding> {
        self.0
    }
}
