//! Resources: `<repository>/<type>/<tag>`.

use std::collections::HashSet;

use assay_store::Store;
use assay_store::foreign::Entry;
use assay_types::{ResourcePath, SecretBytes, UnixTime};

use super::kinds::{Plan, Reason};

pub(super) fn plan(entries: Vec<Entry>) -> Plan<(ResourcePath, SecretBytes)> {
    let mut plan = Plan::default();
    for Entry { key, value } in entries {
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                plan.refuse(key, Reason::of(&error));
                continue;
            }
        };
        match key.parse::<ResourcePath>() {
            Ok(path) => plan.wanted.push((key, (path, value))),
            Err(error) => plan.refuse(
                key,
                Reason::new(error.to_string(), "store it under another name, and have guests ask for that"),
            ),
        }
    }
    plan
}

/// The paths of those that the store has already, with the same content.
pub(super) async fn unchanged(
    store: &Store,
    plan: &Plan<(ResourcePath, SecretBytes)>,
) -> anyhow::Result<HashSet<String>> {
    let mut same = HashSet::new();
    for (name, (path, value)) in &plan.wanted {
        if store.get_resource(path).await?.is_some_and(|stored| stored.value == *value) {
            same.insert(name.clone());
        }
    }
    Ok(same)
}

pub(super) async fn write(
    store: &Store,
    plan: &Plan<(ResourcePath, SecretBytes)>,
    same: &HashSet<String>,
    now: UnixTime,
) -> anyhow::Result<()> {
    let new: Vec<(&ResourcePath, &SecretBytes)> = plan
        .wanted
        .iter()
        .filter(|(name, _)| !same.contains(name))
        .map(|(_, (path, value))| (path, value))
        .collect();
    if !new.is_empty() {
        store.put_resources(&new, now).await?;
    }
    Ok(())
}
