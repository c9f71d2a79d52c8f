//! HTTP/1.1 and HTTP/2 on one port, and the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod certificates;
mod door;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use assay_listener::{Limits, Protocols, TlsIdentity};
use certificates::Ca;
use door::{Client, Door, Tls};
use http::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const BOTH: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

fn identity(ca: &Ca) -> Arc<TlsIdentity> {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    ca.issue(&["localhost"]).write(&certificate, &key);
    Arc::new(TlsIdentity::load(&certificate, &key).unwrap())
}

#[tokio::test]
async fn one_port_speaks_both_versions_without_tls() {
    let door = Door::open(None, Protocols::Http1And2, Limits::default()).await;
    for version in BOTH {
        let mut client = Client::new(door.connect().await, version).await.unwrap();
        for _ in 0..2 {
            assert_eq!(client.who().await.unwrap(), format!("{version:?} false 0"));
        }
        let body = vec![7_u8; 300_000];
        let answer = client.send("POST", "/echo", &body).await.unwrap();
        assert_eq!(http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes(), body);
    }
    door.stop().await;
}

#[tokio::test]
async fn one_port_speaks_both_versions_with_tls() {
    let ca = Ca::new("servers");
    let door = Door::open(Some(identity(&ca)), Protocols::Http1And2, Limits::default()).await;
    for (alpn, agreed, version) in [
        (&["h2", "http/1.1"][..], Some("h2"), Version::HTTP_2),
        (&["http/1.1"], Some("http/1.1"), Version::HTTP_11),
        (&[], None, Version::HTTP_11),
        (&[], None, Version::HTTP_2),
    ] {
        let tls = Tls { server_ca: &ca, identity: None, alpn };
        let stream = tls.connect(door.connect().await).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes));
        let mut client = Client::new(stream, version).await.unwrap();
        assert_eq!(client.who().await.unwrap(), format!("{version:?} true 0"));
    }
    door.stop().await;
}

#[tokio::test]
async fn a_server_of_http1_alone_takes_no_other() {
    let ca = Ca::new("servers");
    let door = Door::open(Some(identity(&ca)), Protocols::Http1, Limits::default()).await;
    let tls = Tls { server_ca: &ca, identity: None, alpn: &["h2"] };
    assert!(tls.connect(door.connect().await).await.is_err());
    door.stop().await;
    let door = Door::open(None, Protocols::Http1, Limits::default()).await;
    let answer = match Client::new(door.connect().await, Version::HTTP_2).await {
        Ok(mut client) => client.who().await,
        Err(error) => Err(error),
    };
    assert!(answer.is_err());
    door.stop().await;
}

#[tokio::test]
async fn requests_under_way_are_finished_and_idle_connections_closed() {
    let mut door = Door::open(None, Protocols::Http1And2, Limits::default()).await;
    // One that has said nothing, one that has said half of HTTP/2's first bytes.
    let mut silent = door.connect().await;
    let mut half = door.connect().await;
    half.write_all(b"PRI * HT").await.unwrap();
    let mut idle = Vec::new();
    let mut waiting = Vec::new();
    for version in BOTH {
        let mut client = Client::new(door.connect().await, version).await.unwrap();
        client.who().await.unwrap();
        idle.push(client);
        let mut client = Client::new(door.connect().await, version).await.unwrap();
        waiting.push(tokio::spawn(async move {
            let answer = client.text("GET", "/slow", b"").await;
            (answer.unwrap(), client)
        }));
        door.begun.notified().await;
    }
    door.begin_stop();
    while TcpStream::connect(door.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(door.seen.draining.load(Ordering::SeqCst));
    // Those with nothing under way are gone while the others still wait.
    let mut nothing = Vec::new();
    silent.read_to_end(&mut nothing).await.unwrap();
    half.read_to_end(&mut nothing).await.unwrap();
    assert!(nothing.is_empty());
    while door.seen.open.load(Ordering::SeqCst) > 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..2 {
        door.go_on.notify_one();
    }
    for task in waiting {
        let (answer, mut client) = task.await.unwrap();
        assert_eq!(answer, "done");
        assert!(client.who().await.is_err(), "a new request after the end began");
    }
    let seen = door.ended().await;
    assert_eq!(seen.open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn streams_that_never_end_do_not_hold_up_the_end() {
    let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
    let door = Door::open(None, Protocols::Http1And2, limits).await;
    for version in BOTH {
        let mut client = Client::new(door.connect().await, version).await.unwrap();
        tokio::spawn(async move { client.text("GET", "/slow", b"").await });
        door.begun.notified().await;
    }
    door.stop().await;
}

#[tokio::test]
async fn whoever_says_nothing_is_not_waited_for() {
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let door = Door::open(None, Protocols::Http1And2, limits).await;
    for bytes in [&b""[..], b"PRI * HTTP/2.0\r\n", b"GET /who HT", b"GET /who HTTP/1.1\r\nhost: a\r\n"] {
        let mut stream = door.connect().await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    door.stop().await;
}

#[tokio::test]
async fn headers_have_a_limit_in_both_versions() {
    let limits = Limits { header_bytes: 16 << 10, ..Limits::default() };
    let door = Door::open(None, Protocols::Http1And2, limits).await;
    for version in BOTH {
        let mut client = Client::new(door.connect().await, version).await.unwrap();
        let path = format!("/who?{}", "a".repeat(20 << 10));
        let refused = client.send("GET", &path, b"").await.map(|answer| answer.status().as_u16());
        assert!(!matches!(refused, Ok(200)), "{version:?}: {refused:?}");
        let mut client = Client::new(door.connect().await, version).await.unwrap();
        assert_eq!(client.who().await.unwrap(), format!("{version:?} false 0"));
    }
    door.stop().await;
}

#[tokio::test]
async fn many_streams_share_a_connection_and_no_more_than_the_limit_at_a_time() {
    let door = Door::open(None, Protocols::Http1And2, Limits::default()).await;
    let client = Client::new(door.connect().await, Version::HTTP_2).await.unwrap();
    let Client::Http2(sender) = client else { panic!() };
    let tasks: Vec<_> = (0..300)
        .map(|n: u32| {
            let mut client = Client::Http2(sender.clone());
            tokio::spawn(async move { client.text("POST", "/echo", n.to_string().as_bytes()).await.unwrap() })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), n.to_string());
    }
    door.stop().await;
}
