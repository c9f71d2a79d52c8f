//! The store as its users see it, on real files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod audit;
mod challenge_response;
mod changes;
mod collateral;
mod crash;
mod dump;
mod encryption;
mod failures;
mod key_file;
mod rotation;
mod sessions;
mod tables;

use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_store::{KeyEncryptionKey, Location, Store, StoreError, StoreLimits, StoreOptions};
use assay_types::{ResourcePath, SecretBytes, UnixTime};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

const NOW: UnixTime = UnixTime(1_800_000_000);

/// A folder with a database file to be.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn database(&self) -> PathBuf {
        self.path().join("assay.db")
    }

    fn options(&self) -> StoreOptions {
        StoreOptions { database: self.database(), key_encryption_key: key(1) }
    }

    async fn open(&self) -> Store {
        Store::open(self.options()).await.unwrap()
    }

    /// Nothing: the first store makes the file.
    async fn prepare(&self) {}

    async fn try_open(&self) -> Result<Store, StoreError> {
        self.try_open_with(key(1)).await
    }

    async fn try_open_with(&self, key_encryption_key: KeyEncryptionKey) -> Result<Store, StoreError> {
        let limits = StoreLimits { busy_timeout: Duration::from_millis(100), ..StoreLimits::default() };
        Store::open_with_limits(StoreOptions { key_encryption_key, ..self.options() }, limits).await
    }

    fn location(&self) -> Location {
        Location::Sqlite(self.database())
    }

    /// A connection of somebody else.
    async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.database()).connect().await.unwrap()
    }

    async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
    }

    /// Bytes as they stand in SQL.
    fn bytes_literal(&self, hexadecimal: &str) -> String {
        format!("X'{hexadecimal}'")
    }

    /// From now on the database refuses collateral of that key.
    async fn refuse_collateral(&self, key: &str) {
        self.run(&format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON collateral WHEN NEW.cache_key = '{key}' \
             BEGIN SELECT RAISE(ABORT, 'no'); END"
        ))
        .await;
    }

    /// The bytes of every file in the folder.
    fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for file in std::fs::read_dir(self.path()).unwrap() {
            all.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        all
    }

    async fn contains(&self, needle: &[u8]) -> bool {
        self.bytes().windows(needle.len()).any(|window| window == needle)
    }
}

fn key(byte: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::from_bytes([byte; 32])
}

fn path(text: &str) -> ResourcePath {
    text.parse().unwrap()
}

fn secret(bytes: impl AsRef<[u8]>) -> SecretBytes {
    SecretBytes::new(bytes.as_ref().to_vec())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
