//! Tables `resources` and `resource_heads`: secrets, versioned and sealed.

use std::sync::Arc;

use assay_types::{ResourcePath, SecretBytes, UnixTime};
use serde::Serialize;

use crate::changes::Topic;
use crate::database::Writer;
use crate::resource_cache::{CachedResource, SealedResource};
use crate::rows::{column, number, stored, time};
use crate::seal::{Envelope, RecordName};
use crate::statement::{Row, statement};
use crate::{Store, StoreError};

/// The largest resource, in bytes (16 MiB).
pub const MAX_RESOURCE_LEN: usize = 16 << 20;

/// A version of a resource, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResource {
    /// Its version, from 1. A version number of a path is never given twice.
    pub version: u64,
    /// When this version was stored.
    pub created: UnixTime,
    /// The secret.
    pub value: SecretBytes,
}

/// What can be said of a resource without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceInfo {
    /// Its path.
    pub path: ResourcePath,
    /// The newest version.
    pub version: u64,
    /// How many versions are stored.
    pub versions: u64,
    /// When the newest version was stored.
    pub created: UnixTime,
    /// The length of the newest version in bytes.
    pub size: u64,
}

impl Store {
    /// Stores a new version. Returns its number.
    ///
    /// # Errors
    /// `TooLarge` beyond [`MAX_RESOURCE_LEN`]; `Full`, `Locked` and others when it cannot be written.
    pub async fn put_resource(
        &self,
        path: &ResourcePath,
        value: &SecretBytes,
        now: UnixTime,
    ) -> Result<u64, StoreError> {
        let versions = self.put_resources(&[(path, value)], now).await?;
        versions.first().copied().ok_or_else(no_version)
    }

    /// Stores a new version of each, all or none. Returns their numbers, in the same order.
    ///
    /// # Errors
    /// As [`Store::put_resource`].
    pub async fn put_resources(
        &self,
        resources: &[(&ResourcePath, &SecretBytes)],
        now: UnixTime,
    ) -> Result<Vec<u64>, StoreError> {
        if let Some(found) = resources.iter().map(|(_, v)| v.expose().len()).find(|n| *n > MAX_RESOURCE_LEN) {
            let what = "the resource".to_owned();
            return Err(StoreError::TooLarge { what, limit: MAX_RESOURCE_LEN, found });
        }
        let mut versions = Vec::with_capacity(resources.len());
        let mut writer = self.database().begin().await?;
        for (path, value) in resources {
            versions.push(self.insert_resource(&mut writer, path, value, now).await?);
        }
        writer.touch(Topic::Resources).await?;
        writer.finish().await?;
        Ok(versions)
    }

    async fn insert_resource(
        &self,
        writer: &mut Writer<'_>,
        path: &ResourcePath,
        value: &SecretBytes,
        now: UnixTime,
    ) -> Result<u64, StoreError> {
        let next = statement(
            "INSERT INTO resource_heads (path, latest) VALUES ($1, 1) \
             ON CONFLICT (path) DO UPDATE SET latest = resource_heads.latest + 1 RETURNING latest",
        )
        .bind(path.as_str());
        let rows = writer.fetch_all(next).await?;
        let version = number(rows.first().ok_or_else(no_version)?, 0)?;
        let size = u64::try_from(value.expose().len()).unwrap_or(u64::MAX);
        let envelope = self.sealer().seal(&record_name(path, version), value.expose())?;
        let insert = statement(
            "INSERT INTO resources (path, version, created, size, kek_id, wrapped_key, sealed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(path.as_str())
        .bind(stored(version)?)
        .bind(now.0)
        .bind(stored(size)?)
        .bind(envelope.kek_id)
        .bind(envelope.wrapped_key)
        .bind(envelope.sealed);
        writer.execute(insert).await?;
        Ok(version)
    }

    /// The newest version.
    ///
    /// # Errors
    /// `Tampered` when it does not open, and others when the database cannot be read.
    pub async fn get_resource(&self, path: &ResourcePath) -> Result<Option<StoredResource>, StoreError> {
        // Before anything is read: what changes later makes this reading void.
        let changes = self.database().changes().of_resources();
        let cached = if self.is_current() { self.resource_cache().get(path, changes) } else { None };
        let entry = match cached {
            Some(entry) => entry,
            None => {
                let entry = Arc::new(CachedResource { changes, newest: self.newest(path).await? });
                if self.is_current() {
                    self.resource_cache().put(path, Arc::clone(&entry));
                }
                entry
            }
        };
        match entry.newest.clone() {
            Some(newest) => self.open_resource(path, newest).await.map(Some),
            None => Ok(None),
        }
    }

    async fn newest(&self, path: &ResourcePath) -> Result<Option<SealedResource>, StoreError> {
        let query = statement(
            "SELECT version, created, kek_id, wrapped_key, sealed FROM resources \
             WHERE path = $1 ORDER BY version DESC LIMIT 1",
        )
        .bind(path.as_str());
        self.database().fetch_optional(query).await?.map(|row| sealed(&row)).transpose()
    }

    /// One version.
    ///
    /// # Errors
    /// As [`Store::get_resource`].
    pub async fn get_resource_version(
        &self,
        path: &ResourcePath,
        version: u64,
    ) -> Result<Option<StoredResource>, StoreError> {
        // No version was ever numbered beyond the range of the column.
        let Ok(version) = i64::try_from(version) else { return Ok(None) };
        let query = statement(
            "SELECT version, created, kek_id, wrapped_key, sealed FROM resources \
             WHERE path = $1 AND version = $2",
        )
        .bind(path.as_str())
        .bind(version);
        match self.database().fetch_optional(query).await? {
            Some(row) => self.open_resource(path, sealed(&row)?).await.map(Some),
            None => Ok(None),
        }
    }

    async fn open_resource(
        &self,
        path: &ResourcePath,
        sealed: SealedResource,
    ) -> Result<StoredResource, StoreError> {
        let SealedResource { version, created, envelope } = sealed;
        let value = self.unseal(&record_name(path, version), envelope).await?;
        Ok(StoredResource { version, created, value })
    }

    /// All resources whose path begins with `prefix`, by path. The prefix is plain text: end it with
    /// a slash to name a whole segment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_resources(&self, prefix: Option<&str>) -> Result<Vec<ResourceInfo>, StoreError> {
        let prefix = prefix.unwrap_or_default();
        // No path holds one, and PostgreSQL does not take it.
        if prefix.contains('\0') {
            return Ok(Vec::new());
        }
        let query = statement(
            "SELECT r.path, r.version, n.versions, r.created, r.size FROM resources r \
             JOIN (SELECT path, MAX(version) AS latest, COUNT(*) AS versions FROM resources \
                   WHERE substr(path, 1, CAST($2 AS INTEGER)) = $1 GROUP BY path) n \
             ON n.path = r.path AND n.latest = r.version ORDER BY r.path",
        )
        .bind(prefix)
        .bind(i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX));
        let read = |row: &Row| {
            let path: String = column(row, 0)?;
            Ok(ResourceInfo {
                path: path
                    .parse()
                    .map_err(|_| StoreError::Corrupt { detail: "a resource path is malformed".to_owned() })?,
                version: number(row, 1)?,
                versions: number(row, 2)?,
                created: time(row, 3)?,
                size: number(row, 4)?,
            })
        };
        self.database().fetch_all(query).await?.iter().map(read).collect()
    }

    /// Deletes all versions. Returns whether there was any.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_resource(&self, path: &ResourcePath) -> Result<bool, StoreError> {
        let mut writer = self.database().begin().await?;
        let query = statement("DELETE FROM resources WHERE path = $1").bind(path.as_str());
        let removed = writer.execute(query).await?;
        if removed > 0 {
            writer.touch(Topic::Resources).await?;
        }
        writer.finish().await?;
        Ok(removed > 0)
    }
}

fn sealed(row: &Row) -> Result<SealedResource, StoreError> {
    let envelope =
        Envelope { kek_id: column(row, 2)?, wrapped_key: column(row, 3)?, sealed: column(row, 4)? };
    Ok(SealedResource { version: number(row, 0)?, created: time(row, 1)?, envelope })
}

fn no_version() -> StoreError {
    StoreError::Unexpected { detail: "no version".to_owned() }
}

/// The name that a version of a resource is sealed under.
pub(crate) fn record_name(path: &ResourcePath, version: u64) -> RecordName {
    RecordName::new(
        "resource",
        &[path.as_str().as_bytes(), &version.to_be_bytes()],
        format!("version {version} of the resource {path}"),
    )
}
