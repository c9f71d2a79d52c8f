//! The log in PostgreSQL.
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

#[path = "shared/log.rs"]
mod log;

use assay_store::{KeyEncryptionKey, Location, PostgresOptions, Store, StoreLimits};
use assay_types::SecretBytes;
use aws_lc_rs::rand;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// A database of its own on the test's server.
struct Place {
    server: PgConnectOptions,
    url: String,
    password: Vec<u8>,
    name: String,
}

impl Place {
    async fn new() -> Self {
        let Ok(url) = std::env::var("ASSAY_TEST_POSTGRES") else {
            println!("skipped: no PostgreSQL server; scripts/test_postgres.py run COMMAND starts one");
            std::process::exit(0);
        };
        let password = std::fs::read(std::env::var("ASSAY_TEST_POSTGRES_PASSWORD_FILE").unwrap()).unwrap();
        let mut random = [0; 8];
        rand::fill(&mut random).unwrap();
        let server: PgConnectOptions = url.parse().unwrap();
        let server = server.password(std::str::from_utf8(&password).unwrap().trim());
        let name = format!("audit_{}", hex::encode(random));
        let mut connection = server.connect().await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Place { server, url: url.replace("/postgres", &format!("/{name}")), password, name }
    }

    async fn open(&self) -> Store {
        let location = Location::Postgres(PostgresOptions {
            password: Some(SecretBytes::new(self.password.clone())),
            connections: 4,
            ..PostgresOptions::new(self.url.clone())
        });
        let key = KeyEncryptionKey::from_bytes([1; 32]);
        Store::open_at(&location, key.into(), StoreLimits::default()).await.unwrap()
    }

    /// Hands on the database.
    async fn run(&self, sql: &str) {
        let mut connection = self.server.clone().database(&self.name).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}
