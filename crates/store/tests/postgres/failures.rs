//! What goes wrong with a server, each told apart, and over once the cause is gone.

use std::time::Duration;

use assay_store::{Location, PostgresOptions, Store, StoreError, StoreLimits};
use assay_types::{Coded, Fault, SecretBytes};
use sqlx::Connection;

use super::sessions::session;
use super::{NOW, Place, key, path, secret};

async fn open(options: PostgresOptions) -> StoreError {
    let limits = StoreLimits { busy_timeout: Duration::from_secs(2), ..StoreLimits::default() };
    Store::open_at(&Location::Postgres(options), key(1).into(), limits).await.unwrap_err()
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_named() {
    let place = Place::new();
    let options = |url: &str, password: &[u8]| PostgresOptions {
        password: Some(SecretBytes::new(password.to_vec())),
        ..PostgresOptions::new(url)
    };
    let missing = open(options(&place.url, &place.password)).await;
    assert_eq!(missing.code(), "STORE-026", "no such database: {missing}");
    place.prepare().await;
    let wrong = open(options(&place.url, b"wrong")).await;
    assert_eq!((wrong.code(), wrong.fault()), ("STORE-026", Fault::Unavailable), "{wrong}");
    assert!(!wrong.to_string().contains("wrong\n"));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    let url = format!("postgresql://assay@{address}/x");
    let silent = open(options(&url, b"p")).await;
    assert_eq!(silent.code(), "STORE-027", "it accepts and says nothing: {silent}");
    drop(nobody);
    let closed = open(options(&url, b"p")).await;
    assert_eq!(closed.code(), "STORE-025", "{closed}");
    // TLS is asked for, the server has none.
    let clear = PostgresOptions {
        root_certificate: Some("/nonexistent.pem".into()),
        ..options(&place.url, &place.password)
    };
    let clear = open(clear).await;
    assert!(["STORE-025", "STORE-026"].contains(&clear.code()), "{clear}");
}

#[tokio::test]
async fn a_newer_or_altered_schema_is_refused() {
    let place = Place::new();
    place.open().await.close().await;
    place.run("INSERT INTO schema_migrations (version, digest) VALUES (99, 'sha384:00')").await;
    assert_eq!(place.try_open().await.unwrap_err(), StoreError::NewerSchema { found: 99, known: 4 });
    place.run("DELETE FROM schema_migrations WHERE version = 99").await;
    place.run("UPDATE schema_migrations SET digest = 'sha384:00' WHERE version = 2").await;
    assert!(matches!(place.try_open().await.unwrap_err(), StoreError::Migration { .. }));
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    for sql in ["CREATE TABLE keys (a INT)", "CREATE TABLE schema_migrations (version TEXT)"] {
        let place = Place::new();
        place.prepare().await;
        place.run(sql).await;
        let error = place.try_open().await.unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. } | StoreError::Corrupt { .. }), "{sql}: {error}");
        assert!(!place.contains(b"sha384").await);
    }
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let place = Place::new();
    let store = place.open().await;
    store.put_resource(&path("a/b/c"), &secret("1"), NOW).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for round in 0..3 {
        place.run(end).await;
        // Reading, and beginning a transaction, go on without a word.
        if round == 1 {
            assert_eq!(store.put_resource(&path("a/b/c"), &secret("2"), NOW).await.unwrap(), 2);
        } else {
            store.get_resource(&path("a/b/c")).await.unwrap().unwrap();
        }
    }
    place.run(end).await;
    // A single write may fail once, and is then over.
    if let Err(error) = store.record_attestation(session(1)).await {
        assert_eq!((error.code(), error.fault()), ("STORE-025", Fault::Unavailable), "{error}");
        store.record_attestation(session(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_not_waited_for_for_ever() {
    let place = Place::new();
    let limits = StoreLimits { busy_timeout: Duration::from_millis(300), ..StoreLimits::default() };
    place.open().await;
    let store = Store::open_at(&place.location(), key(1).into(), limits).await.unwrap();
    let mut other = place.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE attestations, resource_heads").execute(&mut other).await.unwrap();
    let error = store.record_attestation(session(1)).await.unwrap_err();
    assert!(["STORE-001", "STORE-027"].contains(&error.code()), "{error}");
    let error = store.put_resource(&path("a/b/c"), &secret("1"), NOW).await.unwrap_err();
    assert!(["STORE-001", "STORE-027"].contains(&error.code()), "{error}");
    other.close().await.unwrap();
    store.record_attestation(session(1)).await.unwrap();
    store.put_resource(&path("a/b/c"), &secret("1"), NOW).await.unwrap();
}

#[tokio::test]
async fn too_many_at_once_are_told() {
    let place = Place::new();
    place.open().await;
    let limits = StoreLimits { busy_timeout: Duration::from_millis(200), ..StoreLimits::default() };
    let store = Store::open_at(&place.location(), key(1).into(), limits).await.unwrap();
    let mut other = place.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE attestations").execute(&mut other).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..12 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move { store.record_attestation(session(n)).await }));
    }
    let mut codes = Vec::new();
    for task in tasks {
        codes.push(task.await.unwrap().unwrap_err().code());
    }
    assert!(codes.contains(&"STORE-028"), "{codes:?}");
    other.close().await.unwrap();
    store.record_attestation(session(99)).await.unwrap();
}

#[tokio::test]
async fn a_row_of_the_wrong_type_is_corrupt_and_a_lost_database_an_error() {
    let place = Place::new();
    let store = place.open().await;
    store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
    place.run("ALTER TABLE resources ALTER COLUMN created TYPE TEXT").await;
    let error = store.get_resource(&path("a/b/c")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    place.drop_database().await;
    assert!(store.get_resource(&path("a/b/c")).await.is_err());
    assert!(store.ping().await.is_err());
}
