//! Evidence → authenticated claims: the collateral is brought, then the verifier decides.

use assay_reference_values::Consultation;
use assay_types::{
    Authenticated, Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralRequest,
    CollateralSet, CollateralUse, Digest, Lookup, RawEvidence, ReferenceValueSnapshot, Tee, UnixTime,
    VerifyError,
};
use assay_veraison::{VeraisonClient, VeraisonFailure};

use crate::AttestationService;
use crate::error::EvaluationError;

/// How often a piece of collateral may name another that is wanted.
const MAX_FURTHER_ROUNDS: usize = 3;

/// The claims of one attester, with what the verdict needs to know about how they were proved.
#[derive(Clone)]
pub(crate) struct Genuine {
    pub(crate) authenticated: Authenticated,
    /// The digest of the evidence.
    pub(crate) evidence: Digest,
    /// The first end of a trust anchor that the claims rest on.
    pub(crate) anchors_until: UnixTime,
}

impl AttestationService {
    /// [`AttestationService::authenticate`], with what is to be learned for it.
    pub(crate) async fn authenticate_with(
        &self,
        evidence: &RawEvidence,
        binding: &Binding,
        consultation: &mut dyn Consultation,
    ) -> Result<Vec<Genuine>, EvaluationError> {
        let result = self.authenticate(evidence, binding, consultation.values()).await;
        // Verifiers ask for groups, and those only. What a provider cannot be asked outweighs whatever came
        // of the silence.
        consultation.learn().await?;
        result
    }

    /// The verification of one piece of evidence, collateral included.
    async fn authenticate(
        &self,
        evidence: &RawEvidence,
        binding: &Binding,
        values: &dyn ReferenceValueSnapshot,
    ) -> Result<Vec<Genuine>, EvaluationError> {
        let tee = evidence.tee;
        if let Some(veraison) = self.registry.veraison(tee) {
            return self.by_veraison(veraison, evidence, binding).await;
        }
        let verifier = self.registry.get(tee).ok_or_else(|| EvaluationError::NotTaken {
            tee,
            taken: self.registry.tees().map(Tee::as_str).collect::<Vec<_>>().join(", "),
        })?;
        let failed = |error: VerifyError| EvaluationError::Evidence { tee, error };
        let digest = evidence.digest();
        let parsed = verifier.parse(evidence).map_err(failed)?;
        let now = self.clock.now();
        let (endorsed, needed): (Vec<_>, Vec<_>) = parsed
            .collateral_needed(now)
            .into_iter()
            .partition(|request| request.kind == CollateralKind::TrustAnchors);
        let mut collateral = self.collateral.fetch_all(&needed).await?;
        let mut needed = needed;
        for _ in 0..MAX_FURTHER_ROUNDS {
            let further = parsed.further_collateral_needed(&collateral, now);
            if further.is_empty() {
                break;
            }
            collateral.items.extend(self.collateral.fetch_all(&further).await?.items);
            needed.extend(further);
        }
        let anchors = TrustAnchors::find(&endorsed, values, now);
        collateral.items.extend(anchors.items());
        let result = parsed.verify(binding, &collateral, self.clock.now());
        if result.is_err() && came_from_cache(&collateral) {
            // The cached answer may be the cause: it is fetched anew next time.
            for request in &needed {
                self.collateral.discard(request).await;
            }
        }
        let genuine = result.map_err(failed)?.into_iter().map(|authenticated| Genuine {
            anchors_until: anchors.used_until(&authenticated.facts().collateral),
            authenticated,
            evidence: digest.clone(),
        });
        Ok(genuine.collect())
    }

    /// Verification by a Veraison service, which brings its own trust anchors and reference values.
    async fn by_veraison(
        &self,
        veraison: &VeraisonClient,
        evidence: &RawEvidence,
        binding: &Binding,
    ) -> Result<Vec<Genuine>, EvaluationError> {
        let genuine = veraison.verify(&evidence.bytes, binding).await.map_err(|failure| match failure {
            VeraisonFailure::Evidence(error) => EvaluationError::Evidence { tee: evidence.tee, error },
            VeraisonFailure::Service(error) => EvaluationError::Veraison(error),
        })?;
        let genuine = genuine.into_iter().map(|authenticated| Genuine {
            authenticated,
            evidence: evidence.digest(),
            anchors_until: UnixTime::MAX,
        });
        Ok(genuine.collect())
    }
}

fn came_from_cache(collateral: &CollateralSet) -> bool {
    collateral.items.iter().any(|item| item.origin == CollateralOrigin::Cache)
}

/// Trust anchors from the reference values. No network is asked for them, and when there is none the
/// verifier says so: it knows what it looked for.
struct TrustAnchors(Vec<Anchor>);

struct Anchor {
    item: CollateralItem,
    expires: UnixTime,
}

impl TrustAnchors {
    /// What is in force of the groups that `requests` name.
    fn find(requests: &[CollateralRequest], values: &dyn ReferenceValueSnapshot, now: UnixTime) -> Self {
        let mut anchors = Vec::new();
        for request in requests {
            for member in values.group(&request.cache_key, now) {
                match member.answer {
                    Lookup::Found { value, expires } => {
                        let bytes = value.to_string().into_bytes().into();
                        let origin = CollateralOrigin::ReferenceValue(member.id);
                        let kind = CollateralKind::TrustAnchors;
                        anchors.push(Anchor { item: CollateralItem { kind, bytes, origin }, expires });
                    }
                    Lookup::Expired { since } => {
                        tracing::debug!(id = member.id, %since, "a trust anchor has ended and is not used");
                    }
                    Lookup::Missing => {}
                }
            }
        }
        TrustAnchors(anchors)
    }

    fn items(&self) -> impl Iterator<Item = CollateralItem> {
        self.0.iter().map(|anchor| anchor.item.clone())
    }

    /// The first end of those that the verifier says it used; of all, where it names none of them.
    fn used_until(&self, used: &[CollateralUse]) -> UnixTime {
        let is_used = |anchor: &&Anchor| used.iter().any(|item| item.origin == anchor.item.origin);
        let first_end = |all: &mut dyn Iterator<Item = &Anchor>| all.map(|anchor| anchor.expires).min();
        first_end(&mut self.0.iter().filter(is_used))
            .or_else(|| first_end(&mut self.0.iter()))
            .unwrap_or(UnixTime::MAX)
    }
}
