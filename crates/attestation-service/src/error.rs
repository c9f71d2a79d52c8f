//! Why an evaluation gave no token.

use assay_collateral::CollateralError;
use assay_policy::PolicyError;
use assay_reference_values::ReferenceValueError;
use assay_store::StoreError;
use assay_token::TokenError;
use assay_types::{Coded, Fault, Finding, InitDataError, NotCanonical, Tee, VerifyError};
use assay_veraison::VeraisonError;

/// Why an evaluation gave no token.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The evidence was not accepted.
    #[error("{tee}: {error}")]
    Evidence {
        /// Whose evidence.
        tee: Tee,
        /// Every finding.
        error: VerifyError,
    },
    /// Evidence of this TEE is not taken here.
    #[error("evidence of {tee} is not taken here; taken are {taken}")]
    NotTaken {
        /// The TEE.
        tee: Tee,
        /// The TEEs whose evidence is taken, separated by commas.
        taken: String,
    },
    /// Collateral that the verification needs could not be had.
    #[error(transparent)]
    Collateral(#[from] CollateralError),
    /// The Veraison service that verifies this evidence gave no result.
    #[error(transparent)]
    Veraison(#[from] VeraisonError),
    /// The runtime data have no canonical form.
    #[error("runtime data: {0}")]
    RuntimeData(#[from] NotCanonical),
    /// The init data cannot be read.
    #[error(transparent)]
    InitData(#[from] InitDataError),
    /// The additional evidence cannot be read.
    #[error("additional evidence: {reason}")]
    AdditionalEvidence {
        /// The reason.
        reason: String,
    },
    /// More policies were asked for than are applied to one piece of evidence.
    #[error("{found} policy ids; at most {} are applied", crate::service::MAX_POLICY_IDS)]
    TooManyPolicies {
        /// How many.
        found: usize,
    },
    /// A policy that was asked for does not exist.
    #[error("there is no attestation policy {id:?}; set it, or ask for another policy id")]
    NoPolicy {
        /// Its full id, class included.
        id: String,
    },
    /// A policy failed.
    #[error("attestation policy {id:?}: {error}")]
    Policy {
        /// Its full id, class included.
        id: String,
        /// Why.
        error: PolicyError,
    },
    /// The token could not be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The reference values could not be had.
    #[error(transparent)]
    ReferenceValues(#[from] ReferenceValueError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EvaluationError {
    /// The findings, where evidence was looked at.
    pub fn findings(&self) -> &[Finding] {
        match self {
            EvaluationError::Evidence { error, .. } => error.findings(),
            _ => &[],
        }
    }
}

impl Coded for EvaluationError {
    fn code(&self) -> &'static str {
        match self {
            EvaluationError::Evidence { error: VerifyError::Malformed(_), .. } => "AS-001",
            EvaluationError::Evidence { error: VerifyError::Unsupported(_), .. } => "AS-002",
            EvaluationError::Evidence { error: VerifyError::Rejected(_), .. } => "AS-003",
            EvaluationError::NotTaken { .. } => "AS-004",
            EvaluationError::Collateral(error) => error.code(),
            EvaluationError::Veraison(error) => error.code(),
            EvaluationError::RuntimeData(_) => "AS-005",
            EvaluationError::InitData(_) => "AS-006",
            EvaluationError::AdditionalEvidence { .. } => "AS-007",
            EvaluationError::NoPolicy { .. } => "AS-008",
            EvaluationError::TooManyPolicies { .. } => "AS-010",
            EvaluationError::Policy { .. } => "AS-009",
            EvaluationError::Token(error) => error.code(),
            EvaluationError::ReferenceValues(error) => error.code(),
            EvaluationError::Store(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            EvaluationError::Evidence { error: VerifyError::Malformed(_), .. }
            | EvaluationError::RuntimeData(_)
            | EvaluationError::InitData(_)
            | EvaluationError::TooManyPolicies { .. }
            | EvaluationError::AdditionalEvidence { .. } => Fault::BadRequest,
            EvaluationError::Evidence { error: VerifyError::Unsupported(_), .. }
            | EvaluationError::NotTaken { .. } => Fault::Unprocessable,
            EvaluationError::Evidence { .. } => Fault::Evidence,
            EvaluationError::Collateral(error) => error.fault(),
            EvaluationError::Veraison(error) => error.fault(),
            EvaluationError::NoPolicy { .. } => Fault::Unprocessable,
            EvaluationError::Policy { .. } => Fault::Internal,
            EvaluationError::Token(error) => error.fault(),
            EvaluationError::ReferenceValues(error) => error.fault(),
            EvaluationError::Store(error) => error.fault(),
        }
    }
}
