//! What Trustee stores: key and value, in namespaces, in one of several places.
//!
//! | place | layout |
//! |---|---|
//! | [`Place::LocalFs`] | `<folder>/<namespace>/<key>`, each `/` of the key written as `\x2F` |
//! | [`Place::Repository`] | before Trustee had namespaces: `<folder>/<repository>/<type>/<tag>`, resources only |
//! | [`Place::LocalJson`] | `<folder>/<namespace>.json` (earlier without the ending): one object, values in URL-safe base64 |
//! | [`Place::Postgres`] | a table for each namespace: `key TEXT PRIMARY KEY, value BYTEA` |
//!
//! Its in-memory store ends with the process; its Redis store is not read here.
//!
//! Bounds: [`MAX_ENTRIES`] entries of [`MAX_VALUE_LEN`] bytes each, and [`MAX_TOTAL_LEN`] bytes together.
//! Links are followed only as far as they stay in their folder.

mod folder;
mod key;
mod local_json;
mod postgres;
mod reference_value;

use std::path::PathBuf;

pub use key::{file_name_of, key_of};
pub use local_json::parse_local_json;
pub use postgres::PostgresPlace;
pub use reference_value::{NotAReferenceValue, TrusteeReferenceValue};

use crate::MAX_RESOURCE_LEN;
use crate::foreign::{Entry, ForeignError};

/// The most entries that are read of a namespace.
pub const MAX_ENTRIES: usize = 100_000;

/// The largest value in bytes: that of a resource.
pub const MAX_VALUE_LEN: usize = MAX_RESOURCE_LEN;

/// The most bytes of values that are read of a namespace.
pub const MAX_TOTAL_LEN: usize = 512 << 20;

/// A namespace of Trustee's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Resources: `<repository>/<type>/<tag>`.
    Resources,
    /// The resource policy: `resource-policy.rego`.
    KeyBroker,
    /// Attestation policies: `<id>_<class>.rego`.
    AttestationPolicies,
    /// Reference values, by name.
    ReferenceValues,
}

impl Namespace {
    /// Its name in every place.
    pub const fn as_str(self) -> &'static str {
        match self {
            Namespace::Resources => "repository",
            Namespace::KeyBroker => "kbs",
            Namespace::AttestationPolicies => "attestation_service_policy",
            Namespace::ReferenceValues => "reference_value",
        }
    }
}

/// Where Trustee stores.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder with a folder for each namespace.
    LocalFs(PathBuf),
    /// The folder of resources alone, of earlier versions.
    Repository(PathBuf),
    /// A folder with a file for each namespace.
    LocalJson(PathBuf),
    /// A database with a table for each namespace.
    Postgres(PostgresPlace),
}

impl Place {
    /// All entries of a namespace, by key; none when the place does not have the namespace.
    ///
    /// # Errors
    /// When the place, or the namespace as a whole, cannot be read. What is wrong with one entry stands
    /// in its place.
    pub async fn read(&self, namespace: Namespace) -> Result<Vec<Entry>, ForeignError> {
        let mut entries = match self {
            Place::LocalFs(folder) => folder::local_fs(folder, namespace)?,
            Place::Repository(_) if namespace != Namespace::Resources => Vec::new(),
            Place::Repository(folder) => folder::repository(folder)?,
            Place::LocalJson(folder) => local_json::local_json(folder, namespace)?,
            Place::Postgres(database) => database.read(namespace).await?,
        };
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::LocalFs(folder) => write!(f, "LocalFs {}", folder.display()),
            Place::Repository(folder) => write!(f, "LocalFs (before namespaces) {}", folder.display()),
            Place::LocalJson(folder) => write!(f, "LocalJson {}", folder.display()),
            Place::Postgres(database) => write!(f, "PostgreSQL {database}"),
        }
    }
}

/// Counts what was read, so that a namespace stays within its bounds.
struct Allowance<'a> {
    place: &'a dyn Fn() -> String,
    entries: usize,
    bytes: usize,
}

impl<'a> Allowance<'a> {
    fn new(place: &'a dyn Fn() -> String) -> Self {
        Allowance { place, entries: 0, bytes: 0 }
    }

    /// One more entry with a value of this length.
    fn take(&mut self, len: usize) -> Result<(), ForeignError> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(len);
        if self.entries > MAX_ENTRIES {
            return Err(ForeignError::TooMany { place: (self.place)(), limit: MAX_ENTRIES });
        }
        if self.bytes > MAX_TOTAL_LEN {
            return Err(ForeignError::TooLarge { place: (self.place)(), limit: MAX_TOTAL_LEN });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_bounded_in_entries_and_bytes() {
        let place = || "here".to_owned();
        let mut allowance = Allowance::new(&place);
        for _ in 0..MAX_ENTRIES {
            allowance.take(0).unwrap();
        }
        let place_of = |error: ForeignError| error.to_string();
        assert!(place_of(allowance.take(0).unwrap_err()).contains("100000 entries"));
        let mut allowance = Allowance::new(&place);
        allowance.take(MAX_TOTAL_LEN).unwrap();
        assert!(place_of(allowance.take(1).unwrap_err()).contains("here has more than 536870912 bytes"));
        assert!(Allowance::new(&place).take(usize::MAX).is_err());
    }
}
