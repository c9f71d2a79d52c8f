//! Authenticated claims → appraisal: the policies judge, and every reason is kept.

use std::borrow::Cow;
use std::sync::Arc;

use assay_policy::{Extension, PolicyFinding};
use assay_types::{
    AskedReferenceValue, Check, Claims, Digest, Facts, Finding, LayerAppraisal, Lookup, Outcome,
    ReferenceValueSnapshot, TrustClaim, TrustTier, TrustVector, UnixTime,
};
use serde_json::Value;

use crate::authenticate::{Genuine, Shown};
use crate::endorsed;
use crate::error::EvaluationError;
use crate::policy_set::{PolicyInForce, PolicySet};
use crate::verdict::AppliedPolicy;

/// The checks of the appraisal itself. Policies add findings with codes of their own.
pub const CHECKS: &[Check] = &[TRUST_CLAIM, VALUE_MISSING, VALUE_EXPIRED];

const TRUST_CLAIM: Check = Check {
    code: "APR-001",
    name: "trustworthiness claim is affirming",
    remedy: "see the policy's own findings, the reference values beside them, and the policy's text",
    source: "AR4SI, section 2.3",
};

const VALUE_MISSING: Check = Check {
    code: "APR-002",
    name: "reference value exists",
    remedy: "register the reference value, or use a policy that does not need it",
    source: "RFC 9334, section 8.3",
};

const VALUE_EXPIRED: Check = Check {
    code: "APR-003",
    name: "reference value is in force",
    remedy: "register the reference value again once it is known to be still good",
    source: "RFC 9334, section 8.3",
};

/// An attester's appraisal. Made only from [`Authenticated`](assay_types::Authenticated) claims.
#[derive(Clone, Debug)]
pub struct Appraisal {
    pub(crate) facts: Facts,
    pub(crate) evidence: Digest,
    /// The tree that the policies saw and that the token annotates.
    pub(crate) tree: Value,
    pub(crate) trust_vector: TrustVector,
    pub(crate) layers: Vec<LayerAppraisal>,
    pub(crate) policies: Vec<AppliedPolicy>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) asked: Vec<AskedReferenceValue>,
    /// The first end of a reference value or trust anchor that was used.
    pub(crate) values_until: UnixTime,
}

/// What the claims of one attester are judged with.
pub(crate) struct Context<'a> {
    pub(crate) policies: &'a PolicySet,
    pub(crate) policy_ids: &'a [String],
    pub(crate) values: &'a dyn ReferenceValueSnapshot,
    pub(crate) now: UnixTime,
    pub(crate) runtime_data: Option<&'a Value>,
    pub(crate) init_data: Option<&'a Claims>,
}

pub(crate) fn appraise(genuine: Genuine, context: &Context<'_>) -> Result<Appraisal, EvaluationError> {
    let Genuine { authenticated, evidence, anchors_until, shown } = genuine;
    let (mut facts, mut findings) = authenticated.into_parts();
    let mut asked: Vec<AskedReferenceValue> = Vec::new();
    let endorsed = endorsed::compare(&mut facts, context);
    for question in endorsed.asked {
        add_asked(&mut asked, question);
    }
    let tree = claim_tree(&mut facts, context, &shown);
    let mut applied = Vec::with_capacity(context.policy_ids.len());
    let mut extensions = Vec::new();
    let mut explained: Vec<TrustClaim> = Vec::new();
    let mut trust_vector = TrustVector::default();

    for requested in context.policy_ids {
        let (entry, policy_id) = find_policy(requested, &facts, context.policies)?;
        let failed = |error| EvaluationError::Policy { id: policy_id.clone(), error };
        let policy = entry.policy.as_ref().map_err(|error| failed(error.clone()))?;
        let said = policy.appraise(&tree, context.values, context.now).map_err(failed)?;
        if said.trust_vector.status() != TrustTier::Affirming {
            let reasons = policy.explain(&tree, context.values, context.now).map_err(failed)?;
            for reason in reasons {
                // The explanation may look further than the verdict, which stops at the first "no".
                if let Some(id) = &reason.reference_value {
                    let answer = context.values.query(id, context.now);
                    add_asked(&mut asked, AskedReferenceValue { id: id.clone(), answer });
                }
                let verdict = reason.claim.map(|claim| (claim, said.trust_vector.get(claim)));
                explained.extend(reason.claim);
                findings.push(policy_finding(reason, verdict, &asked));
            }
        }
        for question in said.asked {
            add_asked(&mut asked, question);
        }
        trust_vector = trust_vector.worst(said.trust_vector);
        extensions.extend(said.extensions);
        applied.push(AppliedPolicy {
            requested: requested.clone(),
            id: entry.id.clone(),
            version: entry.version,
            digest: policy.digest().clone(),
            trust_vector: said.trust_vector,
        });
    }
    for reason in endorsed.findings {
        let claim = reason.claim;
        let finding = endorsed::finding(reason, &trust_vector);
        if finding.failed() {
            explained.push(claim);
        }
        findings.push(finding);
    }
    findings.extend(asked.iter().filter_map(value_finding));
    findings.extend(
        claim_findings(&trust_vector).filter(|(claim, _)| !explained.contains(claim)).map(|(_, f)| f),
    );
    let values_until = asked
        .iter()
        .filter_map(|question| match question.answer {
            Lookup::Found { expires, .. } => Some(expires),
            Lookup::Missing | Lookup::Expired { .. } => None,
        })
        .fold(anchors_until, UnixTime::min);
    Ok(Appraisal {
        facts,
        evidence,
        tree,
        trust_vector,
        layers: endorsed.layers,
        policies: applied,
        extensions,
        findings,
        asked,
        values_until,
    })
}

fn add_asked(asked: &mut Vec<AskedReferenceValue>, question: AskedReferenceValue) {
    if !asked.iter().any(|known| known.id == question.id) {
        asked.push(question);
    }
}

fn find_policy(
    requested: &str,
    facts: &Facts,
    policies: &PolicySet,
) -> Result<(Arc<PolicyInForce>, String), EvaluationError> {
    let id = format!("{requested}_{}", facts.class);
    match policies.get(&id) {
        Some(entry) => Ok((entry, id)),
        None => Err(EvaluationError::NoPolicy { id }),
    }
}

/// `{"<tee>": claims, "report_data", "init_data", "runtime_data_claims", "init_data_claims"}`, the
/// policy input and annotated evidence of Trustee. Runtime and init data stand there only when this
/// TEE's evidence binds them: its own, or those of the whole evaluation.
fn claim_tree(facts: &mut Facts, context: &Context<'_>, shown: &Shown) -> Value {
    let mut tree = Claims::new();
    tree.insert(facts.tee.to_string(), Value::Object(std::mem::take(&mut facts.claims)));
    if let Some(report_data) = &facts.report_data {
        tree.insert("report_data".into(), Value::String(report_data.clone()));
        if let Some(claims) = shown.runtime_data.as_deref().or(context.runtime_data) {
            tree.insert("runtime_data_claims".into(), claims.clone());
        }
    }
    if let Some(init_data) = &facts.init_data {
        tree.insert("init_data".into(), Value::String(init_data.clone()));
        if let Some(claims) = shown.init_data.as_deref().or(context.init_data) {
            tree.insert("init_data_claims".into(), Value::Object(claims.clone()));
        }
    }
    Value::Object(tree)
}

/// The policy's own reason, with the verdict it caused.
fn policy_finding(
    reason: PolicyFinding,
    verdict: Option<(TrustClaim, i8)>,
    asked: &[AskedReferenceValue],
) -> Finding {
    let mut detail = reason.detail;
    if let Some(id) = &reason.reference_value {
        let answer = asked.iter().find(|question| &question.id == id).map(|question| &question.answer);
        match answer {
            Some(Lookup::Missing) => detail.push_str(&format!(": there is no reference value {id}")),
            Some(Lookup::Expired { since }) => {
                detail.push_str(&format!(": the reference value {id} ended at {since}"));
            }
            _ => {}
        }
    }
    if let Some((claim, value)) = verdict {
        add_verdict(&mut detail, claim, value);
    }
    let name = match (&reason.reference_value, reason.claim) {
        (Some(id), Some(claim)) => format!("{claim}: {id}"),
        (Some(id), None) => id.clone(),
        (None, Some(claim)) => claim.to_string(),
        (None, None) => "policy".to_owned(),
    };
    Finding {
        code: Cow::Owned(reason.code),
        check: Cow::Owned(name),
        outcome: Outcome::Failed,
        expected: as_text(&reason.expected),
        found: as_text(&reason.found),
        detail,
        remedy: Cow::Owned(reason.remedy),
    }
}

/// Adds to a reason the verdict it bears on.
pub(crate) fn add_verdict(detail: &mut String, claim: TrustClaim, value: i8) {
    let separator = if detail.is_empty() { "" } else { "; " };
    detail.push_str(&format!("{separator}{claim} is {value}, {}", TrustTier::of(value)));
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(" | "),
        other => other.to_string(),
    }
}

/// A missing reference value is not a failure by itself (the policy decided), so it is shown as a
/// check that could not be made.
fn value_finding(question: &AskedReferenceValue) -> Option<Finding> {
    let (check, detail) = match &question.answer {
        Lookup::Found { .. } => return None,
        Lookup::Missing => (&VALUE_MISSING, format!("{} was asked for and is not registered", question.id)),
        Lookup::Expired { since } => {
            (&VALUE_EXPIRED, format!("{} was asked for and ended at {since}", question.id))
        }
    };
    Some(Finding::new(check, Outcome::NotChecked, question.id.clone(), "", detail))
}

/// One finding for each claim that is worse than affirming; it matters where the policy gives no
/// reason of its own.
fn claim_findings(vector: &TrustVector) -> impl Iterator<Item = (TrustClaim, Finding)> {
    let vector = *vector;
    TrustClaim::ALL.into_iter().filter_map(move |claim| {
        let value = vector.get(claim);
        let tier = TrustTier::of(value);
        (tier > TrustTier::Affirming).then(|| {
            let found = format!("{tier} ({value})");
            (claim, Finding::new(&TRUST_CLAIM, Outcome::Failed, "affirming", found, claim.as_str()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_the_missing_reference_value() {
        let reason = PolicyFinding {
            claim: Some(TrustClaim::Executables),
            value: None,
            code: "X-1".into(),
            reference_value: Some("snp_launch_measurement".into()),
            expected: Value::Null,
            found: Value::String("aa".into()),
            detail: "not wanted".into(),
            remedy: "register it".into(),
        };
        let asked = [AskedReferenceValue { id: "snp_launch_measurement".into(), answer: Lookup::Missing }];
        let finding = policy_finding(reason, Some((TrustClaim::Executables, 33)), &asked);
        assert_eq!(
            finding.detail,
            "not wanted: there is no reference value snp_launch_measurement; executables is 33, warning"
        );
        assert_eq!(finding.check, "executables: snp_launch_measurement");
    }
}
