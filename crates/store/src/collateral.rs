//! Table `collateral`: what the vendors served, kept for the next time.

use assay_types::{UnixTime, Validity};

use crate::rows::{column, time};
use crate::statement::{Row, statement};
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
    /// When it is valid, where that is known.
    pub validity: Option<Validity>,
    /// What was asked for, as JSON, where that is known.
    pub request: Option<String>,
}

/// What a list says of a piece of collateral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollateralInfo {
    /// The vendor.
    pub vendor: String,
    /// The key.
    pub key: String,
    /// When it was fetched.
    pub fetched: UnixTime,
    /// When it was last used, as far as that was noted; `fetched` at first.
    pub used: UnixTime,
    /// Where it was fetched from.
    pub origin: String,
    /// When it is valid, where that is known.
    pub validity: Option<Validity>,
    /// What was asked for, as JSON, where that is known.
    pub request: Option<String>,
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
        let query = statement(
            "SELECT bytes, fetched, origin, not_before, not_after, request FROM collateral \
             WHERE vendor = $1 AND cache_key = $2",
        )
        .bind(vendor)
        .bind(key);
        let read = |row| {
            Ok(CachedCollateral {
                bytes: column(&row, 0)?,
                fetched: time(&row, 1)?,
                origin: column(&row, 2)?,
                validity: validity(&row, 3)?,
                request: column(&row, 5)?,
            })
        };
        self.database().fetch_optional(query).await?.map(read).transpose()
    }

    /// Every piece without its bytes, by vendor and key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_collateral(&self) -> Result<Vec<CollateralInfo>, StoreError> {
        let query = statement(
            "SELECT vendor, cache_key, fetched, COALESCE(used, fetched), origin, not_before, not_after, request \
             FROM collateral ORDER BY vendor, cache_key",
        );
        let read = |row: &Row| {
            Ok(CollateralInfo {
                vendor: column(row, 0)?,
                key: column(row, 1)?,
                fetched: time(row, 2)?,
                used: time(row, 3)?,
                origin: column(row, 4)?,
                validity: validity(row, 5)?,
                request: column(row, 7)?,
            })
        };
        self.database().fetch_all(query).await?.iter().map(read).collect()
    }

    /// Keeps pieces, each under its vendor and key and in place of the one before: all or none. When a
    /// piece was last used stays noted.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_collateral(&self, items: &[(&str, &str, &CachedCollateral)]) -> Result<(), StoreError> {
        let mut writer = self.database().begin().await?;
        for (vendor, key, item) in items {
            let query = statement(
                "INSERT INTO collateral (vendor, cache_key, bytes, fetched, origin, not_before, not_after, request, \
                 used) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $4) ON CONFLICT (vendor, cache_key) DO UPDATE SET \
                 bytes = excluded.bytes, fetched = excluded.fetched, origin = excluded.origin, \
                 not_before = excluded.not_before, not_after = excluded.not_after, request = excluded.request",
            )
            .bind(*vendor)
            .bind(*key)
            .bind(item.bytes.as_slice())
            .bind(item.fetched.0)
            .bind(item.origin.as_str())
            .bind(item.validity.map(|validity| validity.not_before.0))
            .bind(item.validity.map(|validity| validity.not_after.0))
            .bind(item.request.as_deref());
            writer.execute(query).await?;
        }
        writer.finish().await
    }

    /// Notes when pieces were used: vendor, key, time. What is not there is passed over; a time before the
    /// noted one changes nothing.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_collateral_uses(&self, uses: &[(&str, &str, UnixTime)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let mut writer = self.database().begin().await?;
        for (vendor, key, at) in uses {
            let query = statement(
                "UPDATE collateral SET used = $3 WHERE vendor = $1 AND cache_key = $2 \
                 AND COALESCE(used, fetched) < $3",
            )
            .bind(*vendor)
            .bind(*key)
            .bind(at.0);
            writer.execute(query).await?;
        }
        writer.finish().await
    }

    /// Removes the piece kept under that vendor and key; nothing there is no error.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_collateral(&self, vendor: &str, key: &str) -> Result<(), StoreError> {
        let mut writer = self.database().begin().await?;
        let query =
            statement("DELETE FROM collateral WHERE vendor = $1 AND cache_key = $2").bind(vendor).bind(key);
        writer.execute(query).await?;
        writer.finish().await
    }
}

/// The validity in the columns at `index` and the next one. A row has both or none.
fn validity(row: &Row, index: usize) -> Result<Option<Validity>, StoreError> {
    match (column::<Option<i64>>(row, index)?, column::<Option<i64>>(row, index + 1)?) {
        (Some(not_before), Some(not_after)) => {
            Ok(Some(Validity { not_before: UnixTime(not_before), not_after: UnixTime(not_after) }))
        }
        (None, None) => Ok(None),
        _ => Err(StoreError::Corrupt { detail: "a validity has one end only".to_owned() }),
    }
}
