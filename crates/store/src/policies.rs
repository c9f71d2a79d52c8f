//! Table `policies`.

use assay_types::{Digest, UnixTime};
use serde::Serialize;

use crate::changes::Topic;
use crate::rows::{column, number, time};
use crate::statement::{Row, Statement, statement};
use crate::{Store, StoreError};

/// What is known of a policy besides its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyInfo {
    /// Its id within its kind.
    pub id: String,
    /// Its version, from 1. It goes on counting when the policy is deleted and set anew.
    pub version: u64,
    /// The digest that the caller gave with it.
    pub digest: Digest,
    /// When this version was stored.
    pub created: UnixTime,
}

/// A policy with its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredPolicy {
    /// What is known of it.
    pub info: PolicyInfo,
    /// Its text.
    pub text: String,
}

impl Store {
    /// Stores a policy in place of the one of that kind (`attestation`, `resource`) and id.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_policy(
        &self,
        kind: &str,
        id: &str,
        text: &str,
        digest: &Digest,
        now: UnixTime,
    ) -> Result<PolicyInfo, StoreError> {
        let stored = self.put_policies(kind, &[(id, text, digest)], now).await?;
        stored.into_iter().next().ok_or_else(|| StoreError::Unexpected { detail: "no version".to_owned() })
    }

    /// Stores policies of one kind, each an id, a text and its digest, as [`Store::put_policy`] does; all
    /// or none. Returns them in the same order.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_policies(
        &self,
        kind: &str,
        policies: &[(&str, &str, &Digest)],
        now: UnixTime,
    ) -> Result<Vec<PolicyInfo>, StoreError> {
        let mut stored = Vec::with_capacity(policies.len());
        let mut writer = self.database().begin().await?;
        for (id, text, digest) in policies {
            let rows = writer.fetch_all(upsert(kind, id, text, digest, now)).await?;
            stored.extend(rows.first().map(read_info).transpose()?);
        }
        writer.touch(Topic::Policies).await?;
        writer.finish().await?;
        Ok(stored)
    }

    /// The policy of that kind and id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_policy(&self, kind: &str, id: &str) -> Result<Option<StoredPolicy>, StoreError> {
        let query = statement(
            "SELECT id, version, digest, created, text FROM policies \
             WHERE kind = $1 AND id = $2 AND text IS NOT NULL",
        )
        .bind(kind)
        .bind(id);
        self.database().fetch_optional(query).await?.map(|row| read_policy(&row)).transpose()
    }

    /// All policies of that kind without their text, by id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_policies(&self, kind: &str) -> Result<Vec<PolicyInfo>, StoreError> {
        let query = statement(
            "SELECT id, version, digest, created FROM policies \
             WHERE kind = $1 AND text IS NOT NULL ORDER BY id",
        )
        .bind(kind);
        self.database().fetch_all(query).await?.iter().map(read_info).collect()
    }

    /// All policies of that kind, by id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn all_policies(&self, kind: &str) -> Result<Vec<StoredPolicy>, StoreError> {
        let query = statement(
            "SELECT id, version, digest, created, text FROM policies \
             WHERE kind = $1 AND text IS NOT NULL ORDER BY id",
        )
        .bind(kind);
        self.database().fetch_all(query).await?.iter().map(read_policy).collect()
    }

    /// Deletes the policy of that kind and id. Returns whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_policy(&self, kind: &str, id: &str) -> Result<bool, StoreError> {
        let mut writer = self.database().begin().await?;
        let query =
            statement("UPDATE policies SET text = NULL WHERE kind = $1 AND id = $2 AND text IS NOT NULL")
                .bind(kind)
                .bind(id);
        let changed = writer.execute(query).await?;
        if changed > 0 {
            writer.touch(Topic::Policies).await?;
        }
        writer.finish().await?;
        Ok(changed > 0)
    }
}

fn upsert(kind: &str, id: &str, text: &str, digest: &Digest, now: UnixTime) -> Statement {
    statement(
        "INSERT INTO policies (kind, id, version, text, digest, created) VALUES ($1, $2, 1, $3, $4, $5) \
         ON CONFLICT (kind, id) DO UPDATE SET version = policies.version + 1, text = excluded.text, \
         digest = excluded.digest, created = excluded.created \
         RETURNING id, version, digest, created",
    )
    .bind(kind)
    .bind(id)
    .bind(text)
    .bind(digest.to_string())
    .bind(now.0)
}

fn read_info(row: &Row) -> Result<PolicyInfo, StoreError> {
    let digest: String = column(row, 2)?;
    Ok(PolicyInfo {
        id: column(row, 0)?,
        version: number(row, 1)?,
        digest: digest
            .parse()
            .map_err(|_| StoreError::Corrupt { detail: "the digest of a policy is malformed".to_owned() })?,
        created: time(row, 3)?,
    })
}

fn read_policy(row: &Row) -> Result<StoredPolicy, StoreError> {
    Ok(StoredPolicy { info: read_info(row)?, text: column(row, 4)? })
}
