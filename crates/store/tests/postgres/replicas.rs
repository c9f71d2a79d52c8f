//! Several processes on one database.

use std::sync::Arc;
use std::time::Duration;

use assay_store::{Location, Store, StoreError, StoreLimits, Topic};
use assay_types::{Clock, UnixTime};

use super::sessions::session;
use super::{NOW, Place, key, path, secret};

#[tokio::test(flavor = "multi_thread")]
async fn many_may_make_the_schema_at_once() {
    let place = Arc::new(Place::new());
    place.prepare().await;
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let place = Arc::clone(&place);
            tokio::spawn(async move {
                Store::open_at(&place.location(), key(1).into(), StoreLimits::default()).await
            })
        })
        .collect();
    let mut versions = Vec::new();
    for store in opening {
        let store = store.await.unwrap().unwrap();
        versions.push(store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap());
    }
    assert_eq!(versions, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_challenge_yields_one_session_however_many_race() {
    let place = Place::new();
    let stores = [place.open().await, place.open().await, place.open().await];
    for n in 0..20 {
        let racing: Vec<_> = (0..9)
            .map(|i| {
                let store = stores[i % 3].clone();
                let mut mine = session(n);
                // The same challenge; everything else is another's.
                mine.session_hash[31] = i as u8;
                mine.jti = format!("{n}-{i}");
                tokio::spawn(async move { store.record_attestation(mine).await })
            })
            .collect();
        let mut won = 0;
        for race in racing {
            match race.await.unwrap() {
                Ok(()) => won += 1,
                Err(error) => assert_eq!(error, StoreError::AlreadyUsed),
            }
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_given_by_many_are_each_given_once() {
    let place = Place::new();
    let stores = [place.open().await, place.open().await];
    let writing: Vec<_> = (0..20)
        .map(|i| {
            let store = stores[i % 2].clone();
            tokio::spawn(async move { store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap() })
        })
        .collect();
    let mut versions = Vec::new();
    for write in writing {
        versions.push(write.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_change_comes_by_notification_and_without_it() {
    let place = Place::new();
    let (one, two) = (place.open().await, place.open().await);
    let mut feed = one.follow();
    for lost in [false, true, true, false] {
        if lost {
            // The listening connection is ended again and again: polling finds the change.
            place
                .run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE 'LISTEN%'",
                )
                .await;
        }
        two.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(20), feed.next()).await.unwrap();
        assert_eq!(heard, [Topic::Resources]);
    }
}

/// A clock that is an hour behind.
struct Behind;

impl Clock for Behind {
    fn now(&self) -> UnixTime {
        UnixTime(0)
    }
}

#[tokio::test]
async fn the_clock_is_the_servers() {
    let place = Place::new();
    let store = place.open().await;
    let now = store.clock(Arc::new(Behind)).now();
    let mut connection = place.connect().await;
    let query = "SELECT EXTRACT(EPOCH FROM clock_timestamp())::BIGINT";
    let server: i64 = sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap();
    assert!((server - now.0).abs() <= 2, "{server} {now:?}");
}

#[tokio::test]
async fn one_sweeps_at_a_time() {
    let place = Place::new();
    let store = place.open().await;
    let mut old = session(1);
    old.expires = UnixTime(1);
    store.record_attestation(old).await.unwrap();
    let mut other = place.connect().await;
    sqlx::query("SELECT pg_advisory_lock(418448630138)").execute(&mut other).await.unwrap();
    assert_eq!(store.sweep(NOW).await.unwrap(), 0);
    sqlx::query("SELECT pg_advisory_unlock(418448630138)").execute(&mut other).await.unwrap();
    assert_eq!(store.sweep(NOW).await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_moves_from_sqlite_to_postgresql_and_back() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| Location::Sqlite(folder.path().join(name));
    let first = Store::open_at(&file("a.db"), key(3).into(), StoreLimits::default()).await.unwrap();
    super::dump::fill(&first).await;
    let (bytes, _) = first.export(Vec::new(), &key(9)).await.unwrap();

    let second = place.open().await;
    second.import(bytes.as_slice(), &key(9)).await.unwrap();
    super::dump::is_filled(&second).await;
    let (bytes, _) = second.export(Vec::new(), &key(9)).await.unwrap();
    let third = Store::open_at(&file("b.db"), key(4).into(), StoreLimits::default()).await.unwrap();
    third.import(bytes.as_slice(), &key(9)).await.unwrap();
    super::dump::is_filled(&third).await;
}
