//! The JSON stores of rust-ccatoken and Trustee.
//!
//! - Trust anchors: `[{"pkey": JWK, "implementation-id": hex, "instance-id": hex}, …]`.
//! - Reference values: `{"platform": [{"implementation-id", "sw-components": [{"component-type",
//!   "measurement-value", "signer-id", "version"}], "platform-configuration"}], "realm":
//!   [{"initial-measurement", "extensible-measurements", "personalization-value",
//!   "rak-hash-algorithm"}]}`.
//!
//! Read strictly: a member that is not known or there twice, a length that is wrong, a key that is not
//! on its curve, an entry that is there twice are refused. Hexadecimal digits may be of either case.
//! `rak-hash-algorithm` must be one that is known, and is not compared: which algorithms may bind a
//! realm's key is the verifier's own rule. The additions of the stored form
//! ([`Endorsement::to_value`]) are read too.
//!
//! Limits: 4 MiB, 10 000 entries.

use std::collections::HashSet;

use serde::Deserialize;

use super::entry::{PlatformEntry, RealmEntry, TrustAnchorEntry};
use super::value::{Problems, algorithm_of_name, platform, realm, trust_anchor};
use super::{Endorsement, EndorsementError, NamedEndorsement, Origin};

/// The largest store in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The most entries of a store.
pub const MAX_ENTRIES: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceValueStore {
    #[serde(default)]
    platform: Vec<PlatformEntry>,
    #[serde(default)]
    realm: Vec<RealmEntry>,
}

/// Reads a store of trust anchors.
///
/// # Errors
/// [`EndorsementError`]: of entries, everything that is wrong.
pub fn trust_anchors(json: &[u8]) -> Result<Vec<NamedEndorsement>, EndorsementError> {
    let entries: Vec<TrustAnchorEntry> = parse(json, "trust anchors")?;
    check_count(entries.len())?;
    let mut problems = Problems::default();
    let mut ids = HashSet::new();
    let mut all = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("[{index}]");
        let Some(anchor) = trust_anchor(entry, &path, &mut problems) else { continue };
        if !ids.insert((anchor.implementation_id, anchor.instance_id)) {
            problems.add(&path, "", "a second trust anchor of that implementation and instance");
        }
        all.push(Endorsement::TrustAnchor(anchor));
    }
    finish(all, problems)
}

/// Reads a store of reference values.
///
/// # Errors
/// [`EndorsementError`]: of entries, everything that is wrong.
pub fn reference_values(json: &[u8]) -> Result<Vec<NamedEndorsement>, EndorsementError> {
    let store: ReferenceValueStore = parse(json, "reference values")?;
    check_count(store.platform.len().saturating_add(store.realm.len()))?;
    let mut problems = Problems::default();
    let mut all = Vec::new();
    for (index, entry) in store.platform.into_iter().enumerate() {
        all.extend(platform(entry, &format!("platform[{index}]"), &mut problems).map(Endorsement::Platform));
    }
    for (index, entry) in store.realm.iter().enumerate() {
        let path = format!("realm[{index}]");
        if entry.rak_hash_algorithm.as_deref().is_some_and(|name| algorithm_of_name(name).is_none()) {
            problems.add(&path, "rak-hash-algorithm", "known are sha-256, sha-384, sha-512");
        }
        all.extend(realm(entry, &path, &mut problems).map(Endorsement::Realm));
    }
    finish(all, problems)
}

fn parse<'de, T: Deserialize<'de>>(json: &'de [u8], what: &'static str) -> Result<T, EndorsementError> {
    if json.len() > MAX_BYTES {
        return Err(EndorsementError::TooLarge { what: "bytes", limit: MAX_BYTES, found: json.len() });
    }
    serde_json::from_slice(json).map_err(|error| EndorsementError::Json {
        what,
        detail: error.to_string().chars().take(400).collect(),
    })
}

fn check_count(found: usize) -> Result<(), EndorsementError> {
    if found > MAX_ENTRIES {
        return Err(EndorsementError::TooLarge { what: "entries", limit: MAX_ENTRIES, found });
    }
    Ok(())
}

fn finish(all: Vec<Endorsement>, mut problems: Problems) -> Result<Vec<NamedEndorsement>, EndorsementError> {
    let named: Vec<NamedEndorsement> = all
        .into_iter()
        .map(|endorsement| NamedEndorsement { origin: Origin::of_json(&endorsement), endorsement })
        .collect();
    let mut names = HashSet::new();
    for name in named.iter().flat_map(NamedEndorsement::names) {
        if names.contains(&name) {
            problems.add("", "", format!("an entry is there twice; its name would be {name}"));
        }
        names.insert(name);
    }
    if named.is_empty() && problems.0.is_empty() {
        problems.add("", "", "the store has no entry");
    }
    if problems.0.is_empty() { Ok(named) } else { Err(EndorsementError::Entries(problems.0)) }
}
