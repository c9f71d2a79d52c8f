//! Tables `audit_records` and `audit_heads`: what the audit log writes. What the records say, and whether
//! they are sound, is not this crate's affair.

use std::sync::LazyLock;

use assay_types::UnixTime;
use serde_json::json;

use crate::rows::{Batched, column, next_batch, number, stored, time, value_rows};
use crate::statement::{Row, Statement, statement};
use crate::{Store, StoreError};

/// The most records that are written at once.
pub const MAX_AUDIT_ROWS: usize = 32;

/// A record of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// The chain that it belongs to.
    pub chain: [u8; 16],
    /// Its number in the chain, from 0.
    pub seq: u64,
    /// When it was recorded.
    pub time: UnixTime,
    /// What kind of event it is.
    pub kind: String,
    /// Its text.
    pub record: String,
    /// Its hash.
    pub hash: [u8; 48],
}

/// The head of a chain of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The chain.
    pub chain: [u8; 16],
    /// The number of its records.
    pub length: u64,
    /// The hash of the last one.
    pub hash: [u8; 48],
    /// When it was signed.
    pub updated: UnixTime,
    /// The signature.
    pub signature: String,
}

/// A place in the audit log in the order of time; a page goes on before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPlace {
    /// The time.
    pub time: UnixTime,
    /// The chain.
    pub chain: [u8; 16],
    /// The number in the chain.
    pub seq: u64,
}

const COLUMNS: &str = "chain, seq, time, kind, record, hash";

static INSERT: LazyLock<Batched> = LazyLock::new(|| {
    Batched::new(|rows| {
        let values = value_rows(rows, 6, |n| {
            format!("(${n}, ${}, ${}, ${}, ${}, ${})", n + 1, n + 2, n + 3, n + 4, n + 5)
        });
        format!("INSERT INTO audit_records ({COLUMNS}) VALUES {values}")
    })
});

const UPSERT_HEAD: &str = "INSERT INTO audit_heads (chain, length, hash, updated, signature) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (chain) DO UPDATE SET length = excluded.length, \
     hash = excluded.hash, updated = excluded.updated, signature = excluded.signature";

/// Head and records in one statement, which is a transaction. The records travel as JSON, so that one
/// prepared statement serves any number of them.
static APPEND_ON_POSTGRES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH head AS ({UPSERT_HEAD}) INSERT INTO audit_records ({COLUMNS}) \
         SELECT $1, r.seq, r.time, r.kind, r.record, decode(r.hash, 'hex') FROM json_to_recordset($6::json) \
         AS r(seq BIGINT, time BIGINT, kind TEXT, record TEXT, hash TEXT)"
    )
});

static PAGE: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {COLUMNS} FROM audit_records WHERE (chain, seq) > ($1, $2) ORDER BY chain, seq LIMIT $3")
});

/// The kinds stand in the text, so that the index of these few records is used.
static PAGE_OF_CHAINS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM audit_records WHERE kind IN ('chain-start', 'heads', 'prune') \
         AND (chain, seq) > ($1, $2) ORDER BY chain, seq LIMIT $3"
    )
});

static LATEST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM audit_records WHERE time >= $1 AND time <= $2 AND (time < $2 OR \
         chain < $3 OR (chain = $3 AND seq < $4)) ORDER BY time DESC, chain DESC, seq DESC LIMIT $5"
    )
});

impl Store {
    /// Writes records of one chain and its head after them, all or nothing, such that they survive the
    /// loss of power.
    ///
    /// # Errors
    /// `AlreadyExists` when a record of that number is there; others when they cannot be written.
    pub async fn append_audit(&self, rows: &[AuditRow], head: &AuditHead) -> Result<(), StoreError> {
        if rows.iter().any(|row| row.chain != head.chain) {
            return Err(StoreError::Unexpected { detail: "audit records of several chains".to_owned() });
        }
        if self.database().as_postgres().is_some() {
            let records: Vec<_> = rows
                .iter()
                .map(|row| {
                    json!({
                        "seq": row.seq, "time": row.time.0, "kind": row.kind, "record": row.record,
                        "hash": hex::encode(row.hash),
                    })
                })
                .collect();
            let query = bind_head(&APPEND_ON_POSTGRES, head)?.bind(json!(records).to_string());
            let mut writer = self.database().session_writer().await?;
            writer.execute(query).await?;
            return writer.finish().await;
        }
        let mut writer = self.database().begin().await?;
        let mut rest = rows;
        while let Some((batch, others)) = rest.split_at_checked(next_batch(rest.len())) {
            if batch.is_empty() {
                break;
            }
            rest = others;
            let mut query = statement(INSERT.text(batch.len())?);
            for row in batch {
                query = query
                    .bind(row.chain.to_vec())
                    .bind(stored(row.seq)?)
                    .bind(row.time.0)
                    .bind(row.kind.as_str())
                    .bind(row.record.as_str())
                    .bind(row.hash.to_vec());
            }
            writer.execute(query).await?;
        }
        writer.execute(bind_head(UPSERT_HEAD, head)?).await?;
        writer.finish().await
    }

    /// The records after this place (chain and number), by chain and number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_page(
        &self,
        after: Option<([u8; 16], u64)>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        self.audit_rows(&PAGE, after, limit).await
    }

    /// [`Store::audit_page`] of the records that speak of other chains: those of the kinds `chain-start`,
    /// `heads` and `prune`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_page_of_chains(
        &self,
        after: Option<([u8; 16], u64)>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        self.audit_rows(&PAGE_OF_CHAINS, after, limit).await
    }

    async fn audit_rows(
        &self,
        text: &'static str,
        after: Option<([u8; 16], u64)>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        // Chains are longer than nothing.
        let (chain, seq) = match after {
            Some((chain, seq)) => (chain.to_vec(), stored(seq)?),
            None => (Vec::new(), 0),
        };
        let query = statement(text).bind(chain).bind(seq).bind(i64::from(limit));
        self.database().fetch_all(query).await?.iter().map(read_row).collect()
    }

    /// The newest records from before `before`, the newest first: from `since` on, before `until`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_latest(
        &self,
        since: Option<UnixTime>,
        until: Option<UnixTime>,
        before: Option<AuditPlace>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let until = until.map_or(i64::MAX, |until| until.0);
        // Before `until` itself: no record has an empty chain.
        let (last, chain, seq) = match before {
            Some(place) if place.time.0 < until => (place.time.0, place.chain.to_vec(), stored(place.seq)?),
            _ => (until, Vec::new(), 0),
        };
        let query = statement(&LATEST)
            .bind(since.map_or(i64::MIN, |since| since.0))
            .bind(last)
            .bind(chain)
            .bind(seq)
            .bind(i64::from(limit));
        self.database().fetch_all(query).await?.iter().map(read_row).collect()
    }

    /// The first record of each chain that has it and a head, by chain.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_first_records(&self) -> Result<Vec<AuditRow>, StoreError> {
        let query = statement(
            "SELECT r.chain, r.seq, r.time, r.kind, r.record, r.hash FROM audit_heads h \
             JOIN audit_records r ON r.chain = h.chain AND r.seq = 0 ORDER BY r.chain",
        );
        self.database().fetch_all(query).await?.iter().map(read_row).collect()
    }

    /// All heads, by chain: those of one moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_heads(&self) -> Result<Vec<AuditHead>, StoreError> {
        let query =
            statement("SELECT chain, length, hash, updated, signature FROM audit_heads ORDER BY chain");
        self.database().fetch_all(query).await?.iter().map(read_head).collect()
    }

    /// The head of a chain.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_head(&self, chain: &[u8; 16]) -> Result<Option<AuditHead>, StoreError> {
        let query =
            statement("SELECT chain, length, hash, updated, signature FROM audit_heads WHERE chain = $1")
                .bind(chain.to_vec());
        self.database().fetch_optional(query).await?.map(|row| read_head(&row)).transpose()
    }

    /// Deletes the first `length` records of a chain, some thousands at a time and the first ones first; and
    /// its head too when that is all of it and nothing was written to it since `before`.
    ///
    /// # Errors
    /// When the database cannot be written; what was deleted until then stays so.
    pub async fn prune_audit(
        &self,
        chain: &[u8; 16],
        length: u64,
        before: UnixTime,
    ) -> Result<(), StoreError> {
        let length = stored(length)?;
        loop {
            let mut writer = self.database().begin().await?;
            let records = statement(
                "DELETE FROM audit_records WHERE chain = $1 AND seq < $2 AND seq < \
                 (SELECT COALESCE(MIN(seq), 0) FROM audit_records WHERE chain = $1) + 5000",
            );
            let deleted = writer.execute(records.bind(chain.to_vec()).bind(length)).await?;
            if deleted == 0 {
                let head =
                    statement("DELETE FROM audit_heads WHERE chain = $1 AND length = $2 AND updated < $3");
                writer.execute(head.bind(chain.to_vec()).bind(length).bind(before.0)).await?;
            }
            writer.finish().await?;
            if deleted == 0 {
                return Ok(());
            }
        }
    }
}

fn bind_head(text: &'static str, head: &AuditHead) -> Result<Statement, StoreError> {
    Ok(statement(text)
        .bind(head.chain.to_vec())
        .bind(stored(head.length)?)
        .bind(head.hash.to_vec())
        .bind(head.updated.0)
        .bind(head.signature.as_str()))
}

fn read_row(row: &Row) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        chain: bytes(row, 0)?,
        seq: number(row, 1)?,
        time: time(row, 2)?,
        kind: column(row, 3)?,
        record: column(row, 4)?,
        hash: bytes(row, 5)?,
    })
}

fn read_head(row: &Row) -> Result<AuditHead, StoreError> {
    Ok(AuditHead {
        chain: bytes(row, 0)?,
        length: number(row, 1)?,
        hash: bytes(row, 2)?,
        updated: time(row, 3)?,
        signature: column(row, 4)?,
    })
}

fn bytes<const N: usize>(row: &Row, index: usize) -> Result<[u8; N], StoreError> {
    let bytes: Vec<u8> = column(row, index)?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| StoreError::Corrupt {
        detail: format!("{found} bytes in the audit log where {N} are written"),
    })
}
