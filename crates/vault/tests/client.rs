//! The client against the double of Vault on loopback: logins, renewals, both KV engines, transit, and each
//! failure alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

#[path = "../../collateral/tests/https/mod.rs"]
mod https;
mod world;

use std::sync::Arc;
use std::time::Duration;

use assay_types::{Coded as _, Fault, SecretBytes};
use assay_vault::double::{Double, DoubleSettings};
use assay_vault::{Entry, Health, KvVersion, SecretText, TransitKey, VaultAuth, VaultClient, VaultError};
use world::{Auth, World, path};

#[tokio::test]
async fn every_way_to_log_in_reads_and_writes_both_engines() {
    for auth in [Auth::Token, Auth::AppRole, Auth::Kubernetes] {
        let world = World::start().await;
        let client = world.client(auth).await;
        for version in [KvVersion::V1, KvVersion::V2] {
            let kv = world.kv(&client, version);
            let there = path("default/key/1");
            assert!(kv.read(&there).await.unwrap().is_none());
            for (n, text) in [(1, "b25l"), (2, "dHdv")] {
                let written = kv.write(&there, "data", &SecretText::new(text.into())).await.unwrap();
                assert_eq!(written, (version == KvVersion::V2).then_some(n), "{auth:?}");
                let read = kv.read(&there).await.unwrap().unwrap();
                assert_eq!(read.text("data").unwrap().expose(), text);
                assert_eq!(read.version, written);
            }
            assert!(kv.delete(&there).await.unwrap());
            assert!(!kv.delete(&there).await.unwrap());
            assert!(kv.read(&there).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn a_listing_tells_folders_from_secrets() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    for version in [KvVersion::V1, KvVersion::V2] {
        let kv = world.kv(&client, version);
        assert_eq!(kv.list(None).await.unwrap(), []);
        for there in ["a/b/c", "a/b", "d"] {
            kv.write(&path(there), "data", &SecretText::new("eA==".into())).await.unwrap();
        }
        let (folder, secret) =
            (|name: &str| Entry::Folder(name.into()), |name: &str| Entry::Secret(name.into()));
        assert_eq!(kv.list(None).await.unwrap(), [folder("a"), secret("d")]);
        assert_eq!(kv.list(Some(&path("a"))).await.unwrap(), [secret("b"), folder("b")]);
        assert_eq!(kv.list(Some(&path("a/b"))).await.unwrap(), [secret("c")]);
        assert_eq!(kv.list(Some(&path("none"))).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_version_that_was_deleted_is_not_there_and_deleting_removes_all_versions() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    let kv = world.kv(&client, KvVersion::V2);
    let there = path("a");
    for _ in 0..2 {
        kv.write(&there, "data", &SecretText::new("eA==".into())).await.unwrap();
    }
    // Somebody marks the newest version as deleted.
    assert_eq!(world.raw("DELETE", "v1/secret/data/a", "").await, 204);
    assert!(kv.read(&there).await.unwrap().is_none());
    assert!(kv.delete(&there).await.unwrap());
    assert_eq!(kv.list(None).await.unwrap(), []);
    assert_eq!(kv.write(&there, "data", &SecretText::new("eA==".into())).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_login_serves_many_calls_and_many_callers_log_in_once() {
    let world = World::start().await;
    let client = world.client(Auth::AppRole).await;
    let kv = Arc::new(world.kv(&client, KvVersion::V2));
    kv.write(&path("a"), "data", &SecretText::new("eA==".into())).await.unwrap();
    world.double.expire_tokens();
    let calls = (0..32).map(|_| {
        let kv = Arc::clone(&kv);
        tokio::spawn(async move { kv.read(&path("a")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap().unwrap().is_some());
    }
    assert_eq!(world.double.requests("POST auth/approle/login"), 2);
    assert_eq!(world.double.requests("GET sys/internal/ui/mounts/secret"), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_replaced_when_renewing_gains_nothing() {
    let world = World::start().await;
    world.double.behave(|b| (b.lease_seconds, b.longest_life_seconds) = (60, 100));
    let client = world.client(Auth::Kubernetes).await;
    let counts = || {
        let renewals = world.double.requests("POST auth/token/renew-self");
        (world.double.requests("POST auth/kubernetes/login"), renewals)
    };
    client.keep_token().await.unwrap();
    world.clock.advance(39);
    client.keep_token().await.unwrap();
    assert_eq!(counts(), (1, 0));
    // Two thirds of its life are over: it is renewed, and lives to 100.
    world.clock.advance(1);
    client.keep_token().await.unwrap();
    assert_eq!(counts(), (1, 1));
    // To 100 and no further: renewing gains nothing, and it is replaced.
    world.clock.advance(40);
    client.keep_token().await.unwrap();
    assert_eq!(counts(), (2, 2));
    // One that cannot be renewed is replaced without asking.
    world.double.behave(|b| b.renewable = false);
    world.clock.advance(60);
    client.keep_token().await.unwrap();
    world.clock.advance(40);
    client.keep_token().await.unwrap();
    assert_eq!(counts(), (4, 2));
}

#[tokio::test]
async fn a_token_that_ended_is_replaced_within_the_call_once() {
    for vague in [false, true] {
        let world = World::start().await;
        let client = world.client(Auth::AppRole).await;
        let kv = world.kv(&client, KvVersion::V1);
        assert!(kv.read(&path("a")).await.unwrap().is_none());
        world.double.behave(|b| b.vague = vague);
        world.clock.advance(20);
        world.double.expire_tokens();
        assert!(kv.read(&path("a")).await.unwrap().is_none());
        assert_eq!(world.double.requests("POST auth/approle/login"), 2, "vague: {vague}");
        assert_eq!(world.double.requests("GET kv1/a"), 3);
    }
}

#[tokio::test]
async fn what_policies_deny_is_said_with_its_path_and_does_not_log_in_again_and_again() {
    let world = World::start().await;
    let client = world.client(Auth::AppRole).await;
    let (one, two) = (world.kv(&client, KvVersion::V1), world.kv(&client, KvVersion::V2));
    one.check().await.unwrap();
    two.check().await.unwrap();
    world.double.behave(|b| b.deny = vec!["kv1/".into(), "secret/".into()]);
    let text = SecretText::new("eA==".into());
    for _ in 0..3 {
        for (error, operation, there) in [
            (one.read(&path("a/b")).await.unwrap_err(), "read", "kv1/a/b"),
            (one.write(&path("a"), "data", &text).await.unwrap_err(), "update", "kv1/a"),
            (two.read(&path("a/b")).await.unwrap_err(), "read", "secret/data/a/b"),
            (two.write(&path("a"), "data", &text).await.unwrap_err(), "update", "secret/data/a"),
            (two.delete(&path("a")).await.unwrap_err(), "read", "secret/metadata/a"),
            (two.list(Some(&path("a"))).await.unwrap_err(), "list", "secret/metadata/a/"),
        ] {
            assert_eq!((error.code(), error.fault()), ("VLT-013", Fault::BadGateway));
            let VaultError::PermissionDenied { operation: found, path } = error else { panic!("{error}") };
            assert_eq!((found, path.as_str()), (operation, there));
        }
    }
    assert_eq!(world.double.requests("POST auth/approle/login"), 1);
}

#[tokio::test]
async fn a_token_file_is_read_again_when_it_changes() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    let kv = world.kv(&client, KvVersion::V1);
    assert!(kv.read(&path("a")).await.unwrap().is_none());
    // The token is replaced, and the old one ends.
    let token = world.double.make_token(600, false);
    world.write_token(&token);
    assert!(kv.read(&path("a")).await.unwrap().is_none());
    world.double.expire_tokens();
    let error = kv.read(&path("a")).await.unwrap_err();
    assert_eq!(error.code(), "VLT-012");
    assert!(error.to_string().contains("token") && !error.to_string().contains(&token), "{error}");
    world.write_token(&world.double.make_token(0, false));
    assert!(kv.read(&path("a")).await.unwrap().is_none());
    // While the file is not there, the token that was in it serves.
    std::fs::remove_file(world.folder.path().join("token")).unwrap();
    assert!(kv.read(&path("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_from_a_file_is_renewed_where_it_can_be() {
    let world = World::start().await;
    world.write_token(&world.double.make_token(60, true));
    let client = world.client(Auth::Token).await;
    client.keep_token().await.unwrap();
    for _ in 0..5 {
        world.clock.advance(45);
        client.keep_token().await.unwrap();
    }
    assert_eq!(world.double.requests("POST auth/token/renew-self"), 5);
    assert!(world.kv(&client, KvVersion::V1).read(&path("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_vault_that_was_away_for_a_moment_does_not_cost_the_token() {
    let world = World::start().await;
    world.double.behave(|b| b.lease_seconds = 60);
    let client = world.client(Auth::AppRole).await;
    client.keep_token().await.unwrap();
    world.clock.advance(45);
    world.double.behave(|b| b.sealed = true);
    client.keep_token().await.unwrap();
    world.double.behave(|b| b.sealed = false);
    assert!(world.kv(&client, KvVersion::V1).read(&path("a")).await.unwrap().is_none());
    assert_eq!(world.double.requests("POST auth/approle/login"), 2);
    world.clock.advance(60);
    client.keep_token().await.unwrap();
    assert_eq!(world.double.requests("POST auth/approle/login"), 3);
}

#[tokio::test]
async fn a_login_that_is_refused_says_why_without_the_credentials() {
    for (auth, file) in [(Auth::AppRole, "secret-id"), (Auth::Kubernetes, "jwt")] {
        let world = World::start().await;
        std::fs::write(world.folder.path().join(file), "wrong-secret").unwrap();
        let client = world.client(auth).await;
        let error = client.keep_token().await.unwrap_err();
        assert_eq!((error.code(), error.fault()), ("VLT-011", Fault::BadGateway));
        assert!(!format!("{error} {error:?} {client:?}").contains("wrong-secret"), "{error}");
        // The right one is there now: the next call reads it.
        world.write_credentials();
        client.keep_token().await.unwrap();
        std::fs::remove_file(world.folder.path().join(file)).unwrap();
        world.double.expire_tokens();
        world.clock.advance(4000);
        assert_eq!(client.keep_token().await.unwrap_err().code(), "VLT-002");
    }
}

#[tokio::test]
async fn each_failure_has_its_own_error() {
    let world = World::start().await;
    let client = world.client(Auth::AppRole).await;
    let kv = world.kv(&client, KvVersion::V2);
    kv.check().await.unwrap();
    let secret = "hvs.something";
    type Change = fn(&mut assay_vault::double::Behaviour);
    let cases: [(&str, Fault, Change); 10] = [
        ("VLT-006", Fault::Unavailable, |b| b.sealed = true),
        ("VLT-007", Fault::Unavailable, |b| b.initialised = false),
        ("VLT-009", Fault::Unavailable, |b| b.fail_status = Some(429)),
        ("VLT-010", Fault::BadGateway, |b| b.fail_status = Some(500)),
        ("VLT-010", Fault::Unavailable, |b| b.fail_status = Some(502)),
        ("VLT-022", Fault::TooLarge, |b| b.fail_status = Some(413)),
        ("VLT-024", Fault::BadGateway, |b| b.fail_status = Some(400)),
        ("VLT-020", Fault::BadGateway, |b| b.redirect = true),
        ("VLT-021", Fault::BadGateway, |b| b.huge_megabytes = 2),
        ("VLT-023", Fault::BadGateway, |b| b.garbage = true),
    ];
    for (code, fault, change) in cases {
        world.double.behave(change);
        let read = kv.read(&path("a")).await.unwrap_err();
        let write = kv.write(&path("a"), "data", &SecretText::new(secret.into())).await.unwrap_err();
        for error in [read, write] {
            assert_eq!((error.code(), error.fault()), (code, fault), "{error}");
            assert!(!error.to_string().contains(secret) && !error.explanation().is_empty());
        }
        world.double.behave(|b| *b = assay_vault::double::Behaviour::default());
        assert!(kv.read(&path("a")).await.unwrap().is_none(), "after {code}");
    }
}

#[tokio::test]
async fn a_page_with_status_404_is_not_taken_for_nothing_there() {
    let world = World::start().await;
    let client = world.client(Auth::AppRole).await;
    let kv = world.kv(&client, KvVersion::V1);
    kv.check().await.unwrap();
    world.double.behave(|b| (b.fail_status, b.fail_text) = (Some(404), "x".into()));
    assert!(kv.read(&path("a")).await.unwrap().is_none());
    // A server that is no Vault at all, and answers with 404 to everything.
    let other =
        axum::Router::new().fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "<h1>404</h1>") });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, other).await });
    let client = world.client_at(&address, Auth::Token, |_| {});
    let error = world.kv(&client, KvVersion::V1).read(&path("a")).await.unwrap_err();
    assert_eq!(error.code(), "VLT-024", "{error}");
}

#[tokio::test]
async fn a_vault_that_hangs_or_is_not_there_costs_no_more_than_the_deadline() {
    let world = World::start().await;
    world.double.behave(|b| b.delay_ms = 600_000);
    let client = world.client_at(&world.address, Auth::AppRole, |s| s.deadline = Duration::from_millis(200));
    let kv = world.kv(&client, KvVersion::V2);
    let error = kv.read(&path("a")).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("VLT-005", Fault::DependencyTimeout));
    assert_eq!(client.health().await.unwrap_err().code(), "VLT-005");
    world.double.behave(|b| b.delay_ms = 0);
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let client = world.client_at(&address, Auth::AppRole, |_| {});
    let error = client.keep_token().await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("VLT-003", Fault::Unavailable), "{error}");
}

#[tokio::test]
async fn the_engine_must_be_there_be_kv_and_have_the_version() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    let text = SecretText::new("eA==".into());
    for (mount, version, code) in [
        ("nowhere", KvVersion::V2, "VLT-014"),
        ("transit", KvVersion::V1, "VLT-015"),
        ("kv1", KvVersion::V2, "VLT-016"),
        ("secret", KvVersion::V1, "VLT-016"),
    ] {
        let kv = world.kv_at(&client, mount, version);
        for error in [
            kv.check().await.unwrap_err(),
            kv.read(&path("a")).await.unwrap_err(),
            kv.write(&path("a"), "data", &text).await.unwrap_err(),
            kv.list(None).await.unwrap_err(),
        ] {
            assert_eq!((error.code(), error.fault()), (code, Fault::BadGateway), "{error}");
        }
    }
    // Nothing was written anywhere.
    assert_eq!(world.kv(&client, KvVersion::V1).list(None).await.unwrap(), []);
    assert_eq!(world.kv(&client, KvVersion::V2).list(None).await.unwrap(), []);
}

#[tokio::test]
async fn health_tells_sealed_from_standby() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    assert_eq!(client.health().await.unwrap(), Health::Active);
    world.double.behave(|b| b.standby = true);
    assert_eq!(client.health().await.unwrap(), Health::Standby);
    world.double.behave(|b| b.sealed = true);
    assert_eq!(client.health().await.unwrap(), Health::Sealed);
    world.double.behave(|b| b.initialised = false);
    assert_eq!(client.health().await.unwrap(), Health::NotInitialised);
    world.double.behave(|b| b.garbage = true);
    assert_eq!(client.health().await.unwrap_err().code(), "VLT-023");
}

#[tokio::test]
async fn the_namespace_is_sent() {
    let settings = DoubleSettings { namespace: Some("team-a".into()), ..DoubleSettings::default() };
    let world = World::start_with(settings).await;
    let client = world.client_at(&world.address, Auth::AppRole, |s| s.namespace = Some("team-a/".into()));
    assert!(world.kv(&client, KvVersion::V2).read(&path("a")).await.unwrap().is_none());
    assert_eq!(client.health().await.unwrap(), Health::Active);
    let client = world.client_at(&world.address, Auth::AppRole, |_| {});
    assert_eq!(client.keep_token().await.unwrap_err().code(), "VLT-011");
}

#[tokio::test]
async fn a_transit_key_wraps_and_unwraps_under_all_its_versions() {
    let world = World::start().await;
    let client = world.client(Auth::Kubernetes).await;
    let key = TransitKey::new(Arc::clone(&client), path("transit"), "assay").unwrap();
    assert_eq!(key.name(), "transit/keys/assay");
    let secret = SecretBytes::new((0..=255).collect());
    let one = key.wrap(&secret).await.unwrap();
    assert!(one.starts_with(b"vault:v1:"));
    assert_ne!(key.wrap(&secret).await.unwrap(), one);
    world.double.rotate_transit_key("assay").unwrap();
    let two = key.wrap(&secret).await.unwrap();
    assert!(two.starts_with(b"vault:v2:"));
    for wrapped in [&one, &two] {
        assert_eq!(key.unwrap(wrapped).await.unwrap(), secret);
    }
    let empty = SecretBytes::new(Vec::new());
    assert_eq!(key.unwrap(&key.wrap(&empty).await.unwrap()).await.unwrap(), empty);
}

#[tokio::test]
async fn what_is_of_another_transit_key_or_altered_does_not_open() {
    let settings =
        DoubleSettings { transit_keys: vec!["assay".into(), "other".into()], ..DoubleSettings::default() };
    let world = World::start_with(settings).await;
    let client = world.client(Auth::Token).await;
    let key = |name| TransitKey::new(Arc::clone(&client), path("transit"), name).unwrap();
    let wrapped = key("assay").wrap(&SecretBytes::new(vec![7; 32])).await.unwrap();
    let mut altered = wrapped.clone();
    let at = "vault:v1:".len() + 20;
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    for (name, wrapped) in [
        ("other", wrapped.clone()),
        ("assay", altered),
        ("assay", b"vault:v9:AAAA".to_vec()),
        ("assay", b"vault:v1:AAAA".to_vec()),
        ("assay", b"not a ciphertext".to_vec()),
        ("assay", vec![0xff; 64]),
    ] {
        let error = key(name).unwrap(&wrapped).await.unwrap_err();
        assert_eq!((error.code(), error.fault()), ("VLT-019", Fault::BadGateway), "{error}");
    }
    assert!(key("assay").unwrap(&wrapped).await.is_ok());
}

#[tokio::test]
async fn a_transit_key_that_does_not_exist_is_not_made() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    let secret = SecretBytes::new(vec![7; 32]);
    let key = TransitKey::new(Arc::clone(&client), path("transit"), "slip").unwrap();
    for _ in 0..2 {
        assert_eq!(key.wrap(&secret).await.unwrap_err().code(), "VLT-017");
    }
    assert_eq!(key.unwrap(b"vault:v1:AAAA").await.unwrap_err().code(), "VLT-017");
    assert_eq!(world.double.requests("POST transit/encrypt/slip"), 0);
    let key = TransitKey::new(Arc::clone(&client), path("elsewhere"), "assay").unwrap();
    assert_eq!(key.check().await.unwrap_err().code(), "VLT-014");
    world.double.behave(|b| b.deny = vec!["transit/keys/".into()]);
    let key = TransitKey::new(Arc::clone(&client), path("transit"), "assay").unwrap();
    assert_eq!(key.wrap(&secret).await.unwrap_err().code(), "VLT-013");
    assert!(TransitKey::new(client, path("transit"), "../assay").is_err());
}

#[tokio::test]
async fn tls_is_verified_against_the_root_that_is_given() {
    let world = World::start().await;
    let (good, other) = (https::Identity::new(1), https::Identity::of_address(&[127, 0, 0, 1]));
    let health = r#"{"initialized":true,"sealed":false}"#;
    let url = good.serve(health).await;
    let with =
        |pem: String| world.client_at(&url, Auth::Token, move |s| s.ca_certificate = Some(pem.into_bytes()));
    assert_eq!(with(good.pem()).health().await.unwrap(), Health::Active);
    let error = with(other.pem()).health().await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("VLT-004", Fault::BadGateway), "{error}");
    // A certificate for another address, though its root is trusted.
    let elsewhere = https::Identity::new(2);
    let url = elsewhere.serve(health).await;
    let pem = elsewhere.pem();
    let client = world.client_at(&url, Auth::Token, move |s| s.ca_certificate = Some(pem.into_bytes()));
    assert_eq!(client.health().await.unwrap_err().code(), "VLT-004");
}

#[tokio::test]
async fn what_a_server_throws_back_is_not_shown() {
    let world = World::start().await;
    let client = world.client(Auth::Token).await;
    let token = DoubleSettings::default().token;
    world
        .double
        .behave(|b| (b.fail_status, b.fail_text) = (Some(500), format!("you sent {token}, did you?")));
    let error = world.kv(&client, KvVersion::V1).read(&path("a")).await.unwrap_err();
    assert!(error.to_string().contains("you sent (not shown)"), "{error}");
    assert!(!format!("{error:?}").contains(&token));
}

#[tokio::test]
async fn the_keeper_keeps_the_token_of_an_idle_client_and_ends_with_it() {
    let world = World::start().await;
    let client = world.client(Auth::AppRole).await;
    let keeper = client.spawn_keeper();
    while world.double.requests("POST auth/approle/login") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(client);
    keeper.await.unwrap();
}

#[tokio::test]
async fn a_large_value_comes_back_whole() {
    let world = World::start().await;
    let client = world.client_at(&world.address, Auth::Token, |s| s.max_answer_bytes = 24 << 20);
    let kv = world.kv(&client, KvVersion::V2);
    let text = SecretText::new("QUJD".repeat(3 << 20));
    kv.write(&path("a"), "data", &text).await.unwrap();
    assert!(kv.read(&path("a")).await.unwrap().unwrap().text("data").unwrap() == &text);
}

#[tokio::test]
async fn a_double_speaks_of_itself_and_obeys_its_control() {
    let world = World::start().await;
    assert_eq!(world.raw("POST", "control", r#"{"sealed":true}"#).await, 200);
    assert_eq!(world.raw("GET", "v1/sys/health", "").await, 503);
    assert_eq!(world.raw("POST", "control", r#"{"sealed":false,"expire_tokens":true}"#).await, 200);
    assert_eq!(world.raw("POST", "control", r#"{"seeled":true}"#).await, 400);
    assert_eq!(world.raw("GET", "control", "").await, 200);
    assert_eq!(world.raw("GET", "v1/nowhere/a", "").await, 404);
    assert_eq!(world.raw("GET", "v1/secret/a", "").await, 404);
    let auth = VaultAuth::Token { file: "none".into() };
    let settings = assay_vault::VaultSettings::new(&world.address, auth);
    assert!(VaultClient::new(settings, world.clock.clone()).is_ok());
    let _another: Double = world.double.clone();
}
