//! A store goes out into an export and comes back, whole or not at all.

use assay_store::{CachedCollateral, NewReferenceValue, Store, StoreError};
use assay_types::{Digest, UnixTime};

use super::sessions::session;
use super::tables::signing_key;
use super::{NOW, Place, key, path, secret};

/// Something in every table that a store fills itself.
pub(crate) async fn fill(store: &Store) {
    for i in 0..12 {
        store.put_resource(&path(&format!("a/b/{i}")), &secret(vec![i; 4000]), NOW).await.unwrap();
        store.put_resource(&path("a/b/0"), &secret([i]), NOW).await.unwrap();
    }
    store.delete_resource(&path("a/b/11")).await.unwrap();
    store.put_key(signing_key("k", NOW)).await.unwrap();
    let text = "package policy\n";
    store.put_policy("resource", "p", text, &Digest::sha384(text.as_bytes()), NOW).await.unwrap();
    store.put_policy("resource", "gone", text, &Digest::sha384(text.as_bytes()), NOW).await.unwrap();
    store.delete_policy("resource", "gone").await.unwrap();
    let value = |id: &str| NewReferenceValue {
        id: id.to_owned(),
        value: serde_json::json!(["ä", 1, null]),
        expires: UnixTime(NOW.0 + 9),
        source: "sample".to_owned(),
    };
    store.put_reference_values(&[value("v"), value("w")], NOW).await.unwrap();
    store.delete_reference_value("w", NOW).await.unwrap();
    for n in 0..300 {
        store.record_attestation(session(n)).await.unwrap();
    }
    let item = CachedCollateral {
        bytes: vec![0, 1, 2],
        fetched: NOW,
        origin: "https://example.org".to_owned(),
        validity: None,
        request: None,
    };
    store.put_collateral(&[("intel", "key", &item)]).await.unwrap();
}

/// That everything of [`fill`] is there, and that counting goes on where it was.
pub(crate) async fn is_filled(store: &Store) {
    assert_eq!(store.get_resource(&path("a/b/0")).await.unwrap().unwrap().value, secret([11]));
    assert_eq!(
        store.get_resource_version(&path("a/b/0"), 1).await.unwrap().unwrap().value,
        secret([0; 4000])
    );
    assert_eq!(store.get_resource(&path("a/b/11")).await.unwrap(), None);
    assert_eq!(store.keys("token-signing").await.unwrap(), [signing_key("k", NOW)]);
    assert_eq!(store.all_policies("resource").await.unwrap().len(), 1);
    assert_eq!(store.all_reference_values().await.unwrap().len(), 1);
    assert_eq!(store.reference_value_history("w").await.unwrap().len(), 2);
    assert_eq!(store.session(&session(299).session_hash).await.unwrap(), Some(session(299)));
    assert_eq!(store.record_attestation(session(7)).await, Err(StoreError::AlreadyUsed));
    assert_eq!(store.get_collateral("intel", "key").await.unwrap().unwrap().bytes, [0, 1, 2]);
    let checked = store.check().await.unwrap();
    assert_eq!((checked.resources, checked.keys, checked.policies), (23, 1, 1));
    assert_eq!(checked.damaged, Vec::<String>::new());
}

async fn exported(store: &Store) -> Vec<u8> {
    store.export(Vec::new(), &key(9)).await.unwrap().0
}

#[tokio::test]
async fn an_export_comes_back_under_another_key() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    let (bytes, out) = store.export(Vec::new(), &key(9)).await.unwrap();
    assert!(!bytes.windows(9).any(|w| w == b"token-sig"), "it is encrypted");

    let other = Place::new();
    other.prepare().await;
    let target = other.try_open_with(key(5)).await.unwrap();
    assert_eq!(target.import(bytes.as_slice(), &key(9)).await.unwrap(), out);
    is_filled(&target).await;
    // Counting goes on: no version is given twice.
    assert_eq!(target.put_resource(&path("a/b/11"), &secret("new"), NOW).await.unwrap(), 2);
    target.close().await;
    assert!(matches!(other.try_open().await, Err(StoreError::WrongKey { .. })), "under its own key");
    let error = store.import(bytes.as_slice(), &key(9)).await.unwrap_err();
    assert_eq!(error, StoreError::NotEmpty { table: "resource_heads" });
}

#[tokio::test]
async fn a_damaged_export_leaves_nothing_behind() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    let good = exported(&store).await;
    let other = Place::new();
    let target = other.open().await;
    let mut altered = good.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let longer = [good.as_slice(), b"x"].concat();
    for (bytes, part) in [
        (&good[..good.len() - 1], "cut off"),
        (&good[..good.len() / 2], "cut off"),
        (&good[..20], "too short"),
        (altered.as_slice(), "altered"),
        (longer.as_slice(), "follows"),
        (b"SQLite format 3\0 and so on, and so on, and so on".as_slice(), "not an export"),
    ] {
        let error = target.import(bytes, &key(9)).await.unwrap_err();
        assert!(matches!(error, StoreError::Export { .. }) && error.to_string().contains(part), "{error}");
    }
    let error = target.import(good.as_slice(), &key(8)).await.unwrap_err();
    assert!(error.to_string().contains("does not open with this key"), "{error}");
    target.import(good.as_slice(), &key(9)).await.unwrap();
    is_filled(&target).await;
}

#[tokio::test]
async fn what_is_damaged_in_a_store_is_found_record_by_record() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    for sql in [
        "UPDATE resources SET sealed = substr(sealed, 1, 20) WHERE path = 'a/b/3'",
        "UPDATE resources SET kek_id = '0011223344556677' WHERE path = 'a/b/4'",
        "UPDATE policies SET text = 'package other' WHERE id = 'p'",
        "UPDATE reference_values SET value = 'x' WHERE id = 'v'",
        "UPDATE keys SET expires = expires + 1",
    ] {
        place.run(sql).await;
    }
    let found = store.check().await.unwrap().damaged.join("\n");
    for part in ["a/b/3", "0011223344556677", "policy p", "\"v\"", "key k"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    assert_eq!(found.lines().count(), 5, "{found}");
    assert!(store.export(Vec::new(), &key(9)).await.is_err(), "what is damaged is not exported in silence");
}
