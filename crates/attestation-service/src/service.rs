//! The pipeline: evidence → claims → appraisal → token.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_collateral::CollateralService;
use assay_reference_values::ReferenceValues;
use assay_types::{
    Authenticated, Binding, Clock, CollateralOrigin, CompositeEvidence, Digest, HashAlgorithm, InitData,
    InitDataMessage, RawEvidence, ReferenceValueSnapshot, RuntimeData, Tee, VerifyError,
    additional_runtime_data, canonical_digest, primary_runtime_data,
};
use serde_json::value::RawValue;

use crate::appraise::{Appraisal, Context, appraise};
use crate::error::EvaluationError;
use crate::issue::{Issued, TokenSettings, issue};
use crate::keys::TokenKeys;
use crate::policy_set::PolicySet;
use crate::registry::Registry;

/// The policy id used when none is asked for.
pub const DEFAULT_POLICY_ID: &str = "default";

/// The greatest number of policies that one evaluation may ask for.
pub const MAX_POLICY_IDS: usize = 8;

/// The greatest number of pieces of additional evidence.
pub const MAX_ADDITIONAL: usize = 16;

/// What is to be evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// The TEE of the primary evidence.
    pub tee: Tee,
    /// The evidence.
    pub evidence: &'a CompositeEvidence,
    /// The runtime data, bound by the report data.
    pub runtime_data: &'a RuntimeData,
    /// The hash of the runtime data: SHA-384 unless the protocol chose another.
    pub runtime_data_hash: HashAlgorithm,
    /// The init data, bound by a field of the primary evidence.
    pub init_data: Option<&'a InitDataMessage>,
    /// The policies that judge, without class; `default` when empty. Each of them is applied, and
    /// the worst result of each claim counts.
    pub policy_ids: &'a [String],
}

/// The attestation service.
pub struct AttestationService {
    registry: Registry,
    collateral: CollateralService,
    policies: Arc<PolicySet>,
    values: Arc<ReferenceValues>,
    keys: Arc<TokenKeys>,
    settings: TokenSettings,
    clock: Arc<dyn Clock>,
}

impl AttestationService {
    /// Puts the parts together.
    pub fn new(
        registry: Registry,
        collateral: CollateralService,
        policies: Arc<PolicySet>,
        values: Arc<ReferenceValues>,
        keys: Arc<TokenKeys>,
        settings: TokenSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        AttestationService { registry, collateral, policies, values, keys, settings, clock }
    }

    /// The attestation policies.
    pub fn policies(&self) -> &Arc<PolicySet> {
        &self.policies
    }

    /// The reference values.
    pub fn reference_values(&self) -> &Arc<ReferenceValues> {
        &self.values
    }

    /// The signing keys.
    pub fn keys(&self) -> &Arc<TokenKeys> {
        &self.keys
    }

    /// The settings of the tokens.
    pub fn token_settings(&self) -> &TokenSettings {
        &self.settings
    }

    /// The TEEs whose evidence is taken.
    pub fn tees(&self) -> impl Iterator<Item = Tee> {
        self.registry.tees()
    }

    /// Verifies, appraises and issues. A token is issued whenever the evidence is genuine, however
    /// bad the appraisal: to release or not is the relying party's decision.
    ///
    /// # Errors
    /// [`EvaluationError`]; see its variants.
    pub async fn evaluate(&self, evaluation: Evaluation<'_>) -> Result<Issued, EvaluationError> {
        let init_data = evaluation.init_data.map(InitData::from_message).transpose()?;
        let text = evaluation.evidence.additional_evidence.as_str();
        let additional = additional_evidence(text)?;
        let runtime_data = primary_runtime_data(evaluation.runtime_data, text);
        let binding = Binding {
            report_data: Some(
                canonical_digest(&runtime_data, evaluation.runtime_data_hash)?.as_bytes().to_vec(),
            ),
            init_data: init_data.as_ref().map(|data| data.digest.clone()),
        };
        let mut genuine =
            self.authenticate(evaluation.tee, &evaluation.evidence.primary_evidence, &binding).await?;
        if !additional.is_empty() {
            let value = additional_runtime_data(evaluation.runtime_data);
            let digest = canonical_digest(&value, evaluation.runtime_data_hash)?;
            let binding = Binding { report_data: Some(digest.as_bytes().to_vec()), init_data: None };
            for (tee, evidence) in additional {
                genuine.extend(self.authenticate(tee, &evidence, &binding).await?);
            }
        }

        let now = self.clock.now();
        let values = self.values.snapshot();
        let default_ids = [DEFAULT_POLICY_ID.to_owned()];
        let context = Context {
            policies: &self.policies,
            policy_ids: if evaluation.policy_ids.is_empty() { &default_ids } else { evaluation.policy_ids },
            values: values.as_ref(),
            now,
            runtime_data: &runtime_data,
            init_data: init_data.as_ref().map(|data| &data.claims),
        };
        if context.policy_ids.len() > MAX_POLICY_IDS {
            return Err(EvaluationError::TooManyPolicies { found: context.policy_ids.len() });
        }
        let appraisals: Vec<Appraisal> = genuine
            .into_iter()
            .map(|(authenticated, digest)| appraise(authenticated, digest, &context))
            .collect::<Result<_, _>>()?;
        issue(appraisals, values.digest(), &self.keys.current(), &self.settings, now)
    }

    /// The verification of one piece of evidence, collateral included.
    async fn authenticate(
        &self,
        tee: Tee,
        evidence: &RawValue,
        binding: &Binding,
    ) -> Result<Vec<(Authenticated, Digest)>, EvaluationError> {
        let verifier = self.registry.get(tee).ok_or_else(|| EvaluationError::NotTaken {
            tee,
            taken: self.registry.tees().map(Tee::as_str).collect::<Vec<_>>().join(", "),
        })?;
        let failed = |error: VerifyError| EvaluationError::Evidence { tee, error };
        let raw = RawEvidence::new(tee, evidence.get().as_bytes().to_vec());
        let digest = raw.digest();
        let parsed = verifier.parse(&raw).map_err(failed)?;
        let now = self.clock.now();
        let needed = parsed.collateral_needed(now);
        let collateral = self.collateral.fetch_all(&needed).await?;
        let result = parsed.verify(binding, &collateral, self.clock.now());
        if result.is_err() && collateral.items.iter().any(|item| item.origin == CollateralOrigin::Cache) {
            // The cached answer may be the cause: it is fetched anew next time.
            for request in &needed {
                self.collateral.discard(request).await;
            }
        }
        Ok(result.map_err(failed)?.into_iter().map(|genuine| (genuine, digest.clone())).collect())
    }
}

/// Reads `""` or `{"<tee>": evidence, …}`, in the order of the names.
fn additional_evidence(text: &str) -> Result<BTreeMap<Tee, Box<RawValue>>, EvaluationError> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wrong = |reason: String| EvaluationError::AdditionalEvidence { reason };
    let entries: Entries = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if entries.0.len() > MAX_ADDITIONAL {
        return Err(wrong(format!("{} pieces; at most {MAX_ADDITIONAL} are taken", entries.0.len())));
    }
    let mut map = BTreeMap::new();
    for (name, evidence) in entries.0 {
        let tee: Tee = name.parse().map_err(|error: assay_types::UnknownTee| wrong(error.to_string()))?;
        if map.insert(tee, evidence).is_some() {
            return Err(wrong(format!("{tee} stands there twice")));
        }
    }
    Ok(map)
}

/// The members of a JSON object in their order, duplicates included.
struct Entries(Vec<(String, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of evidence by TEE name")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additional_evidence_is_read_strictly() {
        assert!(additional_evidence("").unwrap().is_empty());
        let two = additional_evidence(r#"{"nvidia":{"a":1},"sampledevice":{}}"#).unwrap();
        assert_eq!(two[&Tee::Nvidia].get(), r#"{"a":1}"#);
        for (text, part) in [
            ("[]", "object"),
            ("{", "EOF"),
            (r#"{"abacus":{}}"#, "abacus"),
            (r#"{"nvidia":{},"nvidia":{}}"#, "twice"),
        ] {
            let error = additional_evidence(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
