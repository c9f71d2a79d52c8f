//! Changes that another process makes are heard of.

use std::time::Duration;

use assay_store::{NewReferenceValue, Store, Topic};
use assay_types::{Digest, UnixTime};

use super::tables::signing_key;
use super::{NOW, Place, path, secret};

/// What somebody who follows `store` hears of next.
async fn heard(feed: &mut assay_store::Feed) -> Vec<Topic> {
    tokio::time::timeout(Duration::from_secs(20), feed.next()).await.unwrap()
}

async fn change(store: &Store, topic: Topic) {
    match topic {
        Topic::Policies => {
            let digest = Digest::sha384(b"text");
            store.put_policy("attestation", "p", "text", &digest, NOW).await.map(drop).unwrap();
        }
        Topic::ReferenceValues => {
            let value = NewReferenceValue {
                id: "v".to_owned(),
                value: serde_json::json!([1]),
                expires: UnixTime(NOW.0 + 9),
                source: "sample".to_owned(),
            };
            store.put_reference_values(&[value], NOW).await.map(drop).unwrap();
        }
        Topic::Keys => store.put_key(signing_key("k", NOW)).await.unwrap(),
        Topic::Resources => store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.map(drop).unwrap(),
    }
}

#[tokio::test]
async fn each_topic_is_heard_of_and_own_changes_are_not() {
    let place = Place::new();
    let (one, two) = (place.open().await, place.open().await);
    let mut feed = one.follow();
    for topic in Topic::ALL {
        change(&two, topic).await;
        assert_eq!(heard(&mut feed).await, [topic]);
    }
    for delete in [
        two.delete_policy("attestation", "p").await.unwrap(),
        two.delete_reference_value("v", NOW).await.unwrap(),
        two.delete_resource(&path("a/b/c")).await.unwrap(),
    ] {
        assert!(delete);
    }
    let mut topics = Vec::new();
    while topics.len() < 3 {
        topics.extend(heard(&mut feed).await);
    }
    topics.sort();
    assert_eq!(topics, [Topic::Policies, Topic::ReferenceValues, Topic::Resources]);

    one.delete_expired_keys(UnixTime(i64::MAX)).await.unwrap();
    change(&one, Topic::Policies).await;
    let nothing = tokio::time::timeout(Duration::from_millis(900), feed.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test]
async fn what_is_in_memory_ends_with_a_change_elsewhere_and_with_the_feed() {
    let place = Place::new();
    let (one, two) = (place.open().await, place.open().await);
    two.put_resource(&path("a/b/c"), &secret("1"), NOW).await.unwrap();
    let reader = one.clone();
    let read = || async { reader.get_resource(&path("a/b/c")).await.unwrap().map(|r| r.value) };

    assert!(!one.is_current());
    assert_eq!(read().await, Some(secret("1")));
    let mut feed = one.follow();
    let follower = tokio::spawn(async move {
        loop {
            feed.next().await;
        }
    });
    while !one.is_current() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    read().await;
    // From memory: the table is gone, and nobody notices.
    place.run("ALTER TABLE resources RENAME TO hidden").await;
    assert_eq!(read().await, Some(secret("1")));
    place.run("ALTER TABLE hidden RENAME TO resources").await;

    // The own change counts at once, another's soon.
    one.put_resource(&path("a/b/c"), &secret("2"), NOW).await.unwrap();
    assert_eq!(read().await, Some(secret("2")));
    two.put_resource(&path("a/b/c"), &secret("3"), NOW).await.unwrap();
    while read().await != Some(secret("3")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    two.delete_resource(&path("a/b/c")).await.unwrap();
    while read().await.is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // Whoever does not hear of changes does not answer from memory.
    two.put_resource(&path("a/b/c"), &secret("4"), NOW).await.unwrap();
    while read().await != Some(secret("4")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    follower.abort();
    while one.is_current() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    place.run("ALTER TABLE resources RENAME TO hidden").await;
    assert!(reader.get_resource(&path("a/b/c")).await.is_err());
}
