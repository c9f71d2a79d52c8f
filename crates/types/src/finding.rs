//! Checks, and what they found.
//!
//! Each verifier declares its checks in one constant table, its *catalogue*. While it works it
//! records the outcome of each in a [`Checks`]; the only way from there to [`Authenticated`] is
//! [`Checks::finish`], which refuses when a check failed, and also when a check of the catalogue
//! was left out. So a verifier cannot forget a check without every verification failing.
//!
//! [`Authenticated`]: crate::Authenticated

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One check of a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable code, such as `SNP-007`. Never given to another check.
    pub code: &'static str,
    /// What is checked, in a few words: "report signature".
    pub name: &'static str,
    /// What whoever reads the failure can do about it.
    pub remedy: &'static str,
    /// Where the rule is written down: specification and section, or RFC.
    pub source: &'static str,
}

/// The detail of a check that was not made because of another one.
const EARLIER_FAILED: &str = "an earlier check failed";

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The check was made and holds.
    Passed,
    /// The check was made and does not hold.
    Failed,
    /// The check was not made; the detail says why. It does not fail the verification by itself:
    /// where it must, the verifier records [`Outcome::Failed`].
    NotChecked,
}

/// The outcome of one check, with what is needed to understand it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's code.
    pub code: Cow<'static, str>,
    /// The check's name.
    #[serde(default)]
    pub check: Cow<'static, str>,
    /// How it ended.
    pub outcome: Outcome,
    /// The value that was expected; empty where there is none to name.
    pub expected: String,
    /// The value that was found; empty where there is none to name.
    pub found: String,
    /// The reason in words; empty where expected and found say it all.
    pub detail: String,
    /// What to do next; only with a check that failed or was not made.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub remedy: Cow<'static, str>,
}

impl Finding {
    /// A finding on `check`.
    pub fn new(
        check: &Check,
        outcome: Outcome,
        expected: impl Into<String>,
        found: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let remedy = if outcome == Outcome::Passed { "" } else { check.remedy };
        Finding {
            code: Cow::Borrowed(check.code),
            check: Cow::Borrowed(check.name),
            outcome,
            expected: expected.into(),
            found: found.into(),
            detail: detail.into(),
            remedy: Cow::Borrowed(remedy),
        }
    }

    /// Whether the check was not made because it needs what an earlier, failed one would have given.
    pub fn depends_on_a_failed_one(&self) -> bool {
        self.outcome == Outcome::NotChecked && self.detail == EARLIER_FAILED
    }

    /// Whether the check failed.
    pub fn failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }
}

/// The code of [`INCOMPLETE`], recorded by [`Checks::finish`].
pub const INCOMPLETE_CODE: &str = "ASSAY-001";

/// Recorded when a verifier left out a check of its own catalogue.
pub const INCOMPLETE: Check = Check {
    code: INCOMPLETE_CODE,
    name: "every check of the catalogue has an outcome",
    remedy: "this is a defect of the verifier: report it together with the evidence",
    source: "design, section 3",
};

/// The record of a verification under way.
#[derive(Clone, Debug)]
pub struct Checks {
    catalogue: &'static [Check],
    findings: Vec<Finding>,
}

impl Checks {
    /// An empty record for the checks of `catalogue`.
    pub fn new(catalogue: &'static [Check]) -> Self {
        Checks { catalogue, findings: Vec::with_capacity(catalogue.len()) }
    }

    /// Records that `check` holds; `found` is the value that satisfied it.
    pub fn pass(&mut self, check: &Check, found: impl Into<String>) {
        self.findings.push(Finding::new(check, Outcome::Passed, "", found, ""));
    }

    /// Records that `check` does not hold.
    pub fn fail(
        &mut self,
        check: &Check,
        expected: impl Into<String>,
        found: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.findings.push(Finding::new(check, Outcome::Failed, expected, found, detail));
    }

    /// Records that `check` was not made, and why.
    pub fn not_checked(&mut self, check: &Check, why: impl Into<String>) {
        self.findings.push(Finding::new(check, Outcome::NotChecked, "", "", why));
    }

    /// Records whether `found` equals `expected`, both shown as text.
    pub fn equal<T: PartialEq + ToString + ?Sized>(
        &mut self,
        check: &Check,
        expected: &T,
        found: &T,
        detail: impl Into<String>,
    ) -> bool {
        let holds = expected == found;
        if holds {
            self.pass(check, found.to_string());
        } else {
            self.fail(check, expected.to_string(), found.to_string(), detail);
        }
        holds
    }

    /// Adds what another record holds: outcomes that were found out earlier and kept.
    pub fn add_all(&mut self, findings: &[Finding]) {
        self.findings.extend_from_slice(findings);
    }

    /// What was recorded so far, in order.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a check failed so far.
    pub fn any_failed(&self) -> bool {
        self.findings.iter().any(Finding::failed)
    }

    /// Closes the record.
    ///
    /// # Errors
    /// All findings, when a check failed or when a check of the catalogue has no finding; the
    /// latter adds a failed finding with the code [`INCOMPLETE_CODE`] for each such check. Checks
    /// that are missing beside a failed one are recorded as not made: they need what failed.
    pub(crate) fn close(mut self) -> Result<Vec<Finding>, Vec<Finding>> {
        let failed = self.any_failed();
        for check in self.catalogue {
            if self.findings.iter().any(|f| f.code == check.code) {
                continue;
            }
            self.findings.push(if failed {
                Finding::new(check, Outcome::NotChecked, "", "", EARLIER_FAILED)
            } else {
                Finding::new(&INCOMPLETE, Outcome::Failed, check.code, "no outcome", check.name)
            });
        }
        if self.any_failed() { Err(self.findings) } else { Ok(self.findings) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Check = Check { code: "T-001", name: "a", remedy: "mend a", source: "" };
    const B: Check = Check { code: "T-002", name: "b", remedy: "mend b", source: "" };
    const CATALOGUE: &[Check] = &[A, B];

    #[test]
    fn a_check_that_was_left_out_fails_the_verification() {
        let mut checks = Checks::new(CATALOGUE);
        checks.pass(&A, "1");
        let findings = checks.close().unwrap_err();
        assert!(findings.iter().any(|f| f.code == INCOMPLETE_CODE && f.expected == "T-002"));
    }

    #[test]
    fn all_findings_are_kept_and_the_rest_is_named_as_not_made() {
        let mut checks = Checks::new(CATALOGUE);
        checks.fail(&A, "1", "2", "differs");
        let findings = checks.close().unwrap_err();
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].remedy, "mend a");
        assert_eq!(findings[1].outcome, Outcome::NotChecked);
    }

    #[test]
    fn a_full_record_passes_even_with_a_check_not_made() {
        let mut checks = Checks::new(CATALOGUE);
        assert!(checks.equal(&A, "1", "1", ""));
        checks.not_checked(&B, "not asked for");
        assert_eq!(checks.close().unwrap().len(), 2);
    }
}
