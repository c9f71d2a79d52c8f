//! Tables `resources` and `resource_heads`: secrets, versioned and sealed.

use assay_types::{ResourcePath, SecretBytes, UnixTime};
use serde::Serialize;

use crate::rows::{column, number, stored, time};
use crate::seal::{Envelope, RecordName};
use crate::sqlite::Row;
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
        let size = value.expose().len();
        if size > MAX_RESOURCE_LEN {
            let what = "the resource".to_owned();
            return Err(StoreError::TooLarge { what, limit: MAX_RESOURCE_LEN, found: size });
        }
        let mut writer = self.database().begin().await?;
        let next = sqlx::query(
            "INSERT INTO resource_heads (path, latest) VALUES ($1, 1) \
             ON CONFLICT (path) DO UPDATE SET latest = resource_heads.latest + 1 RETURNING latest",
        )
        .bind(path.as_str());
        let rows = writer.fetch_all(next).await?;
        let row = rows.first().ok_or_else(|| StoreError::Unexpected { detail: "no version".to_owned() })?;
        let version = number(row, 0)?;
        let envelope = self.sealer().seal(&record_name(path, version), value.expose())?;
        let insert = sqlx::query(
            "INSERT INTO resources (path, version, created, size, kek_id, wrapped_key, sealed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(path.as_str())
        .bind(stored(version)?)
        .bind(now.0)
        .bind(stored(u64::try_from(size).unwrap_or(u64::MAX))?)
        .bind(envelope.kek_id)
        .bind(envelope.wrapped_key)
        .bind(envelope.sealed);
        writer.execute(insert).await?;
        writer.finish().await?;
        Ok(version)
    }

    /// The newest version.
    ///
    /// # Errors
    /// `Tampered` when it does not open, and others when the database cannot be read.
    pub async fn get_resource(&self, path: &ResourcePath) -> Result<Option<StoredResource>, StoreError> {
        let query = sqlx::query(
            "SELECT version, created, kek_id, wrapped_key, sealed FROM resources \
             WHERE path = $1 ORDER BY version DESC LIMIT 1",
        )
        .bind(path.as_str());
        self.database().fetch_optional(query).await?.map(|row| self.open_resource(path, &row)).transpose()
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
        let query = sqlx::query(
            "SELECT version, created, kek_id, wrapped_key, sealed FROM resources \
             WHERE path = $1 AND version = $2",
        )
        .bind(path.as_str())
        .bind(version);
        self.database().fetch_optional(query).await?.map(|row| self.open_resource(path, &row)).transpose()
    }

    fn open_resource(&self, path: &ResourcePath, row: &Row) -> Result<StoredResource, StoreError> {
        let version = number(row, 0)?;
        let envelope =
            Envelope { kek_id: column(row, 2)?, wrapped_key: column(row, 3)?, sealed: column(row, 4)? };
        let value = self.sealer().open(&record_name(path, version), envelope)?;
        Ok(StoredResource { version, created: time(row, 1)?, value })
    }

    /// All resources whose path begins with `prefix`, by path. The prefix is plain text: end it with
    /// a slash to name a whole segment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_resources(&self, prefix: Option<&str>) -> Result<Vec<ResourceInfo>, StoreError> {
        let prefix = prefix.unwrap_or_default();
        let query = sqlx::query(
            "SELECT r.path, r.version, n.versions, r.created, r.size FROM resources r \
             JOIN (SELECT path, MAX(version) AS latest, COUNT(*) AS versions FROM resources \
                   WHERE substr(path, 1, $2) = $1 GROUP BY path) n \
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
        let query = sqlx::query("DELETE FROM resources WHERE path = $1").bind(path.as_str());
        let removed = writer.execute(query).await?;
        writer.finish().await?;
        Ok(removed > 0)
    }
}

fn record_name(path: &ResourcePath, version: u64) -> RecordName {
    RecordName::new(
        "resource",
        &[path.as_str().as_bytes(), &version.to_be_bytes()],
        format!("version {version} of the resource {path}"),
    )
}
