//! Several addresses of one service.
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

#[allow(dead_code, reason = "each test file uses its part of it")]
mod double;

use std::sync::Arc;
use std::time::Duration;

use assay_client::{ClientError, KbsClient, PassportClient, RetryPolicy};
use assay_types::{Coded as _, ResourcePath};
use double::{Kbs, SECRET, Say, World};
use tokio::net::TcpListener;

const AUTH: &str = "POST /kbs/v0/auth";
const ATTEST: &str = "POST /kbs/v0/attest";
const RESOURCE: &str = "GET /kbs/v0/resource/r/t/t";
const RESOURCE_PATH: &str = "/kbs/v0/resource/r/t/t";

fn path() -> ResourcePath {
    "r/t/t".parse().unwrap()
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A client of `world`'s double and the others, in this order.
fn client_of(world: &World, urls: &[&str]) -> KbsClient {
    world.set(KbsClient::builder_of(urls).unwrap()).build().unwrap()
}

/// The replicas know the same guest.
fn share_key(from: &Kbs, to: &Kbs) {
    let key = from.state.lock().unwrap().key.clone();
    to.state.lock().unwrap().key = key;
}

async fn two() -> (World, Arc<Kbs>) {
    (World::new().await, Kbs::start().await)
}

#[tokio::test]
async fn the_next_address_is_used_without_waiting_and_kept() {
    let world = World::new().await;
    let nobody = nobody().await;
    let client = client_of(&world, &[&nobody, &world.kbs.url]);
    for _ in 0..2 {
        assert_eq!(client.resource(&path()).await.unwrap().expose(), SECRET);
    }
    assert!(world.waited().is_empty());
    assert_eq!(world.kbs.all(), [AUTH, ATTEST, RESOURCE, RESOURCE]);
}

#[tokio::test]
async fn the_first_address_is_kept_while_it_works() {
    let (world, other) = two().await;
    let client = client_of(&world, &[&world.kbs.url, &other.url]);
    client.resource(&path()).await.unwrap();
    client.resource(&path()).await.unwrap();
    assert!(other.all().is_empty());
}

#[tokio::test]
async fn the_token_of_one_is_shown_to_the_next_and_the_next_is_stayed_with() {
    let (world, other) = two().await;
    let client = client_of(&world, &[&world.kbs.url, &other.url]);
    let token = client.token().await.unwrap();
    share_key(&world.kbs, &other);
    world.kbs.script(RESOURCE_PATH, [Say::problem(503, "ServiceError", "draining")]);
    assert_eq!(client.resource(&path()).await.unwrap().expose(), SECRET);
    assert_eq!(other.all(), [RESOURCE]);
    assert_eq!(other.asked(RESOURCE)[0].header("authorization"), format!("Bearer {}", token.as_str()));
    client.resource(&path()).await.unwrap();
    assert_eq!((world.kbs.count(RESOURCE), other.count(RESOURCE)), (1, 2));
    assert!(world.waited().is_empty());
}

#[tokio::test]
async fn a_token_that_the_next_refuses_is_renewed_there() {
    let (world, other) = two().await;
    let client = client_of(&world, &[&world.kbs.url, &other.url]);
    client.token().await.unwrap();
    world.kbs.script(RESOURCE_PATH, [Say::problem(503, "ServiceError", "draining")]);
    other.script(RESOURCE_PATH, [Say::problem(401, "TokenVerifierError", "another's token")]);
    assert_eq!(client.resource(&path()).await.unwrap().expose(), SECRET);
    assert_eq!(other.all(), [RESOURCE, AUTH, ATTEST, RESOURCE]);
    assert_eq!(world.kbs.all(), [AUTH, ATTEST, RESOURCE]);
}

#[tokio::test]
async fn a_handshake_that_breaks_off_begins_anew_elsewhere() {
    let (world, other) = two().await;
    world.kbs.script("/kbs/v0/attest", [Say::problem(503, "ServiceError", "draining")]);
    let client = client_of(&world, &[&world.kbs.url, &other.url]);
    client.token().await.unwrap();
    assert_eq!(world.kbs.all(), [AUTH, ATTEST]);
    assert_eq!(other.all(), [AUTH, ATTEST]);
}

#[tokio::test]
async fn no_denial_is_taken_elsewhere() {
    for (at, status, code) in [
        ("/kbs/v0/attest", 401, "CLI-001"),
        ("/kbs/v0/attest", 403, "CLI-001"),
        ("/kbs/v0/auth", 422, "CLI-001"),
        (RESOURCE_PATH, 403, "CLI-001"),
        (RESOURCE_PATH, 404, "CLI-002"),
    ] {
        let (world, other) = two().await;
        world.kbs.script(at, [Say::problem(status, "AttestationError", "no")]);
        let client = client_of(&world, &[&world.kbs.url, &other.url]);
        let error = client.resource(&path()).await.unwrap_err();
        assert_eq!(error.code(), code, "{at} {status}: {error}");
        assert!(other.all().is_empty(), "{at} {status}");
        assert!(world.waited().is_empty());
    }
}

#[tokio::test]
async fn where_all_fail_every_outcome_is_listed_with_its_address() {
    let world = World::new().await;
    let nobody = nobody().await;
    world
        .kbs
        .script("/kbs/v0/auth", vec![Say::problem(503, "ServiceError", "full").with("retry-after", "7"); 2]);
    let policy =
        RetryPolicy { max_attempts: 2, deadline: Duration::from_secs(600), ..RetryPolicy::default() };
    let client =
        world.set(KbsClient::builder_of(&[&nobody, &world.kbs.url]).unwrap()).retry(policy).build().unwrap();
    match client.token().await.unwrap_err() {
        ClientError::Unavailable { attempts, retry_after } => {
            assert_eq!(attempts.len(), 4);
            for (attempt, url) in attempts.iter().zip([&nobody, &world.kbs.url].into_iter().cycle()) {
                assert!(attempt.what.contains(url.as_str()), "{}", attempt.what);
            }
            assert!(attempts[1].outcome.contains("full"), "{}", attempts[1].outcome);
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
        other => panic!("{other}"),
    }
    assert_eq!(world.waited(), [7500], "all addresses are one attempt");
}

#[tokio::test]
async fn the_deadline_is_one_for_all_addresses() {
    let world = World::new().await;
    // They take the connection and say nothing.
    let (one, two) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let urls = [&one, &two].map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    let policy = RetryPolicy { deadline: Duration::from_millis(300), ..RetryPolicy::default() };
    let client =
        world.set(KbsClient::builder_of(&[&urls[0], &urls[1]]).unwrap()).retry(policy).build().unwrap();
    match client.token().await.unwrap_err() {
        ClientError::Unavailable { attempts, .. } => {
            assert_eq!(attempts.len(), 1, "the first used up all the time: {attempts:?}");
            assert!(attempts[0].what.contains(&urls[0]));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_attestation_service_has_several_addresses_too() {
    let world = World::new().await;
    let nobody = nobody().await;
    let client = PassportClient::builder_of(&[&nobody, &world.kbs.url])
        .unwrap()
        .evidence_provider(world.guest.clone())
        .clock(world.kbs.clock.clone())
        .waiting(world.waits.clone())
        .build()
        .unwrap();
    client.token().await.unwrap();
    client.attest().await.unwrap();
    assert!(world.waited().is_empty());
    assert_eq!(world.kbs.count("POST /attestation"), 2);
}

#[tokio::test]
async fn no_address_or_too_many_are_refused() {
    let many = vec!["http://127.0.0.1:1"; 17];
    for urls in [&[][..], &many] {
        let error = KbsClient::builder_of(urls).unwrap_err();
        assert!(matches!(error, ClientError::Configuration(_)), "{error}");
        let error = PassportClient::builder_of(urls).unwrap_err();
        assert!(matches!(error, ClientError::Configuration(_)), "{error}");
    }
    let world = World::new().await;
    // Each address is held to the rules.
    let builder = KbsClient::builder_of(&[&world.kbs.url, "http://kbs.example"]).unwrap();
    assert!(matches!(world.set(builder).build(), Err(ClientError::Configuration(_))));
}
