//! Policies, admitted as every policy from outside.

use std::collections::HashSet;

use assay_attestation_service::{
    ATTESTATION_POLICIES, PolicySet, RESOURCE_POLICIES, RESOURCE_POLICY_ID, is_policy_id,
};
use assay_policy::{Admission, Policy, PolicyKind};
use assay_store::Store;
use assay_store::foreign::Entry;
use assay_types::{Digest, SecretBytes, UnixTime};
use serde_json::json;

use super::kinds::{Plan, Reason};

const ENDING: &str = ".rego";

pub(super) async fn plan(
    kind: PolicyKind,
    entries: Vec<Entry>,
    admission: &Admission,
) -> anyhow::Result<Plan<Policy>> {
    let mut plan = Plan::default();
    for Entry { key, value } in entries {
        let policy = match value.map_err(|error| Reason::of(&error)) {
            Ok(text) => admit(kind, &key, &text, admission).await,
            Err(reason) => Err(reason),
        };
        match policy {
            Ok((id, policy)) => plan.wanted.push((id, policy)),
            Err(reason) => plan.refuse(key, reason),
        }
    }
    match kind {
        PolicyKind::Resource => plan.notes.extend(resource_notes(&plan.wanted)?),
        PolicyKind::Attestation => plan.notes.extend(attestation_notes(&plan.wanted)),
    }
    Ok(plan)
}

async fn admit(
    kind: PolicyKind,
    key: &str,
    text: &SecretBytes,
    admission: &Admission,
) -> Result<(String, Policy), Reason> {
    let id = key.strip_suffix(ENDING).ok_or_else(|| {
        Reason::new("Trustee's policies end with .rego", "set it by hand, if it is one: `assay policy set`")
    })?;
    match kind {
        PolicyKind::Resource if id != RESOURCE_POLICY_ID => {
            return Err(Reason::new(
                "Trustee asks no resource policy but resource-policy.rego",
                "set it by hand, if it is one: `assay policy set PREFIX FILE --kind resource`",
            ));
        }
        PolicyKind::Attestation if !is_policy_id(id) => {
            return Err(Reason::new(
                "the id has other characters than A-Z a-z 0-9 _ - . /",
                "set it by another id",
            ));
        }
        PolicyKind::Resource | PolicyKind::Attestation => {}
    }
    let text = std::str::from_utf8(text.expose())
        .map_err(|_| Reason::new("it is not UTF-8 text", "write it anew, as text"))?;
    let policy = admission.admit(kind, text).await.map_err(|error| Reason {
        instead: Some("change it as docs/policies.md says; try with `assay policy check FILE`"),
        ..Reason::of(&error)
    })?;
    Ok((id.to_owned(), policy))
}

/// What changes by having Trustee's resource policy, or by having none.
fn resource_notes(wanted: &[(String, Policy)]) -> anyhow::Result<Vec<String>> {
    const OURS: &str = "Assay's own opens resources only to tokens whose attesters are all affirming";
    let Some((id, policy)) = wanted.first() else {
        return Ok(vec![format!(
            "none is taken, so Assay's own decides: {OURS}, while Trustee's default opens them to any TEE"
        )]);
    };
    let bundled = RESOURCE_POLICIES.iter().any(|(_, text)| *text == policy.text());
    let mut notes = Vec::new();
    if !bundled {
        notes.push(format!(
            "it takes the place of Assay's own: {OURS}. `assay policy delete {id} --kind resource` brings that back"
        ));
    }
    let data = json!({ "plugin": "resource", "resource-path": ["default", "key", "1"], "query": {} });
    let input = json!({ "submods": { "cpu0": {
        "ear.status": "contraindicated",
        "ear.veraison.annotated-evidence": { "snp": {} },
    } } });
    // An error denies.
    if policy.allow(&data, &input).unwrap_or(false) {
        notes.push(
            "BEWARE: it opens default/key/1 to an attester whose status is contraindicated: any machine with a \
             TEE, in debug mode or with unknown software, gets such secrets"
                .to_owned(),
        );
    }
    Ok(notes)
}

fn attestation_notes(wanted: &[(String, Policy)]) -> Vec<String> {
    let ours = |id: &str| ATTESTATION_POLICIES.iter().find(|(bundled, _)| *bundled == id);
    wanted
        .iter()
        .filter(|(id, policy)| ours(id).is_some_and(|(_, text)| *text != policy.text()))
        .map(|(id, _)| {
            format!(
                "{id} takes the place of Assay's own, which judges more TEEs and says what it missed; Trustee stores \
                 its default at the first start, so this may be that one. `assay policy delete {id}` brings ours back"
            )
        })
        .collect()
}

/// The ids of those that the store has already, with the same text.
pub(super) async fn unchanged(
    store: &Store,
    kind: PolicyKind,
    plan: &Plan<Policy>,
) -> anyhow::Result<HashSet<String>> {
    let stored = store.all_policies(kind.as_str()).await?;
    let same = |id: &str, policy: &Policy| {
        stored.iter().any(|stored| stored.info.id == id && stored.text == policy.text())
    };
    let new = plan.wanted.iter().filter(|(id, _)| !stored.iter().any(|stored| stored.info.id == *id)).count();
    anyhow::ensure!(
        stored.len() + new <= PolicySet::MAX_POLICIES,
        "there would be {} policies of this kind; {} are the most",
        stored.len() + new,
        PolicySet::MAX_POLICIES
    );
    Ok(plan.wanted.iter().filter(|(id, policy)| same(id, policy)).map(|(id, _)| id.clone()).collect())
}

pub(super) async fn write(
    store: &Store,
    kind: PolicyKind,
    plan: &Plan<Policy>,
    same: &HashSet<String>,
    now: UnixTime,
) -> anyhow::Result<()> {
    let new: Vec<(&str, &str, &Digest)> = plan
        .wanted
        .iter()
        .filter(|(id, _)| !same.contains(id))
        .map(|(id, policy)| (id.as_str(), policy.text(), policy.digest()))
        .collect();
    if !new.is_empty() {
        store.put_policies(kind.as_str(), &new, now).await?;
    }
    Ok(())
}
