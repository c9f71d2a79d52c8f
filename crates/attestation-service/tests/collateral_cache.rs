//! Collateral in the store: it serves after a restart, and replicas see each other's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use std::path::Path;
use std::sync::Arc;

use assay_attestation_service::StoreCache;
use assay_collateral::{
    AttemptOutcome, BundleItem, CollateralCache, CollateralService, ImportOptions, RecentCache, Use,
};
use assay_store::{KeyEncryptionKey, Store, StoreOptions};
use assay_types::{
    Clock, CollateralInspector, CollateralKind, CollateralOrigin, CollateralRequest, FixedClock, UnixTime,
    Validity, Vendor,
};

const NOW: i64 = 1_800_000_000;

async fn open(dir: &Path) -> Store {
    Store::open(StoreOptions {
        database: dir.join("assay.db"),
        key_encryption_key: KeyEncryptionKey::load_or_create(&dir.join("kek")).unwrap(),
    })
    .await
    .unwrap()
}

/// Believes every piece; it is valid from now for as many seconds as it has bytes.
struct Inspector;

impl CollateralInspector for Inspector {
    fn inspect(&self, _: &CollateralRequest, bytes: &[u8]) -> Result<Validity, String> {
        let len = i64::try_from(bytes.len()).unwrap();
        Ok(Validity { not_before: UnixTime(NOW), not_after: UnixTime(NOW + len) })
    }
}

fn service(store: &Store, clock: &Arc<FixedClock>) -> CollateralService {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let cache = RecentCache::new(Arc::new(StoreCache(store.clone())), Arc::clone(&clock));
    CollateralService::builder(clock)
        .cache(Arc::new(cache))
        .inspector(Vendor::Intel, Arc::new(Inspector))
        .build()
        .unwrap()
}

fn request() -> CollateralRequest {
    CollateralRequest {
        vendor: Vendor::Intel,
        kind: CollateralKind::Crl,
        description: "root CRL".into(),
        cache_key: "root-crl".into(),
        offline_paths: Vec::new(),
        service_path: "/crl".into(),
        chain_headers: Vec::new(),
        required: true,
        max_len: 4096,
    }
}

async fn import(service: &CollateralService, len: usize) {
    let item = BundleItem { request: request(), bytes: vec![7; len].into(), fetched: UnixTime(NOW) };
    service.import(&[item], "file", ImportOptions::default()).await.unwrap();
}

#[tokio::test]
async fn a_restart_keeps_what_was_fetched_until_it_expires() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::new(UnixTime(NOW)));
    let store = open(dir.path()).await;
    import(&service(&store, &clock), 1000).await;
    store.close().await;

    let store = open(dir.path()).await;
    let service = service(&store, &clock);
    for (now, serves) in [(NOW, true), (NOW + 1000, true), (NOW + 1001, false)] {
        clock.set(UnixTime(now));
        match service.fetch(&request()).await {
            Ok(item) => assert!(serves && item.origin == CollateralOrigin::Cache),
            Err(error) => {
                assert!(!serves, "{error}");
                let since = UnixTime(NOW + 1000);
                assert_eq!(error.attempts()[1].outcome, AttemptOutcome::Expired { since });
            }
        }
    }
}

#[tokio::test]
async fn a_replica_sees_the_others_refresh_within_a_minute() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::new(UnixTime(NOW)));
    let (store, other_store) = (open(dir.path()).await, open(dir.path()).await);
    let (one, other) = (service(&store, &clock), service(&other_store, &clock));
    import(&one, 1000).await;
    assert_eq!(other.fetch(&request()).await.unwrap().bytes.len(), 1000);
    import(&one, 1001).await;
    clock.advance(59);
    assert_eq!(other.fetch(&request()).await.unwrap().bytes.len(), 1000);
    clock.advance(1);
    assert_eq!(other.fetch(&request()).await.unwrap().bytes.len(), 1001);
}

#[tokio::test]
async fn the_store_gives_back_what_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let clock = Arc::new(FixedClock::new(UnixTime(NOW)));
    import(&service(&store, &clock), 1000).await;
    let cache = StoreCache(store);
    let cached = cache.get(Vendor::Intel, "root-crl").await.unwrap().unwrap();
    let validity = Validity { not_before: UnixTime(NOW), not_after: UnixTime(NOW + 1000) };
    assert_eq!((cached.validity, cached.fetched), (Some(validity), UnixTime(NOW)));
    assert_eq!((cached.request.as_deref(), cached.origin.as_str()), (Some(&request()), "file"));
    cache
        .note_uses(&[Use { vendor: Vendor::Intel, key: "root-crl".into(), at: UnixTime(NOW + 5) }])
        .await
        .unwrap();
    let [listed] = &cache.list().await.unwrap()[..] else { panic!() };
    assert_eq!(
        (listed.vendor, listed.used, listed.validity),
        (Vendor::Intel, UnixTime(NOW + 5), Some(validity))
    );
    assert_eq!(listed.request.as_deref(), Some(&request()));
    cache.remove(Vendor::Intel, "root-crl").await.unwrap();
    assert_eq!(cache.get(Vendor::Intel, "root-crl").await.unwrap(), None);
}
