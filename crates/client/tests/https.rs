//! Whose TLS certificate the clients accept.
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

#[path = "../../collateral/tests/https/mod.rs"]
mod https;

#[allow(dead_code, reason = "each test file uses its part of it")]
mod double;

use std::net::Ipv6Addr;

use assay_client::{AdminClient, ClientError, KbsClient, PassportClient};
use double::World;
use https::Identity;
use tokio::net::TcpListener;

async fn ask(server: &Identity, root: Option<&Identity>) -> Result<(), ClientError> {
    let mut builder = AdminClient::builder(&server.serve("[]").await)?.token("t");
    if let Some(root) = root {
        builder = builder.ca_certificate(root.pem().as_bytes())?;
    }
    builder.build()?.reference_values().await.map(drop)
}

#[tokio::test]
async fn a_given_root_is_accepted_and_only_that() {
    let (right, other) = (Identity::new(1), Identity::new(1));
    ask(&right, Some(&right)).await.unwrap();
    for root in [Some(&other), None] {
        match ask(&right, root).await.unwrap_err() {
            ClientError::Protocol { detail, .. } => {
                assert!(detail.contains("TLS certificate is not accepted"), "{detail}");
            }
            // A machine without system roots has nothing to accept a certificate by.
            ClientError::Configuration(_) if root.is_none() => {}
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let misnamed = Identity::new(2);
    let error = ask(&misnamed, Some(&misnamed)).await.unwrap_err();
    assert!(error.to_string().contains("TLS certificate is not accepted"), "{error}");
}

#[tokio::test]
async fn an_ipv6_address_in_brackets_is_spoken_to_by_tls() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let right = Identity::of_address(&Ipv6Addr::LOCALHOST.octets());
    let url = right.serve_on(listener, "[]");
    assert!(url.starts_with("https://[::1]:"), "{url}");
    let ask = async |root: &Identity| {
        let builder = AdminClient::builder(&url)?.token("t").ca_certificate(root.pem().as_bytes())?;
        builder.build()?.reference_values().await.map(drop)
    };
    ask(&right).await.unwrap();
    // A certificate for an IPv4 address is none for it, whoever signed.
    let other = Identity::new(1);
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let misnamed = other.serve_on(listener, "[]");
    let builder = AdminClient::builder(&misnamed).unwrap().token("t");
    let client = builder.ca_certificate(other.pem().as_bytes()).unwrap().build().unwrap();
    let error = client.reference_values().await.unwrap_err();
    assert!(error.to_string().contains("TLS certificate is not accepted"), "{error}");
}

/// An empty challenge, as Trustee gives, then no token: far enough to see who was spoken to.
#[tokio::test]
async fn the_attestation_service_has_roots_of_its_own() {
    let (kbs, attester) = (Identity::new(1), Identity::new(1));
    let (kbs_url, as_url) = (kbs.serve("").await, attester.serve("").await);
    let world = World::new().await;
    let build = |as_roots: &Identity| {
        let builder = world.set(KbsClient::builder(&kbs_url).unwrap());
        let builder = builder.ca_certificate(kbs.pem().as_bytes()).unwrap();
        builder.passport(&as_url, Some(as_roots.pem().as_bytes())).unwrap().build().unwrap()
    };
    let error = build(&attester).token().await.unwrap_err();
    assert!(error.to_string().contains("the token is not a JWT"), "{error}");
    let error = build(&kbs).token().await.unwrap_err();
    assert!(error.to_string().contains("TLS certificate is not accepted"), "{error}");
    let alone = |roots: &Identity| {
        PassportClient::builder(&as_url)
            .unwrap()
            .evidence_provider(world.guest.clone())
            .clock(world.kbs.clock.clone())
            .ca_certificate(roots.pem().as_bytes())
            .unwrap()
            .build()
            .unwrap()
    };
    let error = alone(&attester).token().await.unwrap_err();
    assert!(error.to_string().contains("the token is not a JWT"), "{error}");
    let error = alone(&kbs).token().await.unwrap_err();
    assert!(error.to_string().contains("TLS certificate is not accepted"), "{error}");
}

#[tokio::test]
async fn a_wrong_certificate_is_passed_over_for_the_next_address_and_listed_where_all_fail() {
    let (right, wrong) = (Identity::new(1), Identity::new(1));
    let world = World::new().await;
    let client = |urls: &[&str]| {
        let builder = world.set(KbsClient::builder_of(urls).unwrap());
        builder.ca_certificate(right.pem().as_bytes()).unwrap().build().unwrap()
    };
    let (bad, worse, good) = (wrong.serve("").await, wrong.serve("").await, right.serve("{}").await);
    // The good one is reached: it answers, though not with a challenge.
    let error = client(&[&bad, &good]).token().await.unwrap_err();
    assert!(error.to_string().contains("not the JSON expected here"), "{error}");
    // Only wrong certificates: a violation, not retried, both named.
    match client(&[&bad, &worse]).token().await.unwrap_err() {
        ClientError::Protocol { detail, .. } => {
            assert!(detail.contains(&bad) && detail.contains(&worse), "{detail}");
            assert_eq!(detail.matches("certificate is not accepted").count(), 2, "{detail}");
        }
        other => panic!("{other}"),
    }
    assert!(world.waited().is_empty());
    // One wrong, one not there: it may pass, and both are listed.
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("https://{}", listener.local_addr().unwrap())
    };
    match client(&[&bad, &nobody]).token().await.unwrap_err() {
        ClientError::Unavailable { attempts, .. } => {
            assert!(attempts[0].outcome.contains("certificate is not accepted"), "{}", attempts[0].outcome);
            assert!(attempts[1].what.contains(&nobody), "{}", attempts[1].what);
        }
        other => panic!("{other}"),
    }
    assert!(!world.waited().is_empty());
}
