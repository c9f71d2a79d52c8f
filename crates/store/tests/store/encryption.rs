use assay_store::StoreError;
use assay_types::Coded;

use super::tables::signing_key;
use super::{NOW, Place, key, path, secret};

const MARKER: &[u8] = b"a text that must not be found in any file";

#[tokio::test]
async fn no_secret_is_in_clear_in_any_file() {
    let place = Place::new();
    let store = place.open().await;
    let mut record = signing_key("k", NOW);
    record.secret = secret(MARKER);
    store.put_key(record).await.unwrap();
    for i in 0..20 {
        store.put_resource(&path(&format!("a/b/{i}")), &secret(MARKER), NOW).await.unwrap();
    }
    assert!(place.contains(b"a/b/19").await, "the log is among the files");
    assert!(!place.contains(MARKER).await);
    store.close().await;
    assert!(place.contains(b"a/b/19").await);
    assert!(!place.contains(MARKER).await);
    assert!(!place.contains(&[1; 32]).await, "nor is the key");
}

#[tokio::test]
async fn a_row_moved_to_another_path_or_version_does_not_open() {
    let moves = [
        // The whole content of one row into another.
        "UPDATE resources SET (wrapped_key, sealed) = \
         (SELECT wrapped_key, sealed FROM resources WHERE path = 'a/b/1' AND version = 2) WHERE path = 'a/b/2'",
        // An old version under the number of the new one.
        "UPDATE resources SET (wrapped_key, sealed) = \
         (SELECT wrapped_key, sealed FROM resources WHERE path = 'a/b/1' AND version = 1) \
         WHERE path = 'a/b/1' AND version = 2",
        // Renamed.
        "UPDATE resources SET path = 'x' WHERE path = 'a/b/2'; UPDATE resources SET path = 'a/b/2' \
         WHERE path = 'a/b/1' AND version = 2",
        // Renumbered.
        "UPDATE resources SET version = 3 WHERE path = 'a/b/1' AND version = 1",
        // The key of one with the content of another.
        "UPDATE resources SET wrapped_key = (SELECT wrapped_key FROM resources WHERE path = 'a/b/1' \
         AND version = 2) WHERE path = 'a/b/2'",
        "UPDATE resources SET sealed = substr(sealed, 1, 11)",
        "UPDATE resources SET wrapped_key = substr(wrapped_key, 1, 0)",
    ];
    for sql in moves {
        let place = Place::new();
        let store = place.open().await;
        store.put_resource(&path("a/b/1"), &secret("old"), NOW).await.unwrap();
        store.put_resource(&path("a/b/1"), &secret("new"), NOW).await.unwrap();
        store.put_resource(&path("a/b/2"), &secret("other"), NOW).await.unwrap();
        place.run(sql).await;
        let (one, two) = (store.get_resource(&path("a/b/1")).await, store.get_resource(&path("a/b/2")).await);
        let errors: Vec<StoreError> = [one, two].into_iter().filter_map(Result::err).collect();
        assert!(!errors.is_empty(), "{sql}");
        assert!(errors.iter().all(|e| e.code() == "STORE-008"), "{sql}: {errors:?}");
    }
}

#[tokio::test]
async fn nothing_about_a_key_can_be_changed_in_the_database() {
    let changes = [
        "UPDATE keys SET expires = expires + 1",
        "UPDATE keys SET sign_until = sign_until + 1",
        "UPDATE keys SET created = created - 1",
        "UPDATE keys SET algorithm = 'ES384'",
        "UPDATE keys SET certificate = substr(sealed, 1, 2)",
        "UPDATE keys SET certificate = NULL",
        "UPDATE keys SET kid = 'other'",
        "UPDATE keys SET sealed = substr(sealed, 1, 1)",
    ];
    for sql in changes {
        let place = Place::new();
        let store = place.open().await;
        store.put_key(signing_key("k", NOW)).await.unwrap();
        place.run(sql).await;
        let error = store.keys("token-signing").await.unwrap_err();
        assert!(matches!(error, StoreError::Tampered { .. }), "{sql}: {error}");
    }
    let place = Place::new();
    let store = place.open().await;
    store.put_key(signing_key("k", NOW)).await.unwrap();
    place.run("UPDATE keys SET purpose = 'admin'").await;
    assert!(matches!(store.keys("admin").await, Err(StoreError::Tampered { .. })));
}

#[tokio::test]
async fn a_wrong_key_is_told_when_the_store_is_opened() {
    let place = Place::new();
    let store = place.open().await;
    store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
    store.close().await;
    let error = place.try_open_with(key(2)).await.unwrap_err();
    assert_eq!(error, StoreError::WrongKey { expected: key(1).id(), given: key(2).id() });
    assert_eq!(error.code(), "STORE-007");
    // Nothing was harmed.
    let store = place.open().await;
    assert_eq!(store.get_resource(&path("a/b/c")).await.unwrap().unwrap().value, secret("s"));
}

#[tokio::test]
async fn a_key_check_that_was_altered_or_removed_is_noticed() {
    for (sql, code) in [
        ("DELETE FROM meta WHERE name = 'kek-id'", "STORE-003"),
        ("DELETE FROM meta", "STORE-003"),
        ("UPDATE meta SET value = substr(value, 1, 1) WHERE name = 'kek-check-value'", "STORE-008"),
        (
            "UPDATE meta SET value = (SELECT value FROM meta WHERE name = 'kek-check-key') WHERE name = 'kek-id'",
            "STORE-003",
        ),
    ] {
        let place = Place::new();
        place.open().await.close().await;
        place.run(sql).await;
        let error = place.try_open().await.unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
    }
}

#[test]
fn debug_shows_no_key() {
    let text = format!("{:?}", key(7));
    assert_eq!(text, format!("KeyEncryptionKey({})", key(7).id()));
    assert!(!text.contains("0707"));
    assert_ne!(key(7).id(), key(8).id());
}
