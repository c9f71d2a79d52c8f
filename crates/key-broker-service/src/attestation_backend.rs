//! Who evaluates evidence for a key broker.

use std::sync::Arc;

use assay_attestation_service::{AttestationService, Evaluation, EvaluationError, Issued, Verdict};
use assay_reference_values::ReferenceValueSource;
use assay_telemetry::Readiness;
use assay_types::{Coded as _, Digest, Tee};

use crate::remote::RemoteAttestation;
use crate::trusted_issuer::TrustedIssuer;
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
    /// The digest of the set of reference values, where it is known.
    pub(crate) values: Option<Digest>,
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
                    values: issued.reference_values(),
                    issued: Some(issued),
                })
            }
            Attestation::Remote(remote) => {
                let (token, verdict) = remote.evaluate(evaluation).await?;
                Ok(Evaluated { token, verdict, values: None, issued: None })
            }
            Attestation::Elsewhere => Err(self.not_here()),
        }
    }

    /// What must answer for the key broker to be ready.
    pub(crate) fn add_checks(&self, readiness: &Readiness, trusted: Option<&Arc<TrustedIssuer>>) {
        match self {
            Attestation::Local(service) => {
                let asked = Arc::clone(service);
                readiness.add("reference-values", move || {
                    let service = Arc::clone(&asked);
                    async move { service.reference_values().check().await }
                });
                // With a service of our own, another one's keys are something more.
                return;
            }
            Attestation::Remote(remote) => {
                let asked = Arc::clone(remote);
                readiness.add("attestation-service", move || {
                    let remote = Arc::clone(&asked);
                    async move { remote.ready().await }
                });
            }
            Attestation::Elsewhere => {}
        }
        if let Some(trusted) = trusted {
            let asked = Arc::clone(trusted);
            readiness.add("trusted-keys", move || {
                let trusted = Arc::clone(&asked);
                async move { trusted.ready().await }
            });
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

    /// The reference values: of the service in this process, or those that the remote service uses.
    ///
    /// # Errors
    /// [`RequestError::NotHere`] where there is neither.
    pub(crate) fn values(&self) -> Result<&Arc<dyn ReferenceValueSource>, RequestError> {
        match self.attestation() {
            Attestation::Local(service) => Ok(service.reference_values()),
            Attestation::Remote(remote) => Ok(remote.values()),
            Attestation::Elsewhere => Err(self.attestation().not_here()),
        }
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
