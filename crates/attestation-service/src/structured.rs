//! Evaluation of evidence that is bound to runtime data of any members, as Trustee's own interface
//! takes it.

use assay_types::{Binding, Digest, HashAlgorithm, InitData, RawEvidence, canonical_digest};
use serde_json::Value;

use crate::AttestationService;
use crate::error::EvaluationError;
use crate::issue::Issued;
use crate::service::Surroundings;

/// What is to be evaluated: one piece of evidence whose report data are the digest of a JSON value.
#[derive(Clone, Debug)]
pub struct StructuredEvaluation<'a> {
    /// The evidence, and which TEE's it is.
    pub evidence: RawEvidence,
    /// The runtime data. Exactly this value is bound, in canonical form (RFC 8785), and shown to policies
    /// and in the token (`runtime_data_claims`). The caller has looked at nonce and key in it.
    pub runtime_data: &'a Value,
    /// Their hash.
    pub runtime_data_hash: HashAlgorithm,
    /// The init data, bound by a field of the evidence.
    pub init_data: Option<BoundInitData<'a>>,
    /// The policies that judge, as in [`Evaluation`](crate::Evaluation).
    pub policy_ids: &'a [String],
}

/// Init data as a caller has them.
#[derive(Clone, Debug)]
pub enum BoundInitData<'a> {
    /// The text: its digest is bound, its entries become claims.
    Toml(&'a str),
    /// The digest alone: it is bound, and there are no claims.
    Digest(Digest),
}

impl AttestationService {
    /// [`AttestationService::evaluate`] for runtime data of any members.
    ///
    /// # Errors
    /// [`EvaluationError`]; see its variants.
    pub async fn evaluate_structured(
        &self,
        evaluation: StructuredEvaluation<'_>,
    ) -> Result<Issued, EvaluationError> {
        let (init_data, digest) = match evaluation.init_data {
            Some(BoundInitData::Toml(text)) => {
                let read = InitData::from_toml(text)?;
                let digest = read.digest.clone();
                (Some(read), Some(digest))
            }
            Some(BoundInitData::Digest(digest)) => (None, Some(digest)),
            None => (None, None),
        };
        let report_data = canonical_digest(evaluation.runtime_data, evaluation.runtime_data_hash)?;
        let binding = Binding { report_data: Some(report_data.as_bytes().to_vec()), init_data: digest };
        let mut values = self.reference_values().consult().await?;
        let genuine = self.authenticate_with(&evaluation.evidence, &binding, values.as_mut()).await?;
        let surroundings = Surroundings {
            policy_ids: evaluation.policy_ids,
            runtime_data: Some(evaluation.runtime_data),
            init_data: init_data.as_ref(),
            nonce: None,
        };
        self.appraise_and_issue(genuine, values.as_mut(), &surroundings).await
    }
}
