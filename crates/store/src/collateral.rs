//! Table `collateral`: what the vendors served, kept for the next time.

use assay_types::UnixTime;

use crate::rows::{column, time};
use crate::{Store, StoreError};

/// A piece of collateral from the cache. Whoever uses it checks its signature and validity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedCollateral {
    /// Its bytes, as served.
    pub bytes: Vec<u8>,
    /// When it was fetched.
    pub fetched: UnixTime,
    /// Where it was fetched from, a URL.
    pub origin: String,
}

impl Store {
    /// The piece kept under that vendor and key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_collateral(
        &self,
        vendor: &str,
        key: &str,
    ) -> Result<Option<CachedCollateral>, StoreError> {
        let query =
            sqlx::query("SELECT bytes, fetched, origin FROM collateral WHERE vendor = $1 AND cache_key = $2")
                .bind(vendor)
                .bind(key);
        let read = |row| {
            Ok(CachedCollateral {
                bytes: column(&row, 0)?,
                fetched: time(&row, 1)?,
                origin: column(&row, 2)?,
            })
        };
        self.database().fetch_optional(query).await?.map(read).transpose()
    }

    /// Keeps a piece under that vendor and key, in place of the one before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_collateral(
        &self,
        vendor: &str,
        key: &str,
        item: &CachedCollateral,
    ) -> Result<(), StoreError> {
        let mut writer = self.database().begin().await?;
        let query = sqlx::query(
            "INSERT INTO collateral (vendor, cache_key, bytes, fetched, origin) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (vendor, cache_key) DO UPDATE SET bytes = excluded.bytes, fetched = excluded.fetched, \
             origin = excluded.origin",
        )
        .bind(vendor)
        .bind(key)
        .bind(item.bytes.as_slice())
        .bind(item.fetched.0)
        .bind(item.origin.as_str());
        writer.execute(query).await?;
        writer.finish().await
    }
}

impl Store {
    /// Removes the piece kept under that vendor and key; nothing there is no error.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_collateral(&self, vendor: &str, key: &str) -> Result<(), StoreError> {
        let mut writer = self.database().begin().await?;
        let query =
            sqlx::query("DELETE FROM collateral WHERE vendor = $1 AND cache_key = $2").bind(vendor).bind(key);
        writer.execute(query).await?;
        writer.finish().await
    }
}
