//! The settings of the audit log: `[audit]`.

use assay_audit::AuditSettings;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Audit {
    pub(crate) release_before_answer: bool,
}

impl Audit {
    /// As the log takes them.
    pub(crate) fn settings(&self) -> AuditSettings {
        AuditSettings { decisions_wait: self.release_before_answer, ..AuditSettings::default() }
    }
}

/// Every key with its meaning.
pub(crate) const KEYS: &[(&str, &str)] = &[(
    "audit.release_before_answer",
    "Answer a request for a resource only when its release or denial is in the audit log; else within a tenth of a second.",
)];
