//! The compiled policy.

use std::fmt;
use std::sync::Arc;

use assay_types::{Digest, ReferenceValueSnapshot, UnixTime};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{PolicyAppraisal, PolicyError, PolicyFinding};

/// What a policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// Judges claims: `data.policy.trust_claims`.
    Attestation,
    /// Opens resources: `data.policy.allow`.
    Resource,
}

impl PolicyKind {
    /// Both.
    pub const ALL: [PolicyKind; 2] = [PolicyKind::Attestation, PolicyKind::Resource];

    /// `attestation` or `resource`.
    pub const fn as_str(self) -> &'static str {
        match self {
            PolicyKind::Attestation => "attestation",
            PolicyKind::Resource => "resource",
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A compiled policy. Cloning it is cheap, and all clones share what was compiled.
#[derive(Clone)]
pub struct Policy {
    inner: Arc<Inner>,
}

struct Inner {
    kind: PolicyKind,
    text: String,
    digest: Digest,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("kind", &self.inner.kind).field("digest", &self.inner.digest).finish()
    }
}

impl Policy {
    /// Compiles one of our own default policies, or one that was admitted before and stored: the
    /// static checks and compilation, without the trial.
    ///
    /// # Errors
    /// Every [`PolicyError`] of the text; never those of evaluation or the trial.
    pub fn bundled(kind: PolicyKind, text: &str) -> Result<Policy, PolicyError> {
        Ok(Policy {
            inner: Arc::new(Inner { kind, text: text.to_owned(), digest: Digest::sha384(text.as_bytes()) }),
        })
    }

    /// What it decides.
    pub fn kind(&self) -> PolicyKind {
        self.inner.kind
    }

    /// Its source text, as given.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The SHA-384 of its text.
    pub fn digest(&self) -> &Digest {
        &self.inner.digest
    }

    /// Judges `input`, the claim tree of one attester, against `values` at the time `now`.
    ///
    /// # Errors
    /// When the policy gives no usable verdict: undefined or misshapen `trust_claims`, unknown claim
    /// names, values out of range, a limit passed, a failing rule.
    pub fn appraise(
        &self,
        input: &Value,
        values: &dyn ReferenceValueSnapshot,
        now: UnixTime,
    ) -> Result<PolicyAppraisal, PolicyError> {
        let _ = (input, values, now);
        Err(PolicyError::MissingRule { rule: "unfinished".into() })
    }

    /// The reasons of the verdict on the same input: the optional rule `data.policy.findings`; empty
    /// when the policy does not have it.
    ///
    /// # Errors
    /// As [`Policy::appraise`].
    pub fn explain(
        &self,
        input: &Value,
        values: &dyn ReferenceValueSnapshot,
        now: UnixTime,
    ) -> Result<Vec<PolicyFinding>, PolicyError> {
        let _ = (input, values, now);
        Err(PolicyError::MissingRule { rule: "unfinished".into() })
    }

    /// Whether a resource policy opens the resource: `data.policy.allow` with `data`
    /// (`{"plugin","resource-path","query"}`) as Rego's `data` and `input`, the token's claims. A rule
    /// that is undefined or not a boolean denies.
    ///
    /// # Errors
    /// When a limit is passed or the policy fails; the caller must deny then.
    pub fn allow(&self, data: &Value, input: &Value) -> Result<bool, PolicyError> {
        let _ = (data, input);
        Err(PolicyError::MissingRule { rule: "unfinished".into() })
    }
}
