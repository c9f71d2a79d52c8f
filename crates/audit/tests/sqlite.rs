//! The log in an SQLite file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

#[path = "shared/log.rs"]
mod log;

use assay_store::{KeyEncryptionKey, Store, StoreOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// A throw-away place that can be opened several times.
struct Place(tempfile::TempDir);

impl Place {
    async fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Store {
        Store::open(StoreOptions {
            database: self.0.path().join("assay.db"),
            key_encryption_key: KeyEncryptionKey::from_bytes([1; 32]),
        })
        .await
        .unwrap()
    }

    /// Hands on the database.
    async fn run(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(self.0.path().join("assay.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}
