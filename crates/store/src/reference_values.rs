//! Table `reference_values`: every version of every reference value, deletions among them.

use std::collections::HashSet;
use std::sync::LazyLock;

use assay_types::UnixTime;
use serde::Serialize;
use serde_json::Value;

use crate::changes::Topic;
use crate::rows::{Batched, column, next_batch, number, stored, time, value_rows};
use crate::statement::{Row, Statement, statement};
use crate::{Store, StoreError};

/// How many versions of one reference value are kept.
const HISTORY: u64 = 100;

/// How many rows are read at a time.
const PAGE: i64 = 500;

/// A reference value to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewReferenceValue {
    /// Its name.
    pub id: String,
    /// Any JSON.
    pub value: Value,
    /// When it ends.
    pub expires: UnixTime,
    /// Where it came from, in words: "sample".
    pub source: String,
}

/// A reference value as stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceValueRecord {
    /// Its name.
    pub id: String,
    /// Any JSON.
    pub value: Value,
    /// Its version, from 1.
    pub version: u64,
    /// When it was registered.
    pub registered: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
    /// Where it came from.
    pub source: String,
}

/// One entry in the history of a reference value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceValueVersion {
    /// The version, from 1.
    pub version: u64,
    /// The value; `None` for the tombstone of a deletion.
    pub value: Option<Value>,
    /// When it was registered, or deleted.
    pub registered: UnixTime,
    /// When it ends; for a tombstone, when it was deleted.
    pub expires: UnixTime,
    /// Where it came from; empty for a tombstone.
    pub source: String,
}

static INSERT: LazyLock<Batched> = LazyLock::new(|| {
    Batched::new(|rows| {
        let values = value_rows(rows, 5, |n| {
            format!(
                "(${n}, (SELECT COALESCE(MAX(version), 0) + 1 FROM reference_values WHERE id = ${n}), \
                 ${}, ${}, ${}, ${})",
                n + 1,
                n + 2,
                n + 3,
                n + 4
            )
        });
        format!(
            "INSERT INTO reference_values (id, version, value, registered, expires, source) \
             VALUES {values} RETURNING id, version"
        )
    })
});

impl Store {
    /// Stores new versions of reference values, all or none. Returns them as stored, in no particular
    /// order.
    ///
    /// # Errors
    /// `AlreadyExists` when one name is there twice; others when they cannot be written.
    pub async fn put_reference_values(
        &self,
        values: &[NewReferenceValue],
        now: UnixTime,
    ) -> Result<Vec<ReferenceValueRecord>, StoreError> {
        self.replace_reference_values(values, &[], now).await
    }

    /// Stores new versions of reference values and deletes others, all or none: what a new edition of a
    /// document says, and what it no longer says. Names in `deleted` that are not there are passed
    /// over. Returns what was stored, in no particular order.
    ///
    /// # Errors
    /// `AlreadyExists` when one name is there twice, among both lists; others when they cannot be
    /// written.
    pub async fn replace_reference_values(
        &self,
        values: &[NewReferenceValue],
        deleted: &[String],
        now: UnixTime,
    ) -> Result<Vec<ReferenceValueRecord>, StoreError> {
        let mut names = HashSet::with_capacity(values.len());
        let mut all = values.iter().map(|value| &value.id).chain(deleted);
        if let Some(twice) = all.find(|id| !names.insert(id.as_str())) {
            return Err(StoreError::AlreadyExists { record: format!("the reference value {twice:?}") });
        }
        let mut records = Vec::with_capacity(values.len());
        let mut rest = values;
        let mut writer = self.database().begin().await?;
        while let Some((batch, others)) = rest.split_at_checked(next_batch(rest.len())) {
            if batch.is_empty() {
                break;
            }
            rest = others;
            let mut query = statement(INSERT.text(batch.len())?);
            for value in batch {
                query = query
                    .bind(value.id.as_str())
                    .bind(value.value.to_string())
                    .bind(now.0)
                    .bind(value.expires.0)
                    .bind(value.source.as_str());
            }
            let versions = writer.fetch_all(query).await?;
            for row in &versions {
                let (id, version): (String, u64) = (column(row, 0)?, number(row, 1)?);
                if version > HISTORY {
                    let prune = statement("DELETE FROM reference_values WHERE id = $1 AND version <= $2")
                        .bind(id.clone())
                        .bind(stored(version - HISTORY)?);
                    writer.execute(prune).await?;
                }
                let value = batch
                    .iter()
                    .find(|value| value.id == id)
                    .ok_or_else(|| StoreError::Unexpected { detail: "a row of another name".to_owned() })?;
                records.push(ReferenceValueRecord {
                    id,
                    value: value.value.clone(),
                    version,
                    registered: now,
                    expires: value.expires,
                    source: value.source.clone(),
                });
            }
        }
        for id in deleted {
            writer.execute(delete(id, now)).await?;
        }
        writer.touch(Topic::ReferenceValues).await?;
        writer.finish().await?;
        Ok(records)
    }

    /// The newest version of every reference value that is not deleted, expired ones among them, by
    /// name (in the order of the bytes).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn all_reference_values(&self) -> Result<Vec<ReferenceValueRecord>, StoreError> {
        let mut records: Vec<ReferenceValueRecord> = Vec::new();
        loop {
            // Page by page, so that the rows of the database need not be in memory all at once.
            let after = records.last().map(|last| last.id.clone()).unwrap_or_default();
            let query = statement(
                "SELECT r.id, r.value, r.version, r.registered, r.expires, r.source FROM reference_values r \
                 WHERE r.id > $1 AND r.value IS NOT NULL \
                 AND r.version = (SELECT MAX(m.version) FROM reference_values m WHERE m.id = r.id) \
                 ORDER BY r.id LIMIT $2",
            )
            .bind(after)
            .bind(PAGE);
            let rows = self.database().fetch_all(query).await?;
            if rows.is_empty() {
                return Ok(records);
            }
            for row in &rows {
                let text: &str = column(row, 1)?;
                records.push(ReferenceValueRecord {
                    id: column(row, 0)?,
                    value: json(text)?,
                    version: number(row, 2)?,
                    registered: time(row, 3)?,
                    expires: time(row, 4)?,
                    source: column(row, 5)?,
                });
            }
        }
    }

    /// All versions kept of the reference value of that name (the newest 100), the newest first.
    /// Empty when there never was one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn reference_value_history(&self, id: &str) -> Result<Vec<ReferenceValueVersion>, StoreError> {
        let query = statement(
            "SELECT version, value, registered, expires, source FROM reference_values \
             WHERE id = $1 ORDER BY version DESC",
        )
        .bind(id);
        let read = |row: &Row| {
            let text: Option<&str> = column(row, 1)?;
            Ok(ReferenceValueVersion {
                version: number(row, 0)?,
                value: text.map(json).transpose()?,
                registered: time(row, 2)?,
                expires: time(row, 3)?,
                source: column(row, 4)?,
            })
        };
        self.database().fetch_all(query).await?.iter().map(read).collect()
    }

    /// Deletes the reference value of that name; the history keeps a tombstone. Returns whether there
    /// was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_reference_value(&self, id: &str, now: UnixTime) -> Result<bool, StoreError> {
        let mut writer = self.database().begin().await?;
        let added = writer.execute(delete(id, now)).await?;
        if added > 0 {
            writer.touch(Topic::ReferenceValues).await?;
        }
        writer.finish().await?;
        Ok(added > 0)
    }
}

/// Adds a tombstone to the history of a reference value, if there is one that is not deleted.
fn delete(id: &str, now: UnixTime) -> Statement {
    statement(
        "INSERT INTO reference_values (id, version, value, registered, expires, source) \
         SELECT r.id, r.version + 1, NULL, $2, $2, '' FROM reference_values r \
         WHERE r.id = $1 AND r.value IS NOT NULL \
         AND r.version = (SELECT MAX(m.version) FROM reference_values m WHERE m.id = $1)",
    )
    .bind(id)
    .bind(now.0)
}

fn json(text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text)
        .map_err(|_| StoreError::Corrupt { detail: "a reference value is not JSON".to_owned() })
}
