//! The provider as its users see it, on a real store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_reference_values::{
    CorimTrust, MAX_DEPTH, MAX_MESSAGE_LEN, MAX_VALUE_LEN, ReferenceValueError, ReferenceValues,
    parse_message,
};
use assay_store::{KeyEncryptionKey, Store, StoreError, StoreOptions};
use assay_types::{Coded, Fault, FixedClock, Lookup, ReferenceValueSnapshot, UnixTime};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};
use tempfile::TempDir;

const NOW: UnixTime = UnixTime(1_800_000_000);

struct Place {
    folder: TempDir,
    clock: Arc<FixedClock>,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), clock: Arc::new(FixedClock::new(NOW)) }
    }

    async fn store(&self) -> Store {
        Store::open(StoreOptions {
            database: self.folder.path().join("assay.db"),
            key_encryption_key: KeyEncryptionKey::from_bytes([1; 32]),
        })
        .await
        .unwrap()
    }

    async fn open(&self) -> ReferenceValues {
        ReferenceValues::load(self.store().await, self.clock.clone()).await.unwrap()
    }
}

fn sample(payload: &str) -> Vec<u8> {
    json!({"version": "0.1.0", "type": "sample", "payload": STANDARD.encode(payload)})
        .to_string()
        .into_bytes()
}

fn message(values: &Value) -> Vec<u8> {
    sample(&values.to_string())
}

fn message_until(values: &Value, expires: UnixTime) -> Vec<u8> {
    let payload = STANDARD.encode(values.to_string());
    json!({"version": "0.1.0", "type": "sample", "payload": payload, "expires": expires.to_string()})
        .to_string()
        .into_bytes()
}

fn found(value: Value, expires: UnixTime) -> Lookup {
    Lookup::Found { value, expires }
}

#[tokio::test]
async fn a_value_is_registered_queried_replaced_deleted_and_survives_a_restart() {
    let place = Place::new();
    let values = place.open().await;
    assert!(values.snapshot().is_empty());
    assert_eq!(values.snapshot().query("a", NOW), Lookup::Missing);
    let name = "rvps:///example.org/tdx/mr_td:v0.18.0";
    let registered = values.register(&message(&json!({name: ["x"], "a": 1}))).await.unwrap();
    assert_eq!(registered.ids.len(), 2);
    // 12 months from 2027-01-15.
    let year = NOW.plus(365 * 86_400);
    assert_eq!(values.snapshot().query(name, NOW), found(json!(["x"]), year));

    values.register(&message_until(&json!({"a": {"b": null}}), NOW.plus(60))).await.unwrap();
    assert_eq!(values.snapshot().query("a", NOW), found(json!({"b": null}), NOW.plus(60)));
    let digest = values.snapshot().digest();

    let values = place.open().await;
    assert_eq!(values.snapshot().query("a", NOW), found(json!({"b": null}), NOW.plus(60)));
    assert_eq!(values.snapshot().query(name, NOW), found(json!(["x"]), year));
    assert_eq!(values.snapshot().digest(), digest);
    let record = values.get("a").unwrap();
    assert_eq!((record.version, record.registered, record.source.as_str()), (2, NOW, "sample"));
    assert_eq!(values.list().iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["a", name]);

    assert!(values.delete("a").await.unwrap());
    assert!(!values.delete("a").await.unwrap());
    assert_eq!(values.snapshot().query("a", NOW), Lookup::Missing);
    assert_eq!(values.get("a"), None);
    let history = values.history("a").await.unwrap();
    let shown: Vec<_> = history.into_iter().map(|v| v.value).collect();
    assert_eq!(shown, [None, Some(json!({"b": null})), Some(json!(1))]);

    let values = place.open().await;
    assert_eq!(values.get("a"), None);
    assert_eq!(values.snapshot().len(), 1);
    assert_ne!(values.snapshot().digest(), digest);
}

#[tokio::test]
async fn a_value_ends_at_its_expiry_and_is_still_listed() {
    let place = Place::new();
    let values = place.open().await;
    let end = NOW.plus(60);
    values.register(&message_until(&json!({"a": 1}), end)).await.unwrap();
    let snapshot = values.snapshot();
    assert_eq!(snapshot.query("a", end.plus(-1)), found(json!(1), end));
    assert_eq!(snapshot.query("a", end), Lookup::Expired { since: end });
    assert_eq!(snapshot.query("a", end.plus(1)).to_policy_value(), Value::Null);

    place.clock.set(end.plus(-1));
    assert!(!values.get("a").unwrap().expired);
    place.clock.set(end);
    assert!(values.get("a").unwrap().expired);
    assert!(values.list()[0].expired);
    // Registered anew it is in force again.
    values.register(&message(&json!({"a": 2}))).await.unwrap();
    assert!(!values.get("a").unwrap().expired);
}

#[tokio::test]
async fn a_snapshot_taken_earlier_does_not_change() {
    let place = Place::new();
    let values = place.open().await;
    values.register(&message(&json!({"a": 1, "b": 1}))).await.unwrap();
    let before = values.snapshot();
    let digest = before.digest();
    values.register(&message(&json!({"a": 2, "c": 2}))).await.unwrap();
    values.delete("b").await.unwrap();
    let value = |snapshot: &dyn ReferenceValueSnapshot, id| snapshot.query(id, NOW).to_policy_value();
    assert_eq!(["a", "b", "c"].map(|id| value(&*before, id)), [json!(1), json!(1), Value::Null]);
    assert_eq!(before.digest(), digest);
    let after = values.snapshot();
    assert_eq!(["a", "b", "c"].map(|id| value(&*after, id)), [json!(2), Value::Null, json!(2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_changes_lose_nothing() {
    let place = Place::new();
    let values = place.open().await;
    values.register(&message(&json!({"gone-0": 0, "gone-1": 0, "gone-2": 0}))).await.unwrap();
    let tasks: Vec<_> = (0..48)
        .map(|i| {
            let values = values.clone();
            tokio::spawn(async move {
                let name = format!("n-{i}");
                values.register(&message(&json!({name: i, "shared": i}))).await.unwrap();
                if i < 3 {
                    assert!(values.delete(&format!("gone-{i}")).await.unwrap());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(values.list().len(), 49);
    assert_eq!(values.get("shared").unwrap().version, 48);
    // What is published is what is stored.
    let digest = values.snapshot().digest();
    assert_eq!(values.list(), place.open().await.list());
    assert_eq!(place.open().await.snapshot().digest(), digest);
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_store_and_snapshot_alike() {
    let place = Place::new();
    let values = place.open().await;
    for i in 0..20 {
        let message = message(&json!({ format!("n-{i}"): i }));
        let register = values.register(&message);
        let _gone = tokio::time::timeout(std::time::Duration::ZERO, register).await;
    }
    values.register(&message(&json!({"last": 1}))).await.unwrap();
    // The lock is fair: whatever was begun before is done.
    assert_eq!(values.list(), place.open().await.list());
}

#[tokio::test]
async fn when_the_store_fails_nothing_changes() {
    let place = Place::new();
    let store = place.store().await;
    let values = ReferenceValues::load(store.clone(), place.clock.clone()).await.unwrap();
    values.register(&message(&json!({"a": 1}))).await.unwrap();
    store.close().await;
    let error = values.register(&message(&json!({"a": 2}))).await.unwrap_err();
    assert_eq!(error, ReferenceValueError::Store(StoreError::Closed));
    assert_eq!((error.code(), error.fault()), (StoreError::Closed.code(), Fault::Unavailable));
    assert!(values.delete("a").await.is_err());
    assert_eq!(values.get("a").unwrap().value, json!(1));
}

#[tokio::test]
async fn a_message_with_one_bad_value_registers_none() {
    let place = Place::new();
    let values = place.open().await;
    let error = values.register(&message(&json!({"a": 1, "b\u{7}": 2}))).await.unwrap_err();
    assert_eq!(error.code(), "RV-008");
    assert!(values.list().is_empty());
}

#[tokio::test]
async fn a_full_message_of_10_000_values_is_taken() {
    let place = Place::new();
    let values = place.open().await;
    let many: BTreeMap<String, u32> = (0..10_000).map(|i| (format!("name-{i:05}"), i)).collect();
    assert_eq!(values.register(&message(&json!(many))).await.unwrap().ids.len(), 10_000);
    assert_eq!(values.snapshot().len(), 10_000);
    let again = place.open().await;
    assert_eq!(again.snapshot().digest(), values.snapshot().digest());
}

#[test]
fn each_hostile_message_is_refused_for_its_reason() {
    let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    let many: BTreeMap<String, u32> = (0..10_001).map(|i| (format!("{i}"), i)).collect();
    let raw = |text: &str| text.as_bytes().to_vec();
    let long = |len: usize| "x".repeat(len);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "RV-001"),
        (raw("null"), "RV-001"),
        (raw("[]"), "RV-001"),
        (raw("{}"), "RV-001"),
        (raw("\"x\""), "RV-001"),
        (vec![0xff, 0xfe], "RV-001"),
        (raw(r#"{"type":"sample","payload":7}"#), "RV-001"),
        (raw(r#"{"type":"sample","payload":"e30=","payload":"e30="}"#), "RV-001"),
        (raw(r#"{"type":"sample","payload":"e30="} {}"#), "RV-001"),
        (raw(&"[".repeat(100_000)), "RV-001"),
        (vec![b' '; MAX_MESSAGE_LEN + 1], "RV-002"),
        (raw(r#"{"version":"0.2.0","type":"sample","payload":"e30="}"#), "RV-003"),
        (raw(r#"{"version":"","type":"sample","payload":"e30="}"#), "RV-003"),
        (raw(r#"{"version":"0.1.0","type":"swid","payload":"e30="}"#), "RV-004"),
        (raw(r#"{"version":"0.1.0","type":"Sample","payload":"e30="}"#), "RV-004"),
        (raw(r#"{"type":"sample","payload":"e30"}"#), "RV-005"),
        (raw(r#"{"type":"sample","payload":"e3 0="}"#), "RV-005"),
        (
            raw(&format!(r#"{{"type":"sample","payload":"{}"}}"#, URL_SAFE.encode(r#"{"a":"???>>>"}"#))),
            "RV-005",
        ),
        (sample(""), "RV-006"),
        (sample("[]"), "RV-006"),
        (sample("1"), "RV-006"),
        (sample("{\"a\":1}{"), "RV-006"),
        (sample(r#"{"a":1,"a":2}"#), "RV-006"),
        (sample(r#"{"a":{"b":1,"b":2}}"#), "RV-006"),
        (sample(r#"{"a":18446744073709551616}"#), "RV-006"),
        (sample(&nested(MAX_DEPTH + 1)), "RV-006"),
        (sample(&nested(100_000)), "RV-006"),
        (sample("{\"a\":\"\u{0}\"}"), "RV-006"),
        (message(&json!(many)), "RV-007"),
        (message(&json!({"": 1})), "RV-008"),
        (message(&json!({ long(513): 1 })), "RV-008"),
        (message(&json!({"a\n": 1})), "RV-008"),
        (message(&json!({"a\u{202e}b": 1})), "RV-008"),
        (message(&json!({"ä": 1})), "RV-008"),
        (message(&json!({"a": long(MAX_VALUE_LEN - 1)})), "RV-009"),
        (raw(r#"{"type":"sample","payload":"e30=","expires":"tomorrow"}"#), "RV-010"),
        (message_until(&json!({"a": 1}), NOW), "RV-010"),
        (message_until(&json!({"a": 1}), NOW.plus(-1)), "RV-010"),
    ];
    for (message, code) in cases {
        let shown = String::from_utf8_lossy(&message[..message.len().min(90)]).into_owned();
        let error = parse_message(&message, NOW, &CorimTrust::default()).expect_err(&shown);
        assert_eq!(error.code(), code, "{shown}: {error}");
        assert!(error.to_string().len() < 400, "{shown}: an error is short");
    }
    let unknown = parse_message(br#"{"type":"swid","payload":""}"#, NOW, &CorimTrust::default()).unwrap_err();
    assert!(unknown.to_string().contains("known are: sample"), "{unknown}");
}

#[test]
fn what_lies_just_within_the_limits_is_taken() {
    let nested = format!("{{\"a\":{}1{}}}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1));
    let longest = "x".repeat(MAX_VALUE_LEN - 2);
    for message in [
        sample("{}"),
        sample(&nested),
        message(&json!({"x".repeat(512): 1})),
        message(&json!({"a": longest})),
        message(&json!({"a b:c/d~!": "ü\u{0}"})),
        message_until(&json!({"a": 1}), NOW.plus(1)),
        br#"{"type":"sample","payload":"e30=","expires":null,"other":1}"#.to_vec(),
    ] {
        parse_message(&message, NOW, &CorimTrust::default()).unwrap();
    }
}

/// Any JSON value within the limits.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1.0e9..1.0e9).prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,5}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A step in the life of a provider.
#[derive(Clone, Debug)]
enum Step {
    Register(BTreeMap<String, Value>, i64),
    Delete(String),
    Wait(i64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = "[a-e]";
    let step = prop_oneof![
        4 => (prop::collection::btree_map(name, values(), 0..4), 1..50_i64).prop_map(|(v, t)| Step::Register(v, t)),
        2 => name.prop_map(Step::Delete),
        1 => (0..20_i64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The provider behaves as a plain map does, through changes, time and restarts.
    #[test]
    fn a_provider_behaves_as_a_plain_map(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let mut values = place.open().await;
            let mut model: BTreeMap<String, (Value, UnixTime)> = BTreeMap::new();
            let mut now = NOW;
            for step in steps {
                match step {
                    Step::Register(members, seconds) => {
                        let expires = now.plus(seconds);
                        values.register(&message_until(&json!(members), expires)).await.unwrap();
                        model.extend(members.into_iter().map(|(id, value)| (id, (value, expires))));
                    }
                    Step::Delete(id) => {
                        assert_eq!(values.delete(&id).await.unwrap(), model.remove(&id).is_some());
                    }
                    Step::Wait(seconds) => {
                        now = now.plus(seconds);
                        place.clock.set(now);
                    }
                    Step::Restart => values = place.open().await,
                }
                let snapshot = values.snapshot();
                assert_eq!(snapshot.len(), model.len());
                for id in ["a", "b", "c", "d", "e"] {
                    let expected = match model.get(id) {
                        None => Lookup::Missing,
                        Some((_, expires)) if *expires <= now => Lookup::Expired { since: *expires },
                        Some((value, expires)) => found(value.clone(), *expires),
                    };
                    assert_eq!(snapshot.query(id, now), expected);
                }
            }
            assert_eq!(values.snapshot().digest(), place.open().await.snapshot().digest());
        });
    }

    /// Whatever comes: an answer, and what is accepted keeps to the rules.
    #[test]
    fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,100}") {
        let wrapped = [bytes.clone(), text.into_bytes()].concat();
        let payload = STANDARD.encode(&wrapped);
        let good_around = json!({"type": "sample", "payload": payload}).to_string().into_bytes();
        for message in [bytes, wrapped, good_around] {
            if let Ok(registration) = parse_message(&message, NOW, &CorimTrust::default()) {
                assert!(registration.values.iter().all(|v| !v.id.is_empty() && v.expires > NOW));
            }
        }
    }
}
