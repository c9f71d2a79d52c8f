//! Policies in force: compiled once for each version, shared as an unchanging snapshot, kept in the
//! store. What the program bundles is the fallback beneath what an administrator set.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_policy::{Admission, Policy, PolicyError, PolicyKind};
use assay_store::{Store, StoreError};
use assay_types::{Clock, Coded, Digest, Fault, UnixTime};
use serde::Serialize;

/// A policy that is in force.
#[derive(Clone, Debug)]
pub struct PolicyInForce {
    /// Its id.
    pub id: String,
    /// Its version: 0 for one that the program bundles, else counted from 1.
    pub version: u64,
    /// When it was set; `None` for one that the program bundles.
    pub created: Option<UnixTime>,
    /// The policy itself, or why the stored text no longer compiles: using it fails then.
    pub policy: Result<Policy, PolicyError>,
    /// Its text.
    pub text: Arc<str>,
}

/// A policy in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyListing {
    /// Its id.
    #[serde(rename = "policy-id")]
    pub id: String,
    /// Its version; 0 for one that the program bundles.
    pub version: u64,
    /// The SHA-384 of its text.
    pub digest: Digest,
    /// When it was set, RFC 3339; absent for one that the program bundles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Whether the program brings it.
    pub bundled: bool,
}

/// Why a policy could not be set or removed.
#[derive(Debug, thiserror::Error)]
pub enum PolicySetError {
    /// The id is not of the allowed form.
    #[error(
        "policy id {id:?}: 1 to 256 characters of A-Z a-z 0-9 _ - . / with no empty segment and none \
         beginning with a dot"
    )]
    Id {
        /// The id, cut.
        id: String,
    },
    /// The policy was not admitted.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are too many.
    #[error("there are {max} policies of this kind already, the greatest number")]
    TooMany {
        /// The greatest number.
        max: usize,
    },
}

impl Coded for PolicySetError {
    fn code(&self) -> &'static str {
        match self {
            PolicySetError::Id { .. } => "AS-020",
            PolicySetError::Policy(error) => error.code(),
            PolicySetError::Store(error) => error.code(),
            PolicySetError::TooMany { .. } => "AS-021",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            PolicySetError::Id { .. } => Fault::BadRequest,
            PolicySetError::Policy(error) => error.fault(),
            PolicySetError::Store(error) => error.fault(),
            PolicySetError::TooMany { .. } => Fault::Unprocessable,
        }
    }
}

type Map = BTreeMap<String, Arc<PolicyInForce>>;

/// The policies of one kind.
pub struct PolicySet {
    kind: PolicyKind,
    bundled: Map,
    in_force: ArcSwap<Map>,
    /// Held while a change is stored and published, so that changes are published in their order.
    changing: tokio::sync::Mutex<()>,
    store: Store,
    admission: Admission,
    clock: Arc<dyn Clock>,
}

impl PolicySet {
    /// The greatest number of stored policies of one kind.
    pub const MAX_POLICIES: usize = 1000;

    /// Reads the stored policies of `kind` and lays them over `bundled` (id and text).
    ///
    /// # Errors
    /// When the store cannot be read, or a bundled policy does not compile. A stored one that does
    /// not compile any more is kept, and only its use fails.
    pub async fn load(
        kind: PolicyKind,
        bundled: &[(&str, &str)],
        store: Store,
        admission: Admission,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PolicySetError> {
        let mut fallback = Map::new();
        for (id, text) in bundled {
            let entry = PolicyInForce {
                id: (*id).to_owned(),
                version: 0,
                created: None,
                policy: Ok(Policy::bundled(kind, text)?),
                text: Arc::from(*text),
            };
            fallback.insert(entry.id.clone(), Arc::new(entry));
        }
        let map = read(&store, kind, &fallback, &Map::new()).await?;
        Ok(PolicySet {
            kind,
            bundled: fallback,
            in_force: ArcSwap::from_pointee(map),
            changing: tokio::sync::Mutex::new(()),
            store,
            admission,
            clock,
        })
    }

    /// Reads the stored policies again: another process may have changed them. What did not change is not
    /// compiled again.
    ///
    /// # Errors
    /// When the store cannot be read; what was in force stays in force then.
    pub async fn reload(&self) -> Result<(), PolicySetError> {
        let _changing = self.changing.lock().await;
        let map = read(&self.store, self.kind, &self.bundled, &self.in_force.load_full()).await?;
        self.in_force.store(Arc::new(map));
        Ok(())
    }

    /// The policy called `id`.
    pub fn get(&self, id: &str) -> Option<Arc<PolicyInForce>> {
        self.in_force.load().get(id).cloned()
    }

    /// The policy whose id is the longest prefix of `path`, by whole segments: for `a/b/c` the ids
    /// `a/b/c`, `a/b`, `a` are tried in this order.
    pub fn most_specific(&self, path: &str) -> Option<Arc<PolicyInForce>> {
        let map = self.in_force.load();
        let mut prefix = path;
        loop {
            if let Some(found) = map.get(prefix) {
                return Some(Arc::clone(found));
            }
            prefix = prefix.rsplit_once('/')?.0;
        }
    }

    /// Every policy, by id.
    pub fn list(&self) -> Vec<PolicyListing> {
        self.in_force
            .load()
            .values()
            .map(|p| PolicyListing {
                id: p.id.clone(),
                version: p.version,
                digest: Digest::sha384(p.text.as_bytes()),
                created: p.created.map(|t| t.to_string()),
                bundled: p.version == 0,
            })
            .collect()
    }

    /// Admits a policy, stores it and puts it in force.
    ///
    /// # Errors
    /// [`PolicySetError`]; what was in force stays in force then.
    pub async fn set(&self, id: &str, text: &str) -> Result<Arc<PolicyInForce>, PolicySetError> {
        if !is_policy_id(id) {
            return Err(PolicySetError::Id { id: id.chars().take(64).collect() });
        }
        let policy = self.admission.admit(self.kind, text).await?;
        let _changing = self.changing.lock().await;
        let current = self.in_force.load_full();
        if current.len() >= Self::MAX_POLICIES && !current.contains_key(id) {
            return Err(PolicySetError::TooMany { max: Self::MAX_POLICIES });
        }
        let info =
            self.store.put_policy(self.kind.as_str(), id, text, policy.digest(), self.clock.now()).await?;
        let entry = Arc::new(PolicyInForce {
            id: id.to_owned(),
            version: info.version,
            created: Some(info.created),
            policy: Ok(policy),
            text: Arc::from(text),
        });
        let mut map = Map::clone(&current);
        map.insert(id.to_owned(), Arc::clone(&entry));
        self.in_force.store(Arc::new(map));
        Ok(entry)
    }

    /// Removes a stored policy; a bundled one of the same id comes back into force. False when none
    /// was stored.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, id: &str) -> Result<bool, PolicySetError> {
        let _changing = self.changing.lock().await;
        if !self.store.delete_policy(self.kind.as_str(), id).await? {
            return Ok(false);
        }
        let mut map = Map::clone(&self.in_force.load_full());
        match self.bundled.get(id) {
            Some(bundled) => map.insert(id.to_owned(), Arc::clone(bundled)),
            None => map.remove(id),
        };
        self.in_force.store(Arc::new(map));
        Ok(true)
    }
}

/// The stored policies over the bundled ones. Those of `known` that are still as stored are taken over.
async fn read(store: &Store, kind: PolicyKind, bundled: &Map, known: &Map) -> Result<Map, StoreError> {
    let mut map = bundled.clone();
    for stored in store.all_policies(kind.as_str()).await? {
        let same = known.get(&stored.info.id).filter(|entry| {
            entry.version == stored.info.version
                && entry.created == Some(stored.info.created)
                && *entry.text == *stored.text
        });
        let entry = match same {
            Some(entry) => Arc::clone(entry),
            None => {
                let policy = Policy::bundled(kind, &stored.text);
                if let Err(error) = &policy {
                    tracing::error!(policy = %stored.info.id, %error, "a stored policy no longer compiles");
                }
                Arc::new(PolicyInForce {
                    id: stored.info.id.clone(),
                    version: stored.info.version,
                    created: Some(stored.info.created),
                    policy,
                    text: Arc::from(stored.text),
                })
            }
        };
        map.insert(stored.info.id, entry);
    }
    Ok(map)
}

fn is_policy_id(id: &str) -> bool {
    (1..=256).contains(&id.len())
        && id.split('/').all(|segment| !segment.is_empty() && !segment.starts_with('.'))
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'))
}
