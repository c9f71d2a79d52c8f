//! What every back end can do.

use assay_types::{ResourcePath, SecretBytes, UnixTime};
use async_trait::async_trait;

use crate::BackendError;

/// The most resources of one listing.
pub(crate) const MAX_LISTED: usize = 10_000;

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The value.
    pub value: SecretBytes,
    /// Its version, where the back end has versions.
    pub version: Option<u64>,
}

/// What can be said of a resource without reading it. What the back end does not tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretInfo {
    /// Its path.
    pub path: ResourcePath,
    /// The newest version.
    pub version: Option<u64>,
    /// How many versions are stored.
    pub versions: Option<u64>,
    /// When the newest version was stored.
    pub created: Option<UnixTime>,
    /// The length of the newest version in bytes.
    pub size: Option<u64>,
}

/// A place that keeps values by resource path. Every call is bounded in time and size, and a path is
/// never shortened: two paths are two places.
#[async_trait]
pub trait SecretBackend: Send + Sync {
    /// What it is called in settings and logs: `store`, `vault`, `pkcs11`.
    fn name(&self) -> &'static str;

    /// Reads the newest version; `None` where nothing is there.
    ///
    /// # Errors
    /// [`BackendError`].
    async fn get(&self, path: &ResourcePath) -> Result<Option<Secret>, BackendError>;

    /// Stores a new version in place of what was there. Returns its number, where the back end has
    /// versions. Once it returned, the value survives the death of this process.
    ///
    /// # Errors
    /// [`BackendError`]; where that is a timeout or a broken connection, the value may have been stored.
    async fn put(&self, path: &ResourcePath, value: &SecretBytes) -> Result<Option<u64>, BackendError>;

    /// Deletes all versions. Returns whether there was any.
    ///
    /// # Errors
    /// [`BackendError`]; as with `put` it may have been done all the same.
    async fn delete(&self, path: &ResourcePath) -> Result<bool, BackendError>;

    /// All resources whose path begins with `prefix`, by path. The prefix is plain text: end it with a
    /// slash to name a whole segment.
    ///
    /// # Errors
    /// [`BackendError::TooMany`] beyond ten thousand where the back end is not the own store.
    async fn list(&self, prefix: Option<&str>) -> Result<Vec<SecretInfo>, BackendError>;

    /// Whether it can serve now: reachable, open, set up as the settings say, credentials accepted.
    ///
    /// # Errors
    /// Why it cannot.
    async fn check(&self) -> Result<(), BackendError>;
}
