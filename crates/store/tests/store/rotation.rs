//! The key-encryption key is exchanged while stores are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_store::{KeyRecord, KeySource, KeyWrapper, Store, StoreError, StoreLimits};
use assay_types::{SecretBytes, UnixTime};
use async_trait::async_trait;

use super::tables::signing_key;
use super::{NOW, Place, key, path, secret};

async fn with_source(place: &Place, source: KeySource) -> Result<Store, StoreError> {
    Store::open_at(&place.location(), source, StoreLimits::default()).await
}

async fn holds(store: &Store, count: usize) {
    for i in 0..count {
        let found = store.get_resource(&path(&format!("a/b/{i}"))).await.unwrap().unwrap();
        assert_eq!(found.value, secret(format!("secret {i}")));
    }
    assert_eq!(store.keys("token-signing").await.unwrap(), [signing_key("k", NOW)]);
}

async fn fill(store: &Store, count: usize) {
    for i in 0..count {
        store.put_resource(&path(&format!("a/b/{i}")), &secret(format!("secret {i}")), NOW).await.unwrap();
    }
    store.put_key(signing_key("k", NOW)).await.unwrap();
}

#[tokio::test]
async fn the_key_is_exchanged_step_by_step_and_nothing_is_lost() {
    let place = Place::new();
    // More than one batch.
    let one = place.open().await;
    fill(&one, 230).await;
    let (old, new) = (key(1).id(), key(2).id());
    // It was open before, and nobody told it anything.
    let bystander = place.open().await;

    let introduced = one.introduce_key_encryption_key(&key(2).into(), NOW).await.unwrap();
    assert_eq!(introduced, new);
    assert_eq!(one.introduce_key_encryption_key(&key(2).into(), NOW).await.unwrap(), new, "twice is once");
    one.activate_key_encryption_key(&new).await.unwrap();
    one.put_resource(&path("a/new/1"), &secret("n"), NOW).await.unwrap();
    assert_eq!(bystander.get_resource(&path("a/new/1")).await.unwrap().unwrap().value, secret("n"));
    let resealed = one.reseal().await.unwrap();
    assert_eq!((resealed.resources, resealed.keys), (230, 1));
    assert_eq!(one.reseal().await.unwrap().resources, 0);

    // Either key opens the store now.
    for byte in [1, 2] {
        let store = place.try_open_with(key(byte)).await.unwrap();
        holds(&store, 230).await;
        store.close().await;
    }
    assert!(matches!(one.retire_key_encryption_key(&new).await, Err(StoreError::KeyInUse { .. })));
    one.retire_key_encryption_key(&old).await.unwrap();
    assert_eq!(
        place.try_open().await.unwrap_err(),
        StoreError::WrongKey { expected: new.clone(), given: old.clone() }
    );
    let store = place.try_open_with(key(2)).await.unwrap();
    holds(&store, 230).await;
    holds(&one, 230).await;
    // It goes on with what it holds in memory.
    holds(&bystander, 230).await;
    let keys = store.key_encryption_keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!((keys[0].id.as_str(), keys[0].active, keys[0].records), (new.as_str(), true, 232));
}

#[tokio::test]
async fn whoever_seals_with_the_old_key_meanwhile_is_caught_up_with() {
    let place = Place::new();
    let (one, behind) = (place.open().await, place.open().await);
    let new = one.introduce_key_encryption_key(&key(2).into(), NOW).await.unwrap();
    one.activate_key_encryption_key(&new).await.unwrap();
    one.reseal().await.unwrap();
    fill(&behind, 3).await;
    assert_eq!(one.retire_key_encryption_key(&key(1).id()).await.unwrap().resources, 3);
    holds(&place.try_open_with(key(2)).await.unwrap(), 3).await;
}

#[tokio::test]
async fn a_key_that_was_not_introduced_cannot_be_activated_nor_another_smuggled_in() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store, 1).await;
    let error = store.activate_key_encryption_key(&key(2).id()).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
    // Whoever can write to the database gives one key under the name of another.
    let new = store.introduce_key_encryption_key(&key(2).into(), NOW).await.unwrap();
    place
        .run(&format!("UPDATE key_encryption_keys SET kek_id = '0011223344556677' WHERE kek_id = '{new}'"))
        .await;
    let error = store.reload_key_encryption_keys().await.unwrap_err();
    assert!(matches!(error, StoreError::Tampered { .. }), "{error}");
    holds(&store, 1).await;
}

#[tokio::test]
async fn a_key_ends_earlier_and_never_later() {
    let place = Place::new();
    let store = place.open().await;
    let record = signing_key("k", NOW);
    store.put_key(record.clone()).await.unwrap();
    let soon = UnixTime(NOW.0 + 6);
    assert!(store.retire_key("token-signing", "k", soon).await.unwrap());
    let ended = KeyRecord { expires: soon, sign_until: soon.min(record.sign_until), ..record.clone() };
    assert_eq!(store.keys("token-signing").await.unwrap(), std::slice::from_ref(&ended));
    assert!(store.retire_key("token-signing", "k", record.expires).await.unwrap());
    assert_eq!(store.keys("token-signing").await.unwrap(), [ended]);
    assert!(!store.retire_key("token-signing", "other", soon).await.unwrap());
}

/// A key management service that turns every byte around, as long as it is up.
struct Service {
    name: &'static str,
    up: AtomicBool,
}

impl Service {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Service { name, up: AtomicBool::new(true) })
    }

    fn turned(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        if !self.up.load(Ordering::SeqCst) {
            return Err("the service is sealed".to_owned());
        }
        Ok(bytes.iter().map(|b| b ^ 0xff).collect())
    }
}

#[async_trait]
impl KeyWrapper for Service {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    async fn wrap(&self, key: &SecretBytes) -> Result<Vec<u8>, String> {
        self.turned(key.expose())
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<SecretBytes, String> {
        self.turned(wrapped).map(SecretBytes::new)
    }
}

#[tokio::test]
async fn a_service_keeps_the_key() {
    let place = Place::new();
    // The database itself must be there; nothing of a store yet.
    place.prepare().await;
    let service = Service::new("service:a");
    let store = with_source(&place, KeySource::Wrapped(service.clone())).await.unwrap();
    fill(&store, 2).await;
    let again = with_source(&place, KeySource::Wrapped(service.clone())).await.unwrap();
    holds(&again, 2).await;

    // Another key under the same service, then a file's.
    let second = store.introduce_key_encryption_key(&KeySource::Wrapped(service.clone()), NOW).await.unwrap();
    let first = store.key_encryption_keys().await.unwrap().into_iter().find(|k| k.active).unwrap().id;
    assert_ne!(first, second);
    store.activate_key_encryption_key(&second).await.unwrap();
    store.retire_key_encryption_key(&first).await.unwrap();
    holds(&with_source(&place, KeySource::Wrapped(service.clone())).await.unwrap(), 2).await;
    let third = store.introduce_key_encryption_key(&key(3).into(), NOW).await.unwrap();
    store.activate_key_encryption_key(&third).await.unwrap();
    holds(&with_source(&place, key(3).into()).await.unwrap(), 2).await;
    holds(&with_source(&place, KeySource::Wrapped(service.clone())).await.unwrap(), 2).await;

    service.up.store(false, Ordering::SeqCst);
    let error = with_source(&place, KeySource::Wrapped(service)).await.unwrap_err();
    assert_eq!(
        error,
        StoreError::KeyService { name: "service:a".into(), detail: "the service is sealed".into() }
    );
    let other = with_source(&place, KeySource::Wrapped(Service::new("service:b"))).await.unwrap_err();
    assert!(matches!(other, StoreError::WrongKey { .. }), "{other}");
}
