use assay_store::{KeyRecord, MAX_RESOURCE_LEN, NewReferenceValue, StoreError, StoredPolicy};
use assay_types::{Digest, UnixTime};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use serde_json::json;

use super::{NOW, Place, path, secret};

#[tokio::test]
async fn a_resource_is_read_back_in_every_version() {
    let place = Place::new();
    let store = place.open().await;
    let name = path("default/key/1");
    assert_eq!(store.get_resource(&name).await.unwrap(), None);
    assert_eq!(store.put_resource(&name, &secret("one"), NOW).await.unwrap(), 1);
    assert_eq!(store.put_resource(&name, &secret(""), NOW.plus(5)).await.unwrap(), 2);
    assert_eq!(store.put_resource(&path("default/key/2"), &secret("x"), NOW).await.unwrap(), 1);

    let newest = store.get_resource(&name).await.unwrap().unwrap();
    assert_eq!((newest.version, newest.created, newest.value.expose()), (2, NOW.plus(5), &b""[..]));
    let first = store.get_resource_version(&name, 1).await.unwrap().unwrap();
    assert_eq!((first.version, first.created, first.value.expose()), (1, NOW, &b"one"[..]));
    for absent in [0, 3, u64::MAX] {
        assert_eq!(store.get_resource_version(&name, absent).await.unwrap(), None);
    }
}

#[tokio::test]
async fn many_resources_or_policies_are_stored_in_one_go_or_none() {
    let place = Place::new();
    let store = place.open().await;
    let (one, two) = (path("default/key/1"), path("default/key/2"));
    store.put_resource(&two, &secret("before"), NOW).await.unwrap();
    let (first, second) = (secret("one"), secret("two"));
    let large = assay_types::SecretBytes::new(vec![0; MAX_RESOURCE_LEN + 1]);
    let refused = store.put_resources(&[(&one, &first), (&two, &large)], NOW).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
    assert_eq!(store.get_resource(&one).await.unwrap(), None);
    let both = store.put_resources(&[(&one, &first), (&two, &second)], NOW).await.unwrap();
    assert_eq!(both, [1, 2]);
    assert_eq!(store.get_resource(&two).await.unwrap().unwrap().value, second);
    assert!(store.put_resources(&[], NOW).await.unwrap().is_empty());

    let (a, b) = (Digest::sha384(b"a"), Digest::sha384(b"b"));
    store.put_policy("attestation", "b", "before", &a, NOW).await.unwrap();
    let policies = [("a", "text a", &a), ("b", "text b", &b)];
    let stored = store.put_policies("attestation", &policies, NOW).await.unwrap();
    let versions: Vec<(&str, u64)> = stored.iter().map(|info| (info.id.as_str(), info.version)).collect();
    assert_eq!(versions, [("a", 1), ("b", 2)]);
    assert_eq!(store.get_policy("attestation", "b").await.unwrap().unwrap().text, "text b");
}

#[tokio::test]
async fn a_deleted_resource_is_gone_and_its_version_numbers_are_not_given_again() {
    let place = Place::new();
    let store = place.open().await;
    let name = path("a/b/c");
    store.put_resource(&name, &secret("1"), NOW).await.unwrap();
    store.put_resource(&name, &secret("2"), NOW).await.unwrap();
    assert!(store.delete_resource(&name).await.unwrap());
    assert!(!store.delete_resource(&name).await.unwrap());
    assert_eq!(store.get_resource(&name).await.unwrap(), None);
    assert_eq!(store.get_resource_version(&name, 1).await.unwrap(), None);
    assert_eq!(store.list_resources(None).await.unwrap(), []);
    assert_eq!(store.put_resource(&name, &secret("3"), NOW).await.unwrap(), 3);
}

#[tokio::test]
async fn a_resource_beyond_the_limit_is_refused() {
    let place = Place::new();
    let store = place.open().await;
    let name = path("a/b/c");
    let error = store.put_resource(&name, &secret(vec![0; MAX_RESOURCE_LEN + 1]), NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { limit: MAX_RESOURCE_LEN, .. }), "{error}");
    store.put_resource(&name, &secret(vec![7; MAX_RESOURCE_LEN]), NOW).await.unwrap();
    let stored = store.get_resource(&name).await.unwrap().unwrap();
    assert_eq!(stored.value, secret(vec![7; MAX_RESOURCE_LEN]));
}

#[tokio::test]
async fn a_list_takes_its_prefix_as_plain_text() {
    let place = Place::new();
    let store = place.open().await;
    for name in ["a_b/t/1", "axb/t/1", "a/b/c", "a/b/cc", "A/b/c", "tenant/t/1", "tenant2/t/1"] {
        store.put_resource(&path(name), &secret("12345"), NOW).await.unwrap();
    }
    store.put_resource(&path("a/b/c"), &secret("123456"), NOW.plus(1)).await.unwrap();
    let list = async |prefix: Option<&str>| -> Vec<String> {
        store.list_resources(prefix).await.unwrap().into_iter().map(|r| r.path.to_string()).collect()
    };
    assert_eq!(list(None).await.len(), 7);
    assert_eq!(list(Some("")).await.len(), 7);
    assert_eq!(list(Some("a_b")).await, ["a_b/t/1"]);
    assert_eq!(list(Some("a/b/c")).await, ["a/b/c", "a/b/cc"]);
    assert_eq!(list(Some("tenant/")).await, ["tenant/t/1"]);
    for nothing in ["%", "_", "a%", "*", "a/b/c/", "ä", "\0", "a\0", "' OR 1=1 --"] {
        assert!(list(Some(nothing)).await.is_empty(), "{nothing:?}");
    }
    let all = store.list_resources(Some("a/b/c")).await.unwrap();
    let info = &all[0];
    assert_eq!((info.version, info.versions, info.created, info.size), (2, 2, NOW.plus(1), 6));
}

#[tokio::test]
async fn a_policy_is_replaced_listed_and_deleted_within_its_kind() {
    let place = Place::new();
    let store = place.open().await;
    let (one, two) = (Digest::sha384(b"one"), Digest::sha384(b"two"));
    let info = store.put_policy("attestation", "default_cpu", "one", &one, NOW).await.unwrap();
    assert_eq!((info.version, &info.digest, info.created), (1, &one, NOW));
    let info = store.put_policy("attestation", "default_cpu", "two", &two, NOW.plus(1)).await.unwrap();
    assert_eq!((info.version, &info.digest, info.created), (2, &two, NOW.plus(1)));
    store.put_policy("attestation", "b", "", &one, NOW).await.unwrap();
    store.put_policy("resource", "default", "res", &one, NOW).await.unwrap();

    let stored = store.get_policy("attestation", "default_cpu").await.unwrap().unwrap();
    assert_eq!(stored, StoredPolicy { info: info.clone(), text: "two".to_owned() });
    assert_eq!(store.get_policy("resource", "default_cpu").await.unwrap(), None);
    let ids: Vec<String> =
        store.list_policies("attestation").await.unwrap().into_iter().map(|p| p.id).collect();
    assert_eq!(ids, ["b", "default_cpu"]);
    assert_eq!(store.all_policies("attestation").await.unwrap()[1], stored);
    assert_eq!(store.all_policies("resource").await.unwrap().len(), 1);

    assert!(store.delete_policy("attestation", "default_cpu").await.unwrap());
    assert!(!store.delete_policy("attestation", "default_cpu").await.unwrap());
    assert_eq!(store.get_policy("attestation", "default_cpu").await.unwrap(), None);
    assert_eq!(store.list_policies("attestation").await.unwrap().len(), 1);
    let again = store.put_policy("attestation", "default_cpu", "one", &one, NOW).await.unwrap();
    assert_eq!(again.version, 3);
}

fn reference_value(id: &str, value: serde_json::Value) -> NewReferenceValue {
    NewReferenceValue { id: id.to_owned(), value, expires: NOW.plus(100), source: "test".to_owned() }
}

#[tokio::test]
async fn reference_values_keep_their_history() {
    let place = Place::new();
    let store = place.open().await;
    let first = [reference_value("b", json!(1)), reference_value("a/:x", json!(["y"]))];
    assert_eq!(store.put_reference_values(&first, NOW).await.unwrap().len(), 2);
    store.put_reference_values(&[reference_value("b", json!({"n": 2}))], NOW.plus(1)).await.unwrap();
    let all = store.all_reference_values().await.unwrap();
    assert_eq!(all.iter().map(|r| (r.id.as_str(), r.version)).collect::<Vec<_>>(), [("a/:x", 1), ("b", 2)]);
    assert_eq!(all[1].value, json!({"n": 2}));
    assert_eq!(
        (all[1].registered, all[1].expires, all[1].source.as_str()),
        (NOW.plus(1), NOW.plus(100), "test")
    );

    assert!(store.delete_reference_value("b", NOW.plus(2)).await.unwrap());
    assert!(!store.delete_reference_value("b", NOW.plus(3)).await.unwrap());
    assert!(!store.delete_reference_value("never", NOW).await.unwrap());
    assert_eq!(store.all_reference_values().await.unwrap().len(), 1);
    let history = store.reference_value_history("b").await.unwrap();
    let shown: Vec<_> = history.iter().map(|v| (v.version, v.value.clone(), v.registered)).collect();
    assert_eq!(
        shown,
        [(3, None, NOW.plus(2)), (2, Some(json!({"n": 2})), NOW.plus(1)), (1, Some(json!(1)), NOW)]
    );
    store.put_reference_values(&[reference_value("b", json!(4))], NOW).await.unwrap();
    assert_eq!(store.all_reference_values().await.unwrap()[1].version, 4);
    assert_eq!(store.reference_value_history("never").await.unwrap(), []);
}

#[tokio::test]
async fn a_new_edition_replaces_and_deletes_all_or_none() {
    let place = Place::new();
    let store = place.open().await;
    let first = [reference_value("a", json!(1)), reference_value("b", json!(2))];
    store.put_reference_values(&first, NOW).await.unwrap();
    let names = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let second = [reference_value("b", json!(3)), reference_value("c", json!(4))];
    for twice in [names(&["a", "b"]), names(&["a", "a"])] {
        let error = store.replace_reference_values(&second, &twice, NOW.plus(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::AlreadyExists { .. }), "{error}");
    }
    assert_eq!(store.all_reference_values().await.unwrap().len(), 2);
    store.replace_reference_values(&second, &names(&["a", "never"]), NOW.plus(1)).await.unwrap();
    let all = store.all_reference_values().await.unwrap();
    let shown: Vec<(&str, u64)> = all.iter().map(|record| (record.id.as_str(), record.version)).collect();
    assert_eq!(shown, [("b", 2), ("c", 1)]);
    assert_eq!(store.reference_value_history("a").await.unwrap()[0].value, None);
    assert_eq!(store.reference_value_history("never").await.unwrap(), []);
}

#[tokio::test]
async fn many_reference_values_are_one_transaction_and_are_read_page_by_page() {
    let place = Place::new();
    let store = place.open().await;
    let many: Vec<_> = (0..1777).map(|i| reference_value(&format!("name-{i:05}"), json!(i))).collect();
    assert_eq!(store.put_reference_values(&many, NOW).await.unwrap().len(), 1777);
    let all = store.all_reference_values().await.unwrap();
    assert_eq!(all.len(), 1777);
    assert!(all.iter().zip(&many).all(|(stored, new)| stored.id == new.id && stored.value == new.value));

    let mut twice = many.clone();
    twice.push(many[3].clone());
    let error = store.put_reference_values(&twice, NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists { .. }), "{error}");
    assert!(store.all_reference_values().await.unwrap().iter().all(|r| r.version == 1));
    assert_eq!(store.put_reference_values(&[], NOW).await.unwrap(), []);
}

#[tokio::test]
async fn the_history_of_a_reference_value_is_bounded() {
    let place = Place::new();
    let store = place.open().await;
    for i in 0..130 {
        store.put_reference_values(&[reference_value("a", json!(i))], NOW).await.unwrap();
    }
    let history = store.reference_value_history("a").await.unwrap();
    assert_eq!(history.len(), 100);
    assert_eq!((history[0].version, history[99].version), (130, 31));
}

pub(crate) fn signing_key(kid: &str, created: UnixTime) -> KeyRecord {
    KeyRecord {
        purpose: "token-signing".to_owned(),
        kid: kid.to_owned(),
        algorithm: "ES256".to_owned(),
        secret: secret(format!("the secret half of {kid}")),
        certificate: Some(vec![0x30, 0]),
        created,
        sign_until: created.plus(10),
        expires: created.plus(20),
    }
}

#[tokio::test]
async fn keys_are_listed_newest_first_and_removed_after_their_end() {
    let place = Place::new();
    let store = place.open().await;
    let (old, new) = (signing_key("old", NOW), signing_key("new", NOW.plus(5)));
    let sealing =
        KeyRecord { purpose: "session-sealing".to_owned(), certificate: None, ..signing_key("new", NOW) };
    for key in [&old, &new, &sealing] {
        store.put_key(key.clone()).await.unwrap();
    }
    assert_eq!(store.keys("token-signing").await.unwrap(), [new.clone(), old.clone()]);
    assert_eq!(store.keys("session-sealing").await.unwrap(), [sealing]);
    assert_eq!(store.keys("admin").await.unwrap(), []);
    let error = store.put_key(signing_key("old", NOW.plus(9))).await.unwrap_err();
    assert_eq!(error, StoreError::AlreadyExists { record: "the token-signing key old".to_owned() });

    assert_eq!(store.delete_expired_keys(old.expires).await.unwrap(), 0);
    assert_eq!(store.delete_expired_keys(old.expires.plus(1)).await.unwrap(), 2);
    assert_eq!(store.keys("token-signing").await.unwrap(), [new]);
}

#[tokio::test]
async fn a_key_ends_sooner_and_keeps_its_secret() {
    let place = Place::new();
    let store = place.open().await;
    let (a, b) = (signing_key("a", NOW), signing_key("b", NOW.plus(1)));
    for key in [&a, &b] {
        store.put_key(key.clone()).await.unwrap();
    }
    let end = NOW.plus(7);
    assert!(end < a.sign_until && end < a.expires);
    assert!(store.retire_key("token-signing", "a", end).await.unwrap());
    let retired = KeyRecord { sign_until: end, expires: end, ..a };
    assert_eq!(store.keys("token-signing").await.unwrap(), [b.clone(), retired.clone()]);
    // No later end than the one it has.
    assert!(store.retire_key("token-signing", "a", end.plus(1)).await.unwrap());
    assert_eq!(store.keys("token-signing").await.unwrap(), [b.clone(), retired]);
    for (purpose, kid) in [("token-signing", "c"), ("admin", "a")] {
        assert!(!store.retire_key(purpose, kid, end).await.unwrap(), "{purpose} {kid}");
    }
    store.close().await;
    let store = place.open().await;
    assert_eq!(store.delete_expired_keys(end.plus(1)).await.unwrap(), 1);
    assert_eq!(store.keys("token-signing").await.unwrap(), [b]);
}

#[tokio::test]
async fn the_first_key_is_made_once() {
    let place = Place::new();
    // Two stores on one file stand for two processes.
    let (a, b) = (place.open().await, place.open().await);
    let make = |kid: &'static str| move || Ok::<_, StoreError>(signing_key(kid, NOW));
    let tasks: Vec<_> = (0..16)
        .map(|i| {
            let store = if i % 2 == 0 { a.clone() } else { b.clone() };
            let kid: &'static str = Box::leak(format!("k{i}").into_boxed_str());
            tokio::spawn(async move { store.first_key("token-signing", make(kid)).await.unwrap() })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.push(task.await.unwrap().kid);
    }
    winners.dedup();
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(a.keys("token-signing").await.unwrap().len(), 1);
    let found = b.first_key("token-signing", || panic!("there is one")).await;
    assert_eq!(found.map(|k| k.kid).map_err(|e: StoreError| e), Ok(winners[0].clone()));
    let wrong = a.first_key("admin", make("x")).await.unwrap_err();
    assert!(matches!(wrong, StoreError::Unexpected { .. }), "{wrong}");
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let place = Place::new();
    let digest = Digest::sha384(b"text");
    let collateral = super::collateral::item(b"1", NOW);
    let session = super::sessions::session(1);
    let store = place.open().await;
    store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
    store.put_policy("resource", "default", "text", &digest, NOW).await.unwrap();
    store.put_reference_values(&[reference_value("a", json!(1))], NOW).await.unwrap();
    store.put_key(signing_key("k", NOW)).await.unwrap();
    store.put_collateral(&[("amd", "k", &collateral)]).await.unwrap();
    store.record_attestation(session.clone()).await.unwrap();
    store.close().await;

    // With an orderly end and without one.
    for close in [true, false] {
        let store = place.open().await;
        store.ping().await.unwrap();
        assert_eq!(store.get_resource(&path("a/b/c")).await.unwrap().unwrap().value, secret("s"));
        assert_eq!(store.get_policy("resource", "default").await.unwrap().unwrap().text, "text");
        assert_eq!(store.all_reference_values().await.unwrap()[0].value, json!(1));
        assert_eq!(store.keys("token-signing").await.unwrap(), [signing_key("k", NOW)]);
        assert_eq!(store.get_collateral("amd", "k").await.unwrap(), Some(collateral.clone()));
        assert_eq!(store.session(&session.session_hash).await.unwrap(), Some(session.clone()));
        let again = store.record_attestation(session.clone()).await;
        assert_eq!(again, Err(StoreError::AlreadyUsed));
        if close {
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let place = Place::new();
    let store = place.open().await;
    let other_handle = store.clone();
    store.put_resource(&path("a/b/c"), &secret("s"), NOW).await.unwrap();
    store.close().await;
    store.close().await;
    assert_eq!(other_handle.ping().await, Err(StoreError::Closed));
    assert_eq!(other_handle.get_resource(&path("a/b/c")).await, Err(StoreError::Closed));
    assert_eq!(other_handle.put_resource(&path("a/b/c"), &secret("s"), NOW).await, Err(StoreError::Closed));
    assert_eq!(other_handle.record_attestation(super::sessions::session(1)).await, Err(StoreError::Closed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_stored_is_read_back(
        values in prop::collection::vec(
            ("[A-Za-z0-9_-]{1,12}/[A-Za-z0-9_-]{1,3}/[a-c]", prop::collection::vec(any::<u8>(), 0..5000)),
            1..12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let store = place.open().await;
            let mut written = Vec::new();
            for (name, value) in &values {
                let version = store.put_resource(&path(name), &secret(value), NOW).await.unwrap();
                written.push((path(name), version, secret(value)));
            }
            for (name, version, value) in &written {
                let stored = store.get_resource_version(name, *version).await.unwrap().unwrap();
                assert_eq!(&stored.value, value);
                let newest = written.iter().filter(|w| &w.0 == name).map(|w| w.1).max();
                assert_eq!(store.get_resource(name).await.unwrap().map(|r| r.version), newest);
            }
        });
    }
}
