//! Evaluation of evidence that is bound to whatever its caller says, as Trustee's own interface takes it:
//! one piece or several, each with runtime data and init data of its own.

use std::sync::Arc;

use assay_types::{Binding, Digest, HashAlgorithm, InitData, RawEvidence, canonical_digest};
use serde_json::Value;

use crate::AttestationService;
use crate::authenticate::Shown;
use crate::error::EvaluationError;
use crate::issue::Issued;
use crate::service::{MAX_ADDITIONAL, Surroundings};

/// One piece of evidence, and what it must be bound to.
#[derive(Clone, Debug)]
pub struct EvidenceRequest {
    /// The evidence, and which TEE's it is.
    pub evidence: RawEvidence,
    /// What the report data must be; not compared when `None`.
    pub runtime_data: Option<BoundRuntimeData>,
    /// The hash of structured runtime data.
    pub runtime_data_hash: HashAlgorithm,
    /// What the init data must be; not compared when `None`.
    pub init_data: Option<BoundInitData>,
}

/// Runtime data as a caller has them.
#[derive(Clone, Debug, PartialEq)]
pub enum BoundRuntimeData {
    /// The report data themselves. There are no claims.
    Raw(Vec<u8>),
    /// A JSON value. The digest of its canonical form (RFC 8785) is bound; the value is shown to policies and
    /// in the token (`runtime_data_claims`). The caller has looked at nonce and key in it.
    Structured(Value),
}

/// Init data as a caller has them.
#[derive(Clone, Debug, PartialEq)]
pub enum BoundInitData {
    /// The text: its digest is bound, its entries become claims.
    Toml(String),
    /// The digest alone: it is bound, and there are no claims.
    Digest(Digest),
}

impl AttestationService {
    /// Verifies and appraises each piece of evidence, in their order, and issues one token for all: the first
    /// CPU is `cpu0`. Nothing here says that the pieces belong together; that is for the caller to bind.
    ///
    /// # Errors
    /// [`EvaluationError`]; see its variants. One bad piece is enough.
    pub async fn evaluate_requests(
        &self,
        requests: &[EvidenceRequest],
        policy_ids: &[String],
    ) -> Result<Issued, EvaluationError> {
        let found = requests.len();
        if !(1..=MAX_ADDITIONAL.saturating_add(1)).contains(&found) {
            return Err(EvaluationError::Requests { found });
        }
        let mut values = self.reference_values().consult().await?;
        let mut all = Vec::new();
        for request in requests {
            let (binding, shown) = request.bound()?;
            let mut genuine = self.authenticate_with(&request.evidence, &binding, values.as_mut()).await?;
            genuine.iter_mut().for_each(|one| one.shown = shown.clone());
            all.append(&mut genuine);
        }
        let surroundings = Surroundings { policy_ids, runtime_data: None, init_data: None, nonce: None };
        self.appraise_and_issue(all, values.as_mut(), &surroundings).await
    }
}

impl EvidenceRequest {
    /// What the evidence must hold, and what is shown of it.
    fn bound(&self) -> Result<(Binding, Shown), EvaluationError> {
        let mut binding = Binding::default();
        let mut shown = Shown::default();
        match &self.runtime_data {
            Some(BoundRuntimeData::Raw(bytes)) => binding.report_data = Some(bytes.clone()),
            Some(BoundRuntimeData::Structured(value)) => {
                let digest = canonical_digest(value, self.runtime_data_hash)?;
                binding.report_data = Some(digest.as_bytes().to_vec());
                shown.runtime_data = Some(Arc::new(value.clone()));
            }
            None => {}
        }
        match &self.init_data {
            Some(BoundInitData::Toml(text)) => {
                let read = InitData::from_toml(text)?;
                binding.init_data = Some(read.digest);
                shown.init_data = Some(Arc::new(read.claims));
            }
            Some(BoundInitData::Digest(digest)) => binding.init_data = Some(digest.clone()),
            None => {}
        }
        Ok((binding, shown))
    }
}
