//! Assay's protocol: the whole set, followed.

use std::time::Duration;

use assay_access::Role;
use assay_reference_values::proto::assay_v1::{ReferenceValue, SetPart};
use assay_reference_values::{
    Protocol, ReferenceValueSource, RemoteReferenceValues, RemoteValuesSettings, SetReader,
};
use assay_types::{Coded as _, ReferenceValueSnapshot as _};
use serde_json::{Map, Value, json};

use crate::doubles::{Double, Socket, socket};
use crate::world::{NOW, Part, Served, client_of, found, in_the_end, message};

/// As soon as the client has what the provider has.
async fn in_step(part: &Part, client: &RemoteReferenceValues) {
    let digest = part.values.snapshot().digest();
    in_the_end(async || {
        let here = client.consult().await.map_err(|error| error.to_string())?.values().digest();
        if here == digest { Ok(()) } else { Err("another set".to_owned()) }
    })
    .await;
}

#[tokio::test]
async fn a_change_at_the_provider_is_followed() {
    let part = Part::new().await;
    let served = part.serve().await;
    let client = part.client(served.at, Protocol::Assay).await;
    in_step(&part, &client).await;
    part.values.register(&message(&json!({ "a": 1, "b": [1.5, "x", null] }))).await.unwrap();
    in_step(&part, &client).await;
    assert_eq!(found(&client, "b").await.unwrap(), json!([1.5, "x", null]));
    part.values.delete("b").await.unwrap();
    in_step(&part, &client).await;
    assert_eq!(found(&client, "b").await.unwrap(), Value::Null);
    let mut consultation = client.consult().await.unwrap();
    assert!(consultation.is_complete());
    assert!(!consultation.learn().await.unwrap());
    let digest = consultation.digest(&mut std::iter::empty());
    assert_eq!(digest, part.values.snapshot().digest());
    client.check().await.unwrap();
}

#[tokio::test]
async fn what_a_client_changes_it_sees_at_once_and_so_do_groups() {
    let part = Part::new().await;
    let served = part.serve().await;
    let client = part.client(served.at, Protocol::Assay).await;
    let registered = client.register(&message(&json!({ "g#1": 1, "g#2": 2, "a": {"x": 1} }))).await.unwrap();
    let mut ids = registered.ids;
    ids.sort();
    assert_eq!(ids, ["a", "g#1", "g#2"]);
    assert_eq!(found(&client, "a").await.unwrap(), json!({ "x": 1 }));
    assert_eq!(client.value("a").await.unwrap(), Some(json!({ "x": 1 })));
    assert_eq!(client.consult().await.unwrap().values().group("g", NOW).len(), 2);
    assert_eq!(client.list().await.unwrap(), part.values.list());
    assert!(client.expire("g#1").await.unwrap());
    assert!(!client.expire("absent").await.unwrap());
    assert_eq!(client.value("g#1").await.unwrap(), None);
    assert!(client.delete("g#2").await.unwrap());
    assert!(!client.delete("g#2").await.unwrap());
    assert_eq!(client.list().await.unwrap(), part.values.list());
    assert_eq!(client.history("g#2").await.unwrap(), part.values.history("g#2").await.unwrap());
    assert_eq!(client.history("g#2").await.unwrap().len(), 2);
    assert!(client.history("absent").await.unwrap().is_empty());
    let error = client.register_corim(b"no CoRIM", None).await.unwrap_err();
    assert_eq!(error.code(), "RPC-004");
    assert!(error.to_string().contains("COR-"), "{error}");
}

#[tokio::test]
async fn a_large_set_comes_in_parts() {
    let part = Part::new().await;
    let served = part.serve().await;
    let values = |n: usize| -> Map<String, Value> {
        (0..700).map(|i| (format!("n{}", n * 700 + i), json!("x".repeat(900)))).collect()
    };
    for n in 0..5 {
        part.values.register(&message(&Value::Object(values(n)))).await.unwrap();
    }
    let client = part.client(served.at, Protocol::Assay).await;
    in_step(&part, &client).await;
    assert_eq!(client.list().await.unwrap().len(), 3500);
}

#[tokio::test]
async fn a_set_that_nobody_confirms_is_not_served_for_long() {
    let part = Part::new().await;
    part.values.register(&message(&json!({ "a": 1 }))).await.unwrap();
    let served = part.serve().await;
    let settings = RemoteValuesSettings {
        max_age: Duration::from_millis(500),
        ..part.settings(served.at, Protocol::Assay, Role::ReferenceValueReader).await
    };
    let client = RemoteReferenceValues::new(settings, part.clock.clone()).unwrap();
    assert_eq!(found(&client, "a").await.unwrap(), json!(1));
    let at = served.stop().await;
    let error = in_the_end(async || client.consult().await.err().ok_or(())).await;
    assert_eq!((error.code(), error.fault()), ("RV-022", assay_types::Fault::Unavailable));
    assert!(error.to_string().contains("RPC-001"), "{error}");
    assert_eq!(client.check().await.unwrap_err().code(), "RV-022");
    // The provider is back on its port, with another value.
    part.values.register(&message(&json!({ "a": 2 }))).await.unwrap();
    let _served = Served::new(part.router(), Some(at)).await;
    assert_eq!(in_the_end(async || found(&client, "a").await).await, json!(2));
    in_the_end(async || client.check().await).await;
}

#[tokio::test]
async fn before_the_first_answer_there_is_nothing_to_rely_on() {
    for kind in [Socket::Silent, Socket::Reset, Socket::Garbage] {
        let (at, task) = socket(kind).await;
        let client = client_of(at, Protocol::Assay, Duration::from_millis(300));
        let error = client.consult().await.err().expect("there is no set");
        assert_eq!(error.code(), "RV-022", "{error}");
        assert_eq!(client.check().await.unwrap_err().code(), "RV-022");
        task.abort();
    }
    // Trustee's provider does not speak this protocol.
    let served = Double::default().serve(None).await;
    let client = client_of(served.at, Protocol::Assay, Duration::from_secs(10));
    let error = client.consult().await.err().expect("there is no set");
    assert!(error.to_string().contains("RPC-005"), "{error}");
}

#[tokio::test]
async fn whoever_may_not_read_has_no_set() {
    let part = Part::new().await;
    let served = part.serve().await;
    let settings = part.settings(served.at, Protocol::Assay, Role::PolicyWriter).await;
    let client = RemoteReferenceValues::new(settings, part.clock.clone()).unwrap();
    let error = client.consult().await.err().expect("there is no set");
    assert!(error.to_string().contains("RPC-003"), "{error}");
    // A reader may read, and not change.
    let settings = part.settings(served.at, Protocol::Assay, Role::ReferenceValueReader).await;
    let client = RemoteReferenceValues::new(settings, part.clock.clone()).unwrap();
    assert_eq!(client.value("a").await.unwrap(), None);
    let error = client.register(&message(&json!({ "a": 1 }))).await.unwrap_err();
    assert_eq!(error.code(), "RPC-003", "{error}");
    assert!(part.values.list().is_empty());
}

#[tokio::test]
async fn values_registered_by_another_process_on_the_store_are_read_again() {
    let part = Part::new().await;
    let other =
        assay_reference_values::ReferenceValues::load(part.store.clone(), part.clock.clone()).await.unwrap();
    other.register(&message(&json!({ "a": 1, "b": 2 }))).await.unwrap();
    other.delete("b").await.unwrap();
    assert!(part.values.list().is_empty());
    part.values.reload().await.unwrap();
    assert_eq!(part.values.list(), other.list());
    assert_eq!(part.values.snapshot().digest(), other.snapshot().digest());
}

/// Good parts of a set of two, to be broken.
async fn parts() -> Vec<SetPart> {
    let part = Part::new().await;
    part.values.register(&message(&json!({ "a": 1, "b": "x" }))).await.unwrap();
    let value = |record: &assay_reference_values::Record| ReferenceValue {
        id: record.id.clone(),
        json: record.value.to_string(),
        version: record.version,
        registered: record.registered.0,
        expires: record.expires.0,
        source: record.source.clone(),
    };
    let digest = part.values.snapshot().digest().as_bytes().to_vec();
    part.values
        .list()
        .iter()
        .map(|record| SetPart {
            digest: digest.clone(),
            count: 2,
            unchanged: false,
            values: vec![value(record)],
        })
        .collect()
}

fn read(parts: Vec<SetPart>, known: &[u8]) -> Result<Option<usize>, String> {
    let mut reader = SetReader::default();
    for part in parts {
        reader.add(part)?;
    }
    reader.finish(known).map(|set| set.map(|set| set.len()))
}

#[tokio::test]
async fn a_set_that_is_not_what_its_digest_names_is_not_believed() {
    let good = parts().await;
    let digest = good[0].digest.clone();
    assert_eq!(read(good.clone(), &[]), Ok(Some(2)));
    let same = SetPart { digest: digest.clone(), count: 2, unchanged: true, values: Vec::new() };
    assert_eq!(read(vec![same.clone()], &digest), Ok(None));
    type Break = fn(&mut Vec<SetPart>);
    let breaks: &[(&str, Break)] = &[
        ("no part", |parts| parts.clear()),
        ("not the set", |parts| drop(parts.pop())),
        ("not the set", |parts| parts[0].values[0].json = "2".into()),
        ("not the set", |parts| parts[0].values[0].json = "1 ".into()),
        ("not the set", |parts| parts[0].values[0].expires += 1),
        ("not the set", |parts| parts[0].values[0].id = "c".into()),
        ("more values", |parts| {
            let again = parts[0].clone();
            parts.push(again);
        }),
        ("different sets", |parts| parts[1].digest = vec![1; 48]),
        ("different sets", |parts| parts[1].count = 3),
        ("at most", |parts| parts[0].count = u64::MAX),
        ("not JSON", |parts| parts[0].values[0].json = "{".into()),
        ("allowed form", |parts| parts[0].values[0].id = String::new()),
        ("allowed form", |parts| parts[0].values[0].id = "\n".into()),
        ("more than one part", |parts| parts[1].unchanged = true),
        ("with values", |parts| parts[0].unchanged = true),
        ("digest", |parts| parts.iter_mut().for_each(|part| part.digest = vec![1])),
    ];
    for (word, broken) in breaks {
        let mut parts = good.clone();
        broken(&mut parts);
        let error = read(parts, &[]).unwrap_err();
        assert!(error.contains(word), "{word}: {error}");
    }
    for known in [&[][..], &[1; 48]] {
        assert!(read(vec![same.clone()], known).unwrap_err().contains("names another"));
    }
    let nothing = SetPart { digest: Vec::new(), count: 0, unchanged: true, values: Vec::new() };
    assert!(read(vec![nothing], &[]).is_err());
}
