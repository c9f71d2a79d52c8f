//! The back end on the own store loses nothing of what the store gives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use std::sync::Arc;

use assay_secret_backends::{SecretBackend as _, StoreBackend};
use assay_store::{KeyEncryptionKey, MAX_RESOURCE_LEN, Store, StoreOptions};
use assay_types::{Coded as _, Fault, FixedClock, ResourcePath, SecretBytes, UnixTime};

#[tokio::test]
async fn versions_times_and_sizes_are_the_stores() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions {
        database: folder.path().join("assay.sqlite"),
        key_encryption_key: KeyEncryptionKey::load_or_create(&folder.path().join("kek")).unwrap(),
    })
    .await
    .unwrap();
    let clock = Arc::new(FixedClock::new(UnixTime(1000)));
    let backend = StoreBackend::new(store.clone(), clock.clone());
    let path: ResourcePath = "a/k/1".parse().unwrap();
    assert_eq!(backend.get(&path).await.unwrap(), None);
    assert_eq!(backend.put(&path, &SecretBytes::new(vec![1])).await.unwrap(), Some(1));
    clock.advance(5);
    assert_eq!(backend.put(&path, &SecretBytes::new(vec![1, 2])).await.unwrap(), Some(2));
    let found = backend.get(&path).await.unwrap().unwrap();
    assert_eq!((found.version, found.value.expose()), (Some(2), &[1, 2][..]));
    let listed = backend.list(Some("a/")).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].version, listed[0].versions, listed[0].size), (Some(2), Some(2), Some(2)));
    assert_eq!(listed[0].created, Some(UnixTime(1005)));
    backend.check().await.unwrap();
    assert!(backend.delete(&path).await.unwrap() && !backend.delete(&path).await.unwrap());
    assert_eq!(backend.put(&path, &SecretBytes::new(vec![1])).await.unwrap(), Some(3));
    let error = backend.put(&path, &SecretBytes::new(vec![0; MAX_RESOURCE_LEN + 1])).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("STORE-016", Fault::TooLarge));
    store.close().await;
    assert_eq!(backend.check().await.unwrap_err().code(), "STORE-017");
}
