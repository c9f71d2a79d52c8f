//! The compiled policy.

use std::fmt;
use std::sync::Arc;

use assay_types::{Digest, ReferenceValueSnapshot, UnixTime};
use regorus::Value as Rego;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::{Compiled, Entry, Host};
use crate::remembered::Remembered;
use crate::value::{Allowance, to_rego};
use crate::{Limits, PolicyAppraisal, PolicyError, PolicyFinding, analysis, appraisal, engine, lexer};

/// The stack of the thread that parses and compiles: the engine does both by recursion.
const COMPILER_STACK: usize = 64 << 20;

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
    compiled: Compiled,
    remembered: Remembered,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("kind", &self.inner.kind)
            .field("digest", &self.inner.digest)
            .field("machine", &self.inner.compiled.is_machine())
            .finish()
    }
}

impl Policy {
    /// Compiles one of our own default policies, or one that was admitted before and stored: the
    /// static checks and compilation, without the trial.
    ///
    /// # Errors
    /// Every [`PolicyError`] of the text; never those of evaluation or the trial.
    pub fn bundled(kind: PolicyKind, text: &str) -> Result<Policy, PolicyError> {
        Policy::compile(kind, text, &Limits::DEFAULT)
    }

    /// The static checks and compilation, with these limits.
    pub(crate) fn compile(kind: PolicyKind, text: &str, limits: &Limits) -> Result<Policy, PolicyError> {
        lexer::guard(text, limits)?;
        let compiled = engine::on_large_stack(COMPILER_STACK, || {
            let checked = analysis::check(kind, text, limits)?;
            engine::compile(kind, text, &checked, limits)
        })?;
        let digest = Digest::sha384(text.as_bytes());
        Ok(Policy {
            inner: Arc::new(Inner {
                kind,
                text: text.to_owned(),
                digest,
                compiled,
                remembered: Remembered::default(),
            }),
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
        self.needs(PolicyKind::Attestation)?;
        let Inner { compiled, remembered, .. } = &*self.inner;
        let key = Remembered::key(compiled.need(), input);
        if let Some(known) = key.as_ref().and_then(|key| remembered.find(key, values, now)) {
            return Ok(known);
        }
        let mut host = Host::new(Some((values, now)), compiled.limits());
        let entries: &[Entry] = if compiled.has(Entry::Extensions) {
            &[Entry::TrustClaims, Entry::Extensions]
        } else {
            &[Entry::TrustClaims]
        };
        let mut results = compiled.evaluate(entries, compiled.input(input)?, None, &mut host)?.into_iter();
        let trust_vector = appraisal::trust_vector(&results.next().unwrap_or(Rego::Undefined))?;
        let extensions = results.next().unwrap_or(Rego::Undefined);
        let extensions = appraisal::extensions(&extensions, compiled.limits().max_output)?;
        let appraisal = PolicyAppraisal { trust_vector, extensions, asked: host.asked() };
        if let Some(key) = key {
            remembered.add(key, &appraisal);
        }
        Ok(appraisal)
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
        self.needs(PolicyKind::Attestation)?;
        let compiled = &self.inner.compiled;
        if !compiled.has(Entry::Findings) {
            return Ok(Vec::new());
        }
        let mut host = Host::new(Some((values, now)), compiled.limits());
        let input = compiled.input(input)?;
        let results = compiled.evaluate(&[Entry::Findings], input, None, &mut host)?;
        let findings = results.into_iter().next().unwrap_or(Rego::Undefined);
        appraisal::findings(&findings, compiled.limits().max_output)
    }

    /// Whether a resource policy opens the resource: `data.policy.allow` with `data`
    /// (`{"plugin","resource-path","query"}`) as Rego's `data` and `input`, the token's claims. A rule
    /// that is undefined or not a boolean denies.
    ///
    /// # Errors
    /// When a limit is passed or the policy fails; the caller must deny then.
    pub fn allow(&self, data: &Value, input: &Value) -> Result<bool, PolicyError> {
        self.needs(PolicyKind::Resource)?;
        if !data.is_object() {
            let why = "is not an object".to_owned();
            return Err(PolicyError::Input { what: "data".to_owned(), why });
        }
        let compiled = &self.inner.compiled;
        let mut host = Host::new(None, compiled.limits());
        let mut allowance = Allowance::new(compiled.limits().max_input);
        let data = to_rego(data, &mut allowance).map_err(|unfit| engine::unfit_input("data", unfit))?;
        let input = compiled.input(input)?;
        let results = compiled.evaluate(&[Entry::Allow], input, Some(data), &mut host)?;
        Ok(matches!(results.as_slice(), [Rego::Bool(true)]))
    }

    fn needs(&self, needed: PolicyKind) -> Result<(), PolicyError> {
        let found = self.inner.kind;
        if found == needed { Ok(()) } else { Err(PolicyError::WrongKind { found, needed }) }
    }
}
