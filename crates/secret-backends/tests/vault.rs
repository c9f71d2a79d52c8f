//! The back end on Vault against the double: each resource at its place, Trustee's values, failures, readiness.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

#[path = "../../vault/tests/world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assay_secret_backends::{BackendError, ByRepository, SecretBackend, VaultBackend};
use assay_types::{Coded as _, Fault, ResourcePath, SecretBytes};
use assay_vault::{KvVersion, SecretText, VaultClient};
use world::{Auth, World, path};

const BOTH: [KvVersion; 2] = [KvVersion::V1, KvVersion::V2];

fn backend(
    world: &World,
    client: &Arc<VaultClient>,
    version: KvVersion,
    prefix: Option<&str>,
) -> VaultBackend {
    VaultBackend::new(Arc::clone(client), world.kv(client, version), prefix.map(path))
}

fn resource(text: &str) -> ResourcePath {
    text.parse().unwrap()
}

fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

#[tokio::test]
async fn what_is_stored_comes_back_and_what_is_deleted_does_not() {
    let world = World::start().await;
    let client = world.client(Auth::AppRole).await;
    for (version, prefix) in BOTH.into_iter().flat_map(|v| [(v, None), (v, Some("assay/prod"))]) {
        let backend = backend(&world, &client, version, prefix);
        let there = resource("default/key/1");
        assert_eq!(backend.get(&there).await.unwrap(), None);
        for (n, value) in [(1, SecretBytes::new((0..=255).collect())), (2, SecretBytes::new(Vec::new()))] {
            let number = backend.put(&there, &value).await.unwrap();
            assert_eq!(number, (version == KvVersion::V2).then_some(n));
            let found = backend.get(&there).await.unwrap().unwrap();
            assert_eq!((found.value, found.version), (value, number));
        }
        assert!(backend.delete(&there).await.unwrap());
        assert!(!backend.delete(&there).await.unwrap());
        assert_eq!(backend.get(&there).await.unwrap(), None);
    }
}

#[tokio::test]
async fn repository_type_and_tag_all_count() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    let all = ["a/k/1", "b/k/1", "a/l/1", "a/k/2", "aa/k/1", "A/k/1", "a.b/k/1", "a/k.1/1", "a/k/1.1"];
    for version in BOTH {
        let backend = backend(&world, &client, version, None);
        for text in all {
            backend.put(&resource(text), &secret(text)).await.unwrap();
        }
        for text in all {
            assert_eq!(backend.get(&resource(text)).await.unwrap().unwrap().value, secret(text));
        }
        assert!(backend.delete(&resource("a/k/1")).await.unwrap());
        for text in &all[1..] {
            assert!(backend.get(&resource(text)).await.unwrap().is_some(), "{text}");
        }
    }
}

#[tokio::test]
async fn a_listing_begins_as_it_is_asked_to() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    for (version, prefix) in BOTH.into_iter().flat_map(|v| [(v, None), (v, Some("assay"))]) {
        let backend = backend(&world, &client, version, prefix);
        assert_eq!(backend.list(None).await.unwrap(), []);
        for text in ["a/k/1", "a/k/10", "a/l/1", "ab/k/1", "b/k/1"] {
            backend.put(&resource(text), &secret(text)).await.unwrap();
        }
        let listed = |prefix: Option<&'static str>| {
            let backend = &backend;
            async move {
                let listed = backend.list(prefix).await.unwrap();
                listed.into_iter().map(|info| info.path.to_string()).collect::<Vec<_>>()
            }
        };
        // What is no resource is not listed: too short, too long, another folder.
        let kv = world.kv(&client, version);
        for stray in ["x", "a/stray", "a/k/deep/er", "assay/.hidden/k/1"] {
            kv.write(&path(stray), "data", &SecretText::new("eA==".into())).await.unwrap();
        }
        if prefix.is_some() {
            assert_eq!(listed(None).await, ["a/k/1", "a/k/10", "a/l/1", "ab/k/1", "b/k/1"]);
        }
        assert_eq!(listed(Some("a/")).await, ["a/k/1", "a/k/10", "a/l/1"]);
        assert_eq!(listed(Some("a/k/1")).await, ["a/k/1", "a/k/10"]);
        assert_eq!(listed(Some("ab")).await, ["ab/k/1"]);
        assert_eq!(listed(Some("b/k/")).await, ["b/k/1"]);
        for none in ["c", "a/k/2", "a/k/1/", "../a", "a/../a/", "%", "a/ /"] {
            assert_eq!(listed(Some(none)).await, [""; 0], "{none}");
        }
    }
}

#[tokio::test]
async fn what_trustee_wrote_is_read_and_the_other_way_round() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    let backend = backend(&world, &client, KvVersion::V1, None);
    // The plugin's form: KV version 1, a map with the member data in base64.
    let body = r#"{"data":"dHJ1c3RlZQ==","owner":"somebody","n":7}"#;
    assert_eq!(world.raw("POST", "v1/kv1/default/key/1", body).await, 204);
    assert_eq!(backend.get(&resource("default/key/1")).await.unwrap().unwrap().value, secret("trustee"));
    backend.put(&resource("default/key/2"), &secret("assay")).await.unwrap();
    let kv = world.kv(&client, KvVersion::V1);
    let written = kv.read(&path("default/key/2")).await.unwrap().unwrap();
    assert_eq!(written.names().collect::<Vec<_>>(), ["data"]);
    assert_eq!(written.text("data").unwrap().expose(), "YXNzYXk=");
    // By hand, with the line break of `base64`.
    assert_eq!(world.raw("POST", "v1/kv1/default/key/3", r#"{"data":"aGFuZA==\n"}"#).await, 204);
    assert_eq!(backend.get(&resource("default/key/3")).await.unwrap().unwrap().value, secret("hand"));
}

#[tokio::test]
async fn what_is_no_value_for_us_is_an_error_and_not_shown() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    let backend = backend(&world, &client, KvVersion::V1, None);
    for (body, code) in [
        (r#"{"password":"hunter2"}"#, "SEC-001"),
        (r#"{"data":{"password":"hunter2"}}"#, "SEC-001"),
        (r#"{"data":42}"#, "SEC-001"),
        (r#"{"data":"hunter2!"}"#, "SEC-002"),
        (r#"{"data":"aHVudGVyMg"}"#, "SEC-002"),
    ] {
        assert_eq!(world.raw("POST", "v1/kv1/default/key/1", body).await, 204);
        let error = backend.get(&resource("default/key/1")).await.unwrap_err();
        assert_eq!((error.code(), error.fault()), (code, Fault::BadGateway), "{body}");
        let shown = format!("{error} {error:?} {}", error.explanation());
        assert!(!shown.contains("hunter2") && !shown.contains("aHVu"), "{shown}");
    }
    let large = SecretBytes::new(vec![0; (16 << 20) + 1]);
    let error = backend.put(&resource("default/key/1"), &large).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("SEC-003", Fault::TooLarge));
}

#[tokio::test]
async fn it_is_ready_when_vault_serves_and_the_engine_is_as_it_must_be() {
    let world = World::start().await;
    let client = world.client(Auth::AppRole).await;
    backend(&world, &client, KvVersion::V2, None).check().await.unwrap();
    type Change = fn(&mut assay_vault::double::Behaviour);
    let cases: [(&str, Change); 4] = [
        ("VLT-006", |b| b.sealed = true),
        ("VLT-007", |b| b.initialised = false),
        ("VLT-014", |b| b.deny = vec!["sys/internal/ui/mounts/".into()]),
        ("VLT-023", |b| b.garbage = true),
    ];
    for (code, change) in cases {
        let backend = backend(&world, &client, KvVersion::V2, None);
        world.double.behave(change);
        assert_eq!(backend.check().await.unwrap_err().code(), code);
        world.double.behave(|b| *b = Default::default());
        backend.check().await.unwrap();
    }
    world.double.behave(|b| b.standby = true);
    backend(&world, &client, KvVersion::V1, None).check().await.unwrap();
    let wrong = VaultBackend::new(Arc::clone(&client), world.kv_at(&client, "kv1", KvVersion::V2), None);
    assert_eq!(wrong.check().await.unwrap_err().code(), "VLT-016");
    // Asked often, Vault is asked once.
    let before = world.double.requests("GET sys/health");
    let often = backend(&world, &client, KvVersion::V2, None);
    for _ in 0..20 {
        often.check().await.unwrap();
    }
    assert!(world.double.requests("GET sys/health") - before < 20);
}

#[tokio::test]
async fn many_writers_and_readers_get_whole_values() {
    let world = World::start().await;
    world.double.behave(|b| b.lease_seconds = 60);
    let client = world.client(Auth::AppRole).await;
    let backend = Arc::new(backend(&world, &client, KvVersion::V2, None));
    let values: Vec<SecretBytes> = (0..16_u8).map(|n| SecretBytes::new(vec![n; 5000])).collect();
    let tasks: Vec<_> = values
        .iter()
        .cloned()
        .map(|value| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for _ in 0..5 {
                    numbers.push(backend.put(&resource("a/k/1"), &value).await.unwrap().unwrap());
                    let found = backend.get(&resource("a/k/1")).await.unwrap().unwrap().value;
                    assert!(
                        found.expose().iter().all(|b| *b == found.expose()[0])
                            && found.expose().len() == 5000
                    );
                }
                numbers
            })
        })
        .collect();
    for _ in 0..3 {
        world.double.expire_tokens();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_repository_in_vault_does_not_stop_the_others() {
    let world = World::start().await;
    let client = world.client(Auth::AppRole).await;
    let here: Arc<dyn SecretBackend> = Arc::new(backend(&world, &client, KvVersion::V1, None));
    let there: Arc<dyn SecretBackend> = Arc::new(backend(&world, &client, KvVersion::V2, None));
    let all = ByRepository::new(Arc::clone(&here), BTreeMap::from([("v2".to_owned(), Arc::clone(&there))]));
    all.put(&resource("v2/k/1"), &secret("two")).await.unwrap();
    all.put(&resource("v1/k/1"), &secret("one")).await.unwrap();
    assert_eq!(here.get(&resource("v2/k/1")).await.unwrap(), None);
    assert_eq!(there.get(&resource("v1/k/1")).await.unwrap(), None);
    world.double.behave(|b| b.deny = vec!["secret/".into()]);
    assert!(matches!(all.get(&resource("v2/k/1")).await, Err(BackendError::Vault(_))));
    assert_eq!(all.get(&resource("v1/k/1")).await.unwrap().unwrap().value, secret("one"));
    // A listing with a part missing would look whole.
    assert!(all.list(None).await.is_err());
    assert_eq!(all.list(Some("v1/")).await.unwrap().len(), 1);
}
