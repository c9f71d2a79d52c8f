use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use assay_store::{Store, StoreError, StoreLimits, StoreOptions};
use assay_types::{Coded, Fault};
use sqlx::Connection;

use super::sessions::session;
use super::{NOW, Place, is_root, key, path, secret};

#[tokio::test]
async fn the_files_are_private() {
    let place = Place::new();
    let database = place.path().join("new/folder/assay.db");
    let store =
        Store::open(StoreOptions { database: database.clone(), key_encryption_key: key(1) }).await.unwrap();
    store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
    store.get_resource(&path("a/b/c")).await.unwrap();
    let folder = database.parent().unwrap();
    assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        names.push(file.file_name().into_string().unwrap());
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    names.sort();
    assert_eq!(names, ["assay.db", "assay.db-shm", "assay.db-wal"]);
    store.close().await;

    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).unwrap();
    Store::open(StoreOptions { database: database.clone(), key_encryption_key: key(1) }).await.unwrap();
    assert_eq!(std::fs::metadata(&database).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let place = Place::new();
    std::fs::write(place.database(), "this is a text, and a text it stays ".repeat(100)).unwrap();
    let error = place.try_open().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(error.code(), "STORE-003");
    assert!(place.contains(b"a text it stays").await, "the file is left alone");
}

#[tokio::test]
async fn a_damaged_database_is_corrupt() {
    let place = Place::new();
    let store = place.open().await;
    for i in 0..50 {
        store.put_resource(&path(&format!("a/b/{i}")), &secret([i; 2000]), NOW).await.unwrap();
    }
    store.close().await;
    // All pages but the first are overwritten.
    let mut bytes = std::fs::read(place.database()).unwrap();
    bytes[4096..].fill(0xa5);
    std::fs::write(place.database(), bytes).unwrap();
    let error = place.try_open().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");

    // Cut off.
    let place = Place::new();
    place.open().await.close().await;
    let bytes = std::fs::read(place.database()).unwrap();
    std::fs::write(place.database(), &bytes[..bytes.len() / 2]).unwrap();
    let error = place.try_open().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_row_of_the_wrong_type_is_corrupt() {
    let place = Place::new();
    let store = place.open().await;
    store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
    place.run("UPDATE resources SET created = 'yesterday'").await;
    let error = store.get_resource(&path("a/b/c")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Internal);
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    for sql in ["CREATE TABLE theirs (a INT)", "PRAGMA application_id = 42"] {
        let place = Place::new();
        std::fs::write(place.database(), "").unwrap();
        place.run(sql).await;
        let before = std::fs::read(place.database()).unwrap();
        assert_eq!(place.try_open().await.unwrap_err(), StoreError::Foreign { path: place.database() });
        assert_eq!(std::fs::read(place.database()).unwrap(), before);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = Place::new();
    place.open().await.close().await;
    place.run("INSERT INTO schema_migrations (version, digest) VALUES (99, 'sha384:00')").await;
    let error = place.try_open().await.unwrap_err();
    assert_eq!(error, StoreError::NewerSchema { found: 99, known: 4 });
}

#[tokio::test]
async fn a_migration_that_was_altered_is_refused() {
    let place = Place::new();
    place.open().await.close().await;
    place.run("UPDATE schema_migrations SET digest = 'sha384:00'").await;
    let error = place.try_open().await.unwrap_err();
    assert!(matches!(error, StoreError::Migration { .. }), "{error}");
}

#[tokio::test]
async fn many_may_create_the_database_at_once() {
    let place = Place::new();
    let opening: Vec<_> = (0..6).map(|_| tokio::spawn(Store::open(place.options()))).collect();
    for (i, store) in opening.into_iter().enumerate() {
        let store = store.await.unwrap().unwrap();
        let version = store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
        assert_eq!(version, u64::try_from(i).unwrap() + 1);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    std::fs::write(place.path().join("file"), "").unwrap();
    let database = place.path().join("file/assay.db");
    let error = Store::open(StoreOptions { database, key_encryption_key: key(1) }).await.unwrap_err();
    assert!(matches!(&error, StoreError::NotAccessible { path, .. } if path.ends_with("file")), "{error}");
    assert_eq!((error.code(), error.fault()), ("STORE-009", Fault::Unavailable));

    let options = StoreOptions { database: place.path().to_owned(), key_encryption_key: key(1) };
    let error = Store::open(options).await.unwrap_err();
    assert_eq!(error.code(), "STORE-009", "a folder in place of the file: {error}");

    if is_root() {
        println!("skipped the part on a read-only folder: root writes everywhere");
        return;
    }
    let store = place.open().await;
    store.close().await;
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let existing = place.try_open().await.unwrap_err();
    let other = StoreOptions { database: place.path().join("new.db"), key_encryption_key: key(1) };
    let new = Store::open(other).await.unwrap_err();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!((existing.code(), new.code()), ("STORE-009", "STORE-009"));
}

#[tokio::test]
async fn a_database_locked_by_another_process_is_unavailable_until_it_is_free() {
    let place = Place::new();
    let limits = StoreLimits { busy_timeout: Duration::from_millis(100), ..StoreLimits::default() };
    let store = Store::open_with_limits(place.options(), limits).await.unwrap();
    store.put_resource(&path("a/b/c"), &secret("1"), NOW).await.unwrap();

    let mut other = place.connect().await;
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let error = store.put_resource(&path("a/b/c"), &secret("2"), NOW).await.unwrap_err();
    assert_eq!((&error, error.fault(), error.code()), (&StoreError::Locked, Fault::Unavailable, "STORE-001"));
    assert_eq!(store.record_attestation(session(1)).await, Err(StoreError::Locked));
    // Reading goes on, and so does starting.
    assert_eq!(store.get_resource(&path("a/b/c")).await.unwrap().unwrap().value, secret("1"));
    place.try_open().await.unwrap().close().await;

    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(store.put_resource(&path("a/b/c"), &secret("2"), NOW).await.unwrap(), 2);
    store.record_attestation(session(1)).await.unwrap();
}

#[tokio::test]
async fn a_database_held_for_exclusive_use_is_locked_at_the_start() {
    let place = Place::new();
    place.open().await.close().await;
    let mut other = place.connect().await;
    sqlx::raw_sql("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")
        .execute(&mut other)
        .await
        .unwrap();
    assert_eq!(place.try_open().await.unwrap_err(), StoreError::Locked);
    other.close().await.unwrap();
    place.try_open().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_named_and_nothing_is_lost() {
    let place = Place::new();
    let limits = StoreLimits { max_size: Some(64 * 4096), ..StoreLimits::default() };
    let store = Store::open_with_limits(place.options(), limits).await.unwrap();
    let mut written = 0_u8;
    let error = loop {
        match store.put_resource(&path(&format!("a/b/{written}")), &secret([written; 10_000]), NOW).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((&error, error.fault(), error.code()), (&StoreError::Full, Fault::Unavailable, "STORE-002"));
    assert!(written > 3, "{written}");
    let mut sessions = 0;
    while store.record_attestation(session(sessions)).await.is_ok() {
        sessions += 1;
    }
    assert_eq!(store.record_attestation(session(sessions)).await, Err(StoreError::Full));

    for i in 0..written {
        let stored = store.get_resource(&path(&format!("a/b/{i}"))).await.unwrap().unwrap();
        assert_eq!(stored.value, secret([i; 10_000]));
    }
    for i in 0..sessions {
        assert_eq!(store.session(&session(i).session_hash).await.unwrap(), Some(session(i)));
    }
    // Space given free is used again.
    for i in 0..3 {
        assert!(store.delete_resource(&path(&format!("a/b/{i}"))).await.unwrap());
    }
    store.put_resource(&path("a/b/x"), &secret([9; 5_000]), NOW).await.unwrap();
    store.record_attestation(session(sessions)).await.unwrap();
}

#[tokio::test]
async fn a_deleted_database_does_not_come_back_empty() {
    let place = Place::new();
    let store = place.open().await;
    store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
    std::fs::remove_file(place.database()).unwrap();
    // The resource (from a connection that was open) or an error; never "there is none".
    assert!(!matches!(store.get_resource(&path("a/b/c")).await, Ok(None)));
    assert!(!place.database().exists());
}

#[tokio::test]
async fn a_closed_store_leaves_one_file() {
    let place = Place::new();
    let store = place.open().await;
    store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
    store.close().await;
    let left: Vec<_> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["assay.db"], "the log was folded in");
}
