//! The decision to release a resource, and the release.
//!
//! A [`Release`] exists only after a resource policy said yes to this guest and this path, and only a
//! [`Release`] reads the resource. So whether a resource is there is told to nobody whom the policy
//! denies.

use std::sync::Arc;

use assay_attestation_service::{PolicyInForce, RESOURCE_POLICY_ID, Verdict};
use assay_audit::{Event, Kind};
use assay_token::{EarClaims, jwe};
use assay_types::{Finding, ResourcePath, Response, TrustTier};
use serde_json::{Map, Value, json};

use crate::origin::Origin;
use crate::session::Attested;
use crate::{KeyBroker, RequestError};

/// A resource that a guest may have.
pub(crate) struct Release<'a> {
    broker: &'a KeyBroker,
    origin: &'a Origin,
    path: &'a ResourcePath,
    guest: &'a Attested,
    policy: Arc<PolicyInForce>,
}

impl<'a> Release<'a> {
    /// Asks the resource policy: the one whose id is the longest prefix of the path, else
    /// `resource-policy`.
    pub(crate) async fn decide(
        broker: &'a KeyBroker,
        origin: &'a Origin,
        path: &'a ResourcePath,
        query: Map<String, Value>,
        guest: &'a Attested,
    ) -> Result<Self, RequestError> {
        let policy = policy_for(broker, path)?;
        let data = json!({ "plugin": "resource", "resource-path": path.segments(), "query": query });
        let decision = match &policy.policy {
            Ok(compiled) => compiled.allow(&data, guest.claims()),
            Err(error) => Err(error.clone()),
        };
        broker.metrics().policy_evaluated(decision.as_ref().ok().copied());
        let release = Release { broker, origin, path, guest, policy };
        let policy = &release.policy;
        let allowed = match decision {
            Ok(allowed) => allowed,
            Err(error) => {
                let error = Err(RequestError::ResourcePolicy { policy: policy.id.clone(), error });
                broker.audit().append_decision(release.event(Kind::Denial, &error)).await?;
                return error;
            }
        };
        tracing::info!(
            resource = %path, jti = guest.jti(), policy = policy.id, version = policy.version, allowed,
            "resource policy decided"
        );
        if !allowed {
            let denied = Err(denial(broker, path, policy, guest).await);
            broker.audit().append_decision(release.event(Kind::Denial, &denied)).await?;
            return denied;
        }
        Ok(release)
    }

    /// Reads the resource and encrypts it for the guest. The release is in the audit log before the answer
    /// is given, or has a place in its queue.
    pub(crate) async fn deliver(self) -> Result<Response, RequestError> {
        let result = self.sealed().await;
        self.broker.audit().append_decision(self.event(Kind::Release, &result)).await?;
        if result.is_ok() {
            self.broker.metrics().resource_read();
        }
        result
    }

    async fn sealed(&self) -> Result<Response, RequestError> {
        let key = self.guest.guest_key().ok_or(RequestError::NoGuestKey)?;
        let resource = self.broker.secrets().get(self.path).await?;
        let resource = resource.ok_or_else(|| RequestError::not_found("resource", self.path.as_str()))?;
        Ok(jwe::encrypt(key, resource.value.expose())?)
    }

    fn event<T>(&self, kind: Kind, result: &Result<T, RequestError>) -> Event {
        let digest = self.policy.policy.as_ref().ok().map(|policy| policy.digest().clone());
        self.origin
            .event(kind, result)
            .who(format!("attestation {}", self.guest.jti()))
            .resource(self.path.as_str())
            .policy(&self.policy.id, self.policy.version, digest)
    }
}

fn policy_for(broker: &KeyBroker, path: &ResourcePath) -> Result<Arc<PolicyInForce>, RequestError> {
    let policies = broker.resource_policies();
    policies
        .most_specific(path.as_str())
        .or_else(|| policies.get(RESOURCE_POLICY_ID))
        .ok_or_else(|| RequestError::internal("there is no resource policy"))
}

/// The denial with its reasons: which attesters are not affirming, and which checks failed.
async fn denial(
    broker: &KeyBroker,
    path: &ResourcePath,
    policy: &PolicyInForce,
    guest: &Attested,
) -> RequestError {
    let unaffirmed = EarClaims::from_value(guest.claims()).map_or_else(
        |_| Vec::new(),
        |claims| {
            let submods = claims.submods.into_iter();
            submods
                .filter(|(_, submod)| submod.status != TrustTier::Affirming)
                .map(|(name, submod)| (name, submod.status))
                .collect()
        },
    );
    RequestError::Denied {
        path: path.to_string(),
        policy: policy.id.clone(),
        unaffirmed,
        findings: failed_findings(broker, guest).await,
    }
}

/// The failed findings of the verdict behind the token. The denial stands without them too.
async fn failed_findings(broker: &KeyBroker, guest: &Attested) -> Vec<Finding> {
    let verdict = match broker.store().verdict(guest.jti()).await {
        Ok(Some(text)) => serde_json::from_str::<Verdict>(&text).ok(),
        Ok(None) => None,
        Err(error) => {
            tracing::error!(%error, "reading a verdict failed");
            None
        }
    };
    let attesters = verdict.into_iter().flat_map(|verdict| verdict.attesters.into_values());
    attesters.flat_map(|attester| attester.findings).filter(Finding::failed).collect()
}
