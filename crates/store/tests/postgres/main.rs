//! The store on PostgreSQL: the same tests as on SQLite, and those of several processes on one database.
//!
//! They need a server: `scripts/test_postgres.py run COMMAND` starts one and names it in
//! `ASSAY_TEST_POSTGRES`. Without it each of them says so and does nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

#[path = "../store/audit.rs"]
mod audit;
#[path = "../store/challenge_response.rs"]
mod challenge_response;
#[path = "../store/changes.rs"]
mod changes;
#[path = "../store/collateral.rs"]
mod collateral;
#[path = "../store/dump.rs"]
mod dump;
#[path = "../store/encryption.rs"]
mod encryption;
mod failures;
mod replicas;
#[path = "../store/rotation.rs"]
mod rotation;
#[path = "../store/sessions.rs"]
mod sessions;
#[path = "../store/tables.rs"]
mod tables;

use std::time::Duration;

use assay_store::{KeyEncryptionKey, Location, PostgresOptions, Store, StoreError, StoreLimits};
use assay_types::{ResourcePath, SecretBytes, UnixTime};
use aws_lc_rs::rand;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

const NOW: UnixTime = UnixTime(1_800_000_000);

/// A database of its own on the test's server.
struct Place {
    server: PgConnectOptions,
    url: String,
    password: Vec<u8>,
    name: String,
}

impl Place {
    fn new() -> Self {
        let Ok(url) = std::env::var("ASSAY_TEST_POSTGRES") else {
            println!("skipped: no PostgreSQL server; scripts/test_postgres.py run COMMAND starts one");
            std::process::exit(0);
        };
        let file = std::env::var("ASSAY_TEST_POSTGRES_PASSWORD_FILE").unwrap();
        let password = std::fs::read(file).unwrap();
        let mut random = [0; 8];
        rand::fill(&mut random).unwrap();
        let server: PgConnectOptions = url.parse().unwrap();
        let server = server.password(std::str::from_utf8(&password).unwrap().trim());
        let name = format!("t_{}", hex::encode(random));
        let url = url.replace("/postgres", &format!("/{name}"));
        Place { server, url, password, name }
    }

    fn location(&self) -> Location {
        Location::Postgres(PostgresOptions {
            password: Some(SecretBytes::new(self.password.clone())),
            connections: 4,
            ..PostgresOptions::new(self.url.clone())
        })
    }

    /// Makes the database when it is not there.
    async fn prepare(&self) {
        let mut connection = self.server.connect().await.unwrap();
        let query = "SELECT COUNT(*) FROM pg_database WHERE datname = $1";
        let there = sqlx::query(query).bind(&self.name).fetch_one(&mut connection).await.unwrap();
        if there.get::<i64, _>(0) == 0 {
            let create = format!("CREATE DATABASE {}", self.name);
            sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    async fn open(&self) -> Store {
        self.prepare().await;
        Store::open_at(&self.location(), key(1).into(), StoreLimits::default()).await.unwrap()
    }

    async fn try_open(&self) -> Result<Store, StoreError> {
        self.try_open_with(key(1)).await
    }

    async fn try_open_with(&self, key: KeyEncryptionKey) -> Result<Store, StoreError> {
        let limits = StoreLimits { busy_timeout: Duration::from_secs(2), ..StoreLimits::default() };
        Store::open_at(&self.location(), key.into(), limits).await
    }

    /// A connection of somebody else.
    async fn connect(&self) -> PgConnection {
        self.server.clone().database(&self.name).connect().await.unwrap()
    }

    async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Bytes as they stand in SQL.
    fn bytes_literal(&self, hexadecimal: &str) -> String {
        format!("'\\x{hexadecimal}'::bytea")
    }

    /// From now on the database refuses collateral of that key.
    async fn refuse_collateral(&self, key: &str) {
        self.run(&format!("ALTER TABLE collateral ADD CHECK (cache_key <> '{key}')")).await;
    }

    /// Whether it stands anywhere in a table, as text or as bytes.
    async fn contains(&self, needle: &[u8]) -> bool {
        let mut connection = self.connect().await;
        let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
        let mut all = String::new();
        for row in sqlx::query(tables).fetch_all(&mut connection).await.unwrap() {
            let query = format!("SELECT t::text FROM {} t", row.get::<String, _>(0));
            for row in sqlx::query(AssertSqlSafe(query)).fetch_all(&mut connection).await.unwrap() {
                all.push_str(&row.get::<String, _>(0));
            }
        }
        let text = std::str::from_utf8(needle).ok().filter(|text| text.chars().all(|c| !c.is_control()));
        text.is_some_and(|text| all.contains(text)) || all.contains(&hex::encode(needle))
    }

    /// Takes the database away under whoever uses it.
    async fn drop_database(self) {
        let mut connection = self.server.connect().await.unwrap();
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
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
