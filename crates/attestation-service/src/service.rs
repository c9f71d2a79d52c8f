//! The pipeline: evidence → claims → appraisal → token.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_collateral::CollateralService;
use assay_reference_values::{Consultation, ReferenceValueSource};
use assay_types::{
    Binding, Clock, CompositeEvidence, HashAlgorithm, InitData, InitDataMessage, RawEvidence, RuntimeData,
    Tee, additional_runtime_data, canonical_digest, primary_runtime_data,
};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::appraise::{Appraisal, Context, appraise};
use crate::authenticate::Genuine;
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

/// What is to be evaluated outside RCAR: one piece of evidence, bound to whatever its protocol says.
/// There are no runtime data and no init data to show to policies.
#[derive(Clone, Debug)]
pub struct DirectEvaluation<'a> {
    /// The evidence, and which TEE's it is.
    pub evidence: RawEvidence,
    /// What the evidence must be bound to.
    pub binding: Binding,
    /// The policies that judge, as in [`Evaluation`].
    pub policy_ids: &'a [String],
    /// The relying party's nonce, to stand in the token (`eat_nonce`).
    pub nonce: Option<&'a [u8]>,
}

/// What policies see beside the claims of the evidence, and what the token says beside them.
pub(crate) struct Surroundings<'a> {
    pub(crate) policy_ids: &'a [String],
    pub(crate) runtime_data: Option<&'a Value>,
    pub(crate) init_data: Option<&'a InitData>,
    pub(crate) nonce: Option<&'a [u8]>,
}

/// The attestation service.
pub struct AttestationService {
    pub(crate) registry: Registry,
    pub(crate) collateral: CollateralService,
    policies: Arc<PolicySet>,
    values: Arc<dyn ReferenceValueSource>,
    keys: Arc<TokenKeys>,
    settings: TokenSettings,
    pub(crate) clock: Arc<dyn Clock>,
}

impl AttestationService {
    /// Puts the parts together.
    pub fn new(
        registry: Registry,
        collateral: CollateralService,
        policies: Arc<PolicySet>,
        values: Arc<dyn ReferenceValueSource>,
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

    /// Where the reference values come from.
    pub fn reference_values(&self) -> &Arc<dyn ReferenceValueSource> {
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
        let mut values = self.values.consult().await?;
        let primary = RawEvidence::new(evaluation.tee, json_bytes(&evaluation.evidence.primary_evidence));
        let mut genuine = self.authenticate_with(&primary, &binding, values.as_mut()).await?;
        if !additional.is_empty() {
            let value = additional_runtime_data(evaluation.runtime_data);
            let digest = canonical_digest(&value, evaluation.runtime_data_hash)?;
            let binding = Binding { report_data: Some(digest.as_bytes().to_vec()), init_data: None };
            for (tee, evidence) in additional {
                let evidence = RawEvidence::new(tee, json_bytes(&evidence));
                genuine.extend(self.authenticate_with(&evidence, &binding, values.as_mut()).await?);
            }
        }
        let surroundings = Surroundings {
            policy_ids: evaluation.policy_ids,
            runtime_data: Some(&runtime_data),
            init_data: init_data.as_ref(),
            nonce: None,
        };
        self.appraise_and_issue(genuine, values.as_mut(), &surroundings).await
    }

    /// [`AttestationService::evaluate`] for other protocols than RCAR.
    ///
    /// # Errors
    /// [`EvaluationError`]; see its variants.
    pub async fn evaluate_direct(&self, evaluation: DirectEvaluation<'_>) -> Result<Issued, EvaluationError> {
        let mut values = self.values.consult().await?;
        let genuine =
            self.authenticate_with(&evaluation.evidence, &evaluation.binding, values.as_mut()).await?;
        let surroundings = Surroundings {
            policy_ids: evaluation.policy_ids,
            runtime_data: None,
            init_data: None,
            nonce: evaluation.nonce,
        };
        self.appraise_and_issue(genuine, values.as_mut(), &surroundings).await
    }

    /// The second half of every evaluation. The reference values are those that gave the trust anchors.
    /// Where they are learned on the way, the appraisal is repeated until it asks for nothing new.
    pub(crate) async fn appraise_and_issue(
        &self,
        mut genuine: Vec<Genuine>,
        values: &mut dyn Consultation,
        surroundings: &Surroundings<'_>,
    ) -> Result<Issued, EvaluationError> {
        let now = self.clock.now();
        let default_ids = [DEFAULT_POLICY_ID.to_owned()];
        let asked_for = surroundings.policy_ids;
        let policy_ids = if asked_for.is_empty() { &default_ids } else { asked_for };
        if policy_ids.len() > MAX_POLICY_IDS {
            return Err(EvaluationError::TooManyPolicies { found: policy_ids.len() });
        }
        let appraisals = loop {
            let only_round = values.is_complete();
            let round = if only_round { std::mem::take(&mut genuine) } else { genuine.clone() };
            let context = Context {
                policies: &self.policies,
                policy_ids,
                values: values.values(),
                now,
                runtime_data: surroundings.runtime_data,
                init_data: surroundings.init_data.map(|data| &data.claims),
            };
            let appraisals: Result<Vec<Appraisal>, EvaluationError> =
                round.into_iter().map(|genuine| appraise(genuine, &context)).collect();
            if only_round || !values.learn().await? {
                break appraisals?;
            }
        };
        let digest = values.digest(&mut appraisals.iter().flat_map(|appraisal| &appraisal.asked));
        let nonce = surroundings.nonce.map(<[u8]>::to_vec);
        issue(appraisals, digest, nonce, &self.keys.current(), &self.settings, now)
    }
}

fn json_bytes(evidence: &RawValue) -> Vec<u8> {
    evidence.get().as_bytes().to_vec()
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
