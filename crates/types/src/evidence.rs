//! From raw evidence to authenticated claims: the contract between verifiers and their callers.
//!
//! ```text
//! RawEvidence --Verifier::parse--> ParsedEvidence --verify(binding, collateral, now)--> Authenticated
//! ```
//! A verifier does no I/O: it names the collateral it lacks ([`ParsedEvidence::collateral_needed`]),
//! the caller brings it, and `now` is an argument.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Binding, Check, Checks, CollateralRequest, CollateralSet, CollateralUse, Digest, EndorsedAppraiser,
    Finding, Outcome, Tee, TeeClass, UnixTime, Validity,
};

/// A tree of claims about one attester, as policies see it.
pub type Claims = Map<String, Value>;

/// Bytes in lower case hexadecimal, as claims and findings show them.
pub trait TeeClaimText {
    /// The bytes as text.
    fn to_claim(&self) -> String;
}

impl<T: AsRef<[u8]> + ?Sized> TeeClaimText for T {
    fn to_claim(&self) -> String {
        hex::encode(self.as_ref())
    }
}

/// Evidence as it arrived: the JSON of the wire, or a bare report, quote or token.
#[derive(Clone, Debug)]
pub struct RawEvidence {
    /// What the sender says it is.
    pub tee: Tee,
    /// The bytes; never more than [`RawEvidence::MAX_LEN`] once inside a verifier.
    pub bytes: Bytes,
}

impl RawEvidence {
    /// The largest evidence that verifiers look at, in bytes (16 MiB). Servers set a lower limit
    /// on the request.
    pub const MAX_LEN: usize = 16 << 20;

    /// Evidence of `tee`.
    pub fn new(tee: Tee, bytes: impl Into<Bytes>) -> Self {
        RawEvidence { tee, bytes: bytes.into() }
    }

    /// Whether the bytes are JSON text (an object, after white space) and not a bare report.
    pub fn is_json(&self) -> bool {
        self.bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{')
    }

    /// The SHA-256 of the bytes, as tokens name their evidence. Evidence in JSON is long, and
    /// processors have instructions for SHA-256.
    pub fn digest(&self) -> Digest {
        Digest::sha256(&self.bytes)
    }
}

/// Verifies the evidence of one TEE. Trust anchors and settings are the implementor's own fields.
pub trait Verifier: Send + Sync {
    /// The TEE.
    fn tee(&self) -> Tee;

    /// The catalogue: every check this verifier makes.
    fn checks(&self) -> &'static [Check];

    /// Reads the evidence strictly.
    ///
    /// # Errors
    /// [`VerifyError::Malformed`] or [`VerifyError::Unsupported`].
    fn parse(&self, evidence: &RawEvidence) -> Result<Box<dyn ParsedEvidence>, VerifyError>;
}

/// Evidence that was read but not yet believed.
pub trait ParsedEvidence: Send + Sync {
    /// The collateral that the evidence does not carry and the verifier does not hold.
    fn collateral_needed(&self, now: UnixTime) -> Vec<CollateralRequest>;

    /// What is needed besides, now that these pieces are at hand: where one piece says which other
    /// is wanted. Callers ask until nothing more is named.
    fn further_collateral_needed(&self, _at_hand: &CollateralSet, _now: UnixTime) -> Vec<CollateralRequest> {
        Vec::new()
    }

    /// Checks origin, integrity, freshness and binding. It never judges whether a measurement is
    /// wanted. One set of claims for each attester in the evidence.
    ///
    /// # Errors
    /// [`VerifyError::Rejected`] with every finding that could be made.
    fn verify(
        &self,
        binding: &Binding,
        collateral: &CollateralSet,
        now: UnixTime,
    ) -> Result<Vec<Authenticated>, VerifyError>;
}

/// Claims whose origin was proved. There is no constructor but [`Checks::finish`].
#[derive(Clone, Debug)]
pub struct Authenticated {
    facts: Facts,
    findings: Vec<Finding>,
}

/// What a verifier learned, handed to [`Checks::finish`].
#[derive(Clone, Debug)]
pub struct Facts {
    /// The TEE.
    pub tee: Tee,
    /// Its class.
    pub class: TeeClass,
    /// The claims, without report data and init data.
    pub claims: Claims,
    /// The report data found in the evidence, as the claim's text (lower case hex mostly); `None`
    /// where this TEE has none, and then the runtime data are not bound.
    pub report_data: Option<String>,
    /// The init data field found in the evidence, as the claim's text; `None` where this TEE has
    /// none, and then init data are not bound.
    pub init_data: Option<String>,
    /// When all that the claims rest on is valid.
    pub validity: Validity,
    /// The collateral that was used.
    pub collateral: Vec<CollateralUse>,
    /// Whether the trust anchor is an emulator's or a published test key, or there is none at all
    /// (the sample TEE). Tokens say so.
    pub emulated: bool,
    /// Compares the claims with endorsed reference values before the policy judges; `None` for a TEE
    /// whose reference values are named ones only.
    pub appraiser: Option<Arc<dyn EndorsedAppraiser>>,
}

impl Authenticated {
    /// What was learned.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Every check with its outcome, none of them failed.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Takes the value apart.
    pub fn into_parts(self) -> (Facts, Vec<Finding>) {
        (self.facts, self.findings)
    }
}

impl Checks {
    /// Turns the record and the facts into authenticated claims.
    ///
    /// # Errors
    /// [`VerifyError::Rejected`] when a check failed, or when one of the catalogue has no outcome.
    pub fn finish(self, facts: Facts) -> Result<Authenticated, VerifyError> {
        match self.close() {
            Ok(findings) => Ok(Authenticated { facts, findings }),
            Err(findings) => Err(VerifyError::Rejected(findings)),
        }
    }

    /// Ends a verification that cannot go on. Call it when a check failed before there were facts.
    pub fn reject(self) -> VerifyError {
        match self.close() {
            Ok(findings) | Err(findings) => VerifyError::Rejected(findings),
        }
    }
}

/// Why evidence was not accepted. Each variant carries findings, the failed ones among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "findings")]
pub enum VerifyError {
    /// It is not evidence of that TEE at all.
    #[error("malformed evidence: {}", summary(.0))]
    Malformed(Vec<Finding>),
    /// It is of a kind or version that this verifier does not know.
    #[error("unsupported evidence: {}", summary(.0))]
    Unsupported(Vec<Finding>),
    /// A check failed.
    #[error("evidence rejected: {}", summary(.0))]
    Rejected(Vec<Finding>),
}

impl VerifyError {
    /// A malformed piece of evidence, with one failed finding.
    pub fn malformed(
        check: &Check,
        expected: impl Into<String>,
        found: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        VerifyError::Malformed(vec![Finding::new(check, Outcome::Failed, expected, found, detail)])
    }

    /// An unsupported piece of evidence, with one failed finding.
    pub fn unsupported(
        check: &Check,
        expected: impl Into<String>,
        found: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        VerifyError::Unsupported(vec![Finding::new(check, Outcome::Failed, expected, found, detail)])
    }

    /// All findings.
    pub fn findings(&self) -> &[Finding] {
        let (VerifyError::Malformed(f) | VerifyError::Unsupported(f) | VerifyError::Rejected(f)) = self;
        f
    }

    /// The findings that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings().iter().filter(|f| f.failed())
    }
}

fn summary(findings: &[Finding]) -> String {
    let failed: Vec<String> = findings
        .iter()
        .filter(|f| f.failed())
        .map(|f| {
            let mut text = format!("{} {}", f.code, f.check);
            if !f.expected.is_empty() || !f.found.is_empty() {
                text.push_str(&format!(" (expected {}, found {})", f.expected, f.found));
            }
            if !f.detail.is_empty() {
                text.push_str(&format!(": {}", f.detail));
            }
            text
        })
        .collect();
    failed.join("; ")
}
