//! Who evaluates evidence for a key broker.

use std::sync::Arc;

use assay_attestation_service::{AttestationService, Evaluation, EvaluationError, Issued, Verdict};
use assay_types::{Coded as _, Tee};

use crate::remote::RemoteAttestation;
use crate::{KeyBroker, RequestError};

/// Who evaluates evidence for a key broker. A clone is another handle of the same.
#[derive(Clone)]
pub enum Attestation {
    /// The attestation service in this process.
    Local(Arc<AttestationService>),
    /// A remote one: ours or Trustee's.
    Remote(Arc<RemoteAttestation>),
    /// Nobody. Guests bring tokens of attestation services that are trusted (the passport model of
    /// RFC 9334).
    Elsewhere,
}

/// A token with its explanation.
pub(crate) struct Evaluated {
    pub(crate) token: String,
    pub(crate) verdict: Verdict,
    /// What was issued, where it was issued here: it can be given in other forms.
    pub(crate) issued: Option<Issued>,
}

impl Attestation {
    /// The service in this process.
    pub(crate) fn local(&self) -> Option<&Arc<AttestationService>> {
        match self {
            Attestation::Local(service) => Some(service),
            Attestation::Remote(_) | Attestation::Elsewhere => None,
        }
    }

    /// The TEEs whose evidence is taken.
    pub(crate) fn tees(&self) -> Vec<Tee> {
        match self {
            Attestation::Local(service) => service.tees().collect(),
            Attestation::Remote(remote) => remote.tees().to_vec(),
            Attestation::Elsewhere => Vec::new(),
        }
    }

    /// Verifies and appraises evidence, wherever it is done.
    pub(crate) async fn evaluate(&self, evaluation: Evaluation<'_>) -> Result<Evaluated, RequestError> {
        match self {
            Attestation::Local(service) => {
                let issued: Result<Issued, EvaluationError> = service.evaluate(evaluation).await;
                let issued = issued?;
                Ok(Evaluated {
                    token: issued.token.clone(),
                    verdict: issued.verdict.clone(),
                    issued: Some(issued),
                })
            }
            Attestation::Remote(remote) => {
                let (token, verdict) = remote.evaluate(evaluation).await?;
                Ok(Evaluated { token, verdict, issued: None })
            }
            Attestation::Elsewhere => Err(self.not_here()),
        }
    }

    /// What somebody is told who asks for what only a service in this process has.
    pub(crate) fn not_here(&self) -> RequestError {
        RequestError::NotHere {
            instead: match self {
                Attestation::Remote(remote) => {
                    format!("ask the attestation service at {}", remote.address())
                }
                _ => "bring a token of an attestation service that is trusted here".to_owned(),
            },
        }
    }
}

impl KeyBroker {
    /// The attestation service in this process.
    ///
    /// # Errors
    /// [`RequestError::NotHere`] where it is elsewhere.
    pub(crate) fn local(&self) -> Result<&Arc<AttestationService>, RequestError> {
        self.attestation().local().ok_or_else(|| self.attestation().not_here())
    }

    /// Whether what this key broker needs of others is there.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) async fn others_ready(&self) -> Result<(), RequestError> {
        if let Attestation::Remote(remote) = self.attestation() {
            remote.ready().await?;
        }
        // With a service of our own, another one's keys are something more.
        if let (None, Some(trusted)) = (self.attestation().local(), self.trusted_issuer()) {
            trusted.ready().await?;
        }
        Ok(())
    }

    /// Learns again of the keys of trusted attestation services. What fails is logged.
    pub(crate) async fn refresh_trust(&self) {
        if let Some(Err(error)) = match self.trusted_issuer() {
            Some(trusted) => Some(trusted.refresh().await),
            None => None,
        } {
            tracing::warn!(code = error.code(), %error, "the keys of the attestation service in use stay in use");
        }
    }
}
