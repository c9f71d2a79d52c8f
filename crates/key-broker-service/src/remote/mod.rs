//! A remote attestation service, ours or Trustee's, asked over gRPC as Trustee's key broker does.
//!
//! Its answers are believed no further than they prove: the token must hold under a trusted key, and must
//! be about the nonce, the key and the TEE of this very request.

mod answer;
mod error;
mod request;

use std::sync::Arc;

use assay_attestation_service::proto::SetPolicyRequest;
use assay_attestation_service::proto::attestation_service_client::AttestationServiceClient;
use assay_attestation_service::{Evaluation, Verdict};
use assay_reference_values::{
    Protocol, ReferenceValueError, ReferenceValueSource, RemoteReferenceValues, RemoteValuesSettings,
};
use assay_remote::{RemoteEndpoint, RemoteError, RemoteSettings};
use assay_types::{Clock, Tee};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

pub use error::RemoteAttestationError;

use self::answer::Answer;
pub(crate) use self::answer::token_id;
use crate::trusted_issuer::TrustedIssuer;

/// The largest answer, in bytes: a token and what is around it.
const MAX_ANSWER: usize = 2 << 20;

/// A remote attestation service.
pub struct RemoteAttestation {
    endpoint: RemoteEndpoint,
    trusted: Arc<TrustedIssuer>,
    values: Arc<dyn ReferenceValueSource>,
    tees: Vec<Tee>,
    clock: Arc<dyn Clock>,
}

impl RemoteAttestation {
    /// The service of these settings, whose tokens `trusted` verifies. `tees` are those whose evidence it
    /// takes, as far as this key broker says. Nothing is sent yet. Works within a Tokio runtime only.
    ///
    /// # Errors
    /// [`ReferenceValueError`] for a setting that cannot be used.
    pub fn new(
        settings: RemoteSettings,
        trusted: Arc<TrustedIssuer>,
        tees: Vec<Tee>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ReferenceValueError> {
        // Trustee's service has its values at the same address; so has ours.
        let values = RemoteValuesSettings::new(settings.clone(), Protocol::Trustee);
        let values = RemoteReferenceValues::new(values, Arc::clone(&clock))?;
        let endpoint = RemoteEndpoint::new(settings)?;
        Ok(RemoteAttestation { endpoint, trusted, values: Arc::new(values), tees, clock })
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.endpoint.settings().address
    }

    /// The TEEs whose evidence is passed on.
    pub fn tees(&self) -> &[Tee] {
        &self.tees
    }

    /// The reference values that it uses.
    pub(crate) fn values(&self) -> &Arc<dyn ReferenceValueSource> {
        &self.values
    }

    /// Whose tokens are believed.
    pub(crate) fn trusted(&self) -> &Arc<TrustedIssuer> {
        &self.trusted
    }

    /// Has evidence evaluated, and verifies the token: the token, and what it says.
    pub(crate) async fn evaluate(
        &self,
        evaluation: Evaluation<'_>,
    ) -> Result<(String, Verdict), RemoteAttestationError> {
        let request = request::of(&evaluation)?;
        // It changes nothing there, so it may be asked again.
        let call = |service| {
            let request = request.clone();
            async move {
                let mut client = AttestationServiceClient::new(service).max_decoding_message_size(MAX_ANSWER);
                client.attestation_evaluate(request).await
            }
        };
        let token = self.endpoint.call(true, call).await?.attestation_token;
        let verified = match self.trusted.verify(&token, self.clock.now()).await {
            Ok(verified) => verified,
            Err(error) => return Err(RemoteAttestationError::of_trust(error)),
        };
        let verdict = Answer { token: &token, verified, evaluation: &evaluation }.verdict()?;
        Ok((token, verdict))
    }

    /// Sets a policy there. `policy` is its text as it travels: base64url without padding.
    pub(crate) async fn set_policy(&self, policy_id: String, policy: String) -> Result<(), RemoteError> {
        let request = SetPolicyRequest { policy_id, policy };
        // The same policy twice is the same policy.
        let call = |service| {
            let request = request.clone();
            async move { AttestationServiceClient::new(service).set_attestation_policy(request).await }
        };
        self.endpoint.call(true, call).await.map(|_| ())
    }

    /// Whether it serves, as far as it says so (`grpc.health.v1`).
    pub(crate) async fn ready(&self) -> Result<(), RemoteError> {
        let call = |service| async move {
            HealthClient::new(service).check(HealthCheckRequest { service: String::new() }).await
        };
        match self.endpoint.call(true, call).await {
            Ok(answer) if answer.status() == ServingStatus::Serving => Ok(()),
            Ok(answer) => Err(self.endpoint.unusable(format!("it says {:?}", answer.status()))),
            // It is there, and has no such service.
            Err(RemoteError::Answer { why, .. }) if why.starts_with("Unimplemented") => Ok(()),
            Err(error) => Err(error),
        }
    }
}
