//! REST on the wire, byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod faces_support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assay_attestation_agent::api::Extended;
use assay_attestation_agent::faces::{Budget, Protocol, Readiness, RestExtras, Services};
use assay_client::ClientError;
use assay_types::{Coded as _, ErrorInformation};
use faces_support::{Double, PATIENCE, Running, failures, soon, start_tcp, start_unix, until, with_rules};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    fn is_problem(&self, status: u16, code: &str, words: &str) {
        let body = self.json();
        assert_eq!(
            (self.status, &body["status"], &body["code"]),
            (status, &json!(status), &json!(code)),
            "{body}"
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert!(body["detail"].as_str().unwrap().contains(words), "{body}");
    }
}

/// Sends bytes and reads to the end of the connection.
async fn raw(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Answer {
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    Answer { status: head[9..12].parse().unwrap(), body: answer[end + 4..].to_vec(), head }
}

fn request(method: &str, target: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

async fn ask(address: SocketAddr, method: &str, target: &str, body: &str) -> Answer {
    raw(TcpStream::connect(address).await.unwrap(), request(method, target, body).as_bytes()).await
}

async fn ask_unix(running: &Running, method: &str, target: &str) -> Answer {
    raw(running.connect().await, request(method, target, "").as_bytes()).await
}

#[tokio::test]
async fn every_path_answers_as_the_interface_says() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
    let info =
        br#"{"version":"1.2.3","tee":"snp","additional_tees":["nvidia","sampledevice"],"feature":"all"}"#;
    let event = r#"{"domain":"d","operation":"o","content":"c c"}"#;
    let bytes = "application/octet-stream";
    let json = "application/json";
    for (method, target, body, recorded, kind, answer) in [
        ("GET", "/info", "", None, json, &info[..]),
        ("GET", "/aa/token?token_type=kbs", "", Some("token kbs"), bytes, br#"{"token":"kbs"}"#),
        ("GET", "/aa/token?token_type=coco_as", "", Some("token coco_as"), bytes, br#"{"token":"coco_as"}"#),
        ("GET", "/aa/evidence?runtime_data=abc", "", Some("evidence 3"), bytes, b"E:abc"),
        ("GET", "/aa/evidence?runtime_data=", "", Some("evidence 0"), bytes, b"E:"),
        (
            "GET",
            "/aa/evidence?runtime_data=_-8&encoding=base64",
            "",
            Some("evidence 2"),
            bytes,
            b"E:\xff\xef",
        ),
        ("GET", "/aa/additional-evidence?runtime_data=abc", "", Some("additional 3"), bytes, b"A:abc"),
        ("GET", "/aa/additional-evidence?runtime_data=", "", Some("additional 0"), bytes, b""),
        ("POST", "/aa/aael", event, Some("extend d|o|c c|None"), json, br#"{"success":"true"}"#),
        ("GET", "/cdh/resource/a/b/c", "", Some("resource kbs:///a/b/c"), bytes, b"the \0 secret \xff"),
        (
            "GET",
            "/cdh/resource/a/b/c?x=1&y=%20",
            "",
            Some("resource kbs:///a/b/c?x=1&y=%20"),
            bytes,
            b"the \0 secret \xff",
        ),
        ("GET", "/healthz", "", None, "text/plain; charset=utf-8", b"ok\n"),
    ] {
        let found = ask(address, method, target, body).await;
        assert_eq!(found.status, 200, "{target}");
        assert_eq!(found.body, answer, "{target}");
        assert_eq!(found.header("content-type"), Some(kind), "{target}");
        assert_eq!(found.header("cache-control"), Some("no-store"), "{target}");
        assert_eq!(api.taken(), Vec::from_iter(recorded.map(str::to_owned)), "{target}");
    }
    running.stop().await;
}

#[tokio::test]
async fn an_event_that_is_not_measured_is_no_error_but_says_false() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
    let event = r#"{"domain":"d","operation":"o","content":"c"}"#;
    for (extended, message) in [
        (Extended::NotSupported, "this platform has no register that can be extended at run time"),
        (Extended::NotEnabled, "the event log is turned off"),
    ] {
        *api.extended.lock().unwrap() = Some(extended);
        let found = ask(address, "POST", "/aa/aael", event).await;
        let answer = format!(r#"{{"success":"false","message":"{message}"}}"#);
        assert_eq!((found.status, String::from_utf8(found.body).unwrap()), (200, answer));
    }
    running.stop().await;
}

#[tokio::test]
async fn every_failure_has_its_status_its_code_and_its_cause() {
    for (error, _, status) in failures() {
        let (code, detail) = (error.code(), error.to_string());
        let api = Double::failing(error);
        let (running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
        let event = r#"{"domain":"d","operation":"o","content":"c"}"#;
        for (method, target, body) in [
            ("GET", "/aa/evidence?runtime_data=", ""),
            ("GET", "/aa/additional-evidence?runtime_data=", ""),
            ("GET", "/aa/token?token_type=kbs", ""),
            ("GET", "/cdh/resource/a/b/c", ""),
            ("POST", "/aa/aael", event),
        ] {
            let found = ask(address, method, target, body).await;
            found.is_problem(status, code, &detail);
            assert_eq!(found.json()["type"], "about:blank");
            assert_eq!(found.header("retry-after").is_some(), matches!(status, 429 | 503), "{detail}");
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn the_key_brokers_verdict_is_passed_on_with_its_findings() {
    let kind = "https://github.com/confidential-containers/kbs/errors/PolicyDeny";
    let findings = json!([{ "code": "SNP-007", "outcome": "failed" }]);
    let mut problem =
        ErrorInformation { error_type: kind.into(), detail: "no".into(), ..ErrorInformation::default() };
    problem.more.insert("findings".into(), findings.clone());
    problem.more.insert("inside".into(), json!("not passed on"));
    let denied = ClientError::Denied { what: "it".into(), status: 403, problem: Box::new(problem) };
    let api = Double::failing(denied.into());
    let (running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
    let found = ask(address, "GET", "/cdh/resource/a/b/c", "").await;
    assert_eq!(
        found.json(),
        json!({
            "type": kind, "title": "Forbidden", "status": 403, "code": "CLI-001", "findings": findings,
            "detail": "denied: it was answered 403: no",
        })
    );
    running.stop().await;
    let wait = Some(Duration::from_millis(6500));
    let api = Double::failing(ClientError::Unavailable { attempts: vec![], retry_after: wait }.into());
    let (running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
    let found = ask(address, "GET", "/aa/token?token_type=kbs", "").await;
    assert_eq!((found.status, found.header("retry-after")), (503, Some("7")));
    running.stop().await;
}

#[tokio::test]
async fn bad_requests_are_refused_before_the_agent_is_asked() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
    let event = r#"{"domain":"d","operation":"o","content":"c"}"#;
    for (method, target, body, status, code, words) in [
        ("GET", "/aa/token", "", 400, "AGT-007", "token_type is missing"),
        ("GET", "/aa/token?token_type=x", "", 400, "AGT-003", "unknown token type"),
        ("GET", "/aa/evidence", "", 400, "AGT-007", "runtime_data is missing"),
        ("GET", "/aa/evidence?runtime_data=a&encoding=hex", "", 400, "AGT-007", "hex"),
        ("GET", "/aa/evidence?runtime_data=a%3D%3D&encoding=base64", "", 400, "AGT-007", "base64"),
        ("GET", "/aa/additional-evidence?x=1", "", 400, "AGT-007", "\"x\""),
        ("POST", "/aa/aael", "", 400, "AGT-007", "JSON"),
        ("POST", "/aa/aael", "[]", 400, "AGT-007", "JSON"),
        ("POST", "/aa/aael", r#"{"domain":"d","operation":"o"}"#, 400, "AGT-007", "content"),
        (
            "POST",
            "/aa/aael",
            r#"{"domain":"d","operation":"o","content":"c","register_index":8}"#,
            400,
            "AGT-007",
            "register_index",
        ),
        ("GET", "/cdh/resource/a/../b", "", 400, "AGT-008", "segment 2"),
        ("GET", "/cdh/resource/", "", 404, "AGT-016", "URL NOT FOUND"),
        ("GET", "/cdh/resource", "", 404, "AGT-016", "URL NOT FOUND"),
        ("GET", "/", "", 404, "AGT-016", "URL NOT FOUND"),
        ("GET", "/aa", "", 404, "AGT-016", "URL NOT FOUND"),
        ("GET", "/aa/token/?token_type=kbs", "", 404, "AGT-016", "URL NOT FOUND"),
        ("GET", "/AA/token?token_type=kbs", "", 404, "AGT-016", "URL NOT FOUND"),
        ("POST", "/cdh/unseal", "x", 404, "AGT-016", "URL NOT FOUND"),
        ("GET", "/readyz", "", 404, "AGT-016", "URL NOT FOUND"),
        ("GET", "/metrics", "", 404, "AGT-016", "URL NOT FOUND"),
    ] {
        ask(address, method, target, body).await.is_problem(status, code, words);
    }
    for (method, target, allowed) in [
        ("POST", "/info", "GET"),
        ("HEAD", "/info", "GET"),
        ("POST", "/aa/token?token_type=kbs", "GET"),
        ("DELETE", "/cdh/resource/a/b/c", "GET"),
        ("OPTIONS", "/aa/evidence?runtime_data=", "GET"),
        ("GET", "/aa/aael", "POST"),
        ("PUT", "/aa/aael", "POST"),
    ] {
        let found = ask(address, method, target, event).await;
        assert_eq!((found.status, found.header("allow")), (405, Some(allowed)), "{method} {target}");
    }
    assert!(api.taken().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn a_feature_that_is_off_is_not_there() {
    let api = Arc::new(Double::default());
    for (services, feature, attestation, resource) in [
        (Services::AttestationAgent, "attestation", true, false),
        (Services::ConfidentialDataHub, "resource", false, true),
        (Services::Both, "all", true, true),
    ] {
        let (running, address) =
            start_tcp(Protocol::Rest, &api, |settings| settings.services = services).await;
        assert_eq!(ask(address, "GET", "/info", "").await.json()["feature"], feature);
        for (target, on, words) in [
            ("/aa/token?token_type=kbs", attestation, "Attestation Feature Not Enabled"),
            ("/aa/evidence?runtime_data=", attestation, "Attestation Feature Not Enabled"),
            ("/cdh/resource/a/b/c", resource, "Resource Feature Not Enabled"),
        ] {
            let found = ask(address, "GET", target, "").await;
            if on {
                assert_eq!(found.status, 200, "{target}");
            } else {
                found.is_problem(404, "AGT-016", words);
            }
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn browsers_and_foreign_names_are_refused() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
    let target = "/aa/token?token_type=kbs";
    let with = async |target: &str, headers: &str| {
        let text = format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        raw(TcpStream::connect(address).await.unwrap(), text.as_bytes()).await
    };
    for headers in ["Host: localhost:8006\r\n", "Host: 127.0.0.1\r\n", "host: [::1]:1\r\n"] {
        assert_eq!(with(target, headers).await.status, 200, "{headers}");
    }
    assert_eq!(with(&format!("http://localhost{target}"), "Host: localhost\r\n").await.status, 200);
    assert_eq!(api.taken().len(), 4);
    for (headers, words) in [
        ("", "found: none"),
        ("Host: rebind.example.com:8006\r\n", "rebind.example.com:8006"),
        ("Host: 127.0.0.1.example.com\r\n", "127.0.0.1.example.com"),
        ("Host: localhost\r\nHost: localhost\r\n", "several"),
        ("Host: \u{fc}\r\n", "no text"),
        ("Host: localhost\r\nOrigin: http://localhost\r\n", "origin"),
        ("Host: localhost\r\nOrigin: null\r\n", "origin"),
        ("Host: localhost\r\nSec-Fetch-Site: none\r\n", "sec-fetch-site"),
    ] {
        with(target, headers).await.is_problem(403, "AGT-018", words);
    }
    let absolute = with("http://example.com/aa/token?token_type=kbs", "Host: localhost\r\n").await;
    absolute.is_problem(403, "AGT-018", "example.com");
    assert!(api.taken().is_empty());
    running.stop().await;
    // No name leads to a Unix socket, but an origin is an origin.
    let running = start_unix(Protocol::Rest, &api, |_| ()).await;
    let text = format!("GET {target} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    assert_eq!(raw(running.connect().await, text.as_bytes()).await.status, 200);
    let text = text.replace("Host: agent", "Host: agent\r\nOrigin: x");
    raw(running.connect().await, text.as_bytes()).await.is_problem(403, "AGT-018", "origin");
    running.stop().await;
}

#[tokio::test]
async fn on_a_unix_socket_peers_have_credentials() {
    let api = Arc::new(Double::default());
    let uid = rustix::process::getuid().as_raw();
    let own = start_unix(Protocol::Rest, &api, with_rules(|rules| rules.uids = Some([uid].into()))).await;
    assert_eq!(ask_unix(&own, "GET", "/aa/token?token_type=kbs").await.status, 200);
    own.stop().await;
    api.taken();
    let other = with_rules(|rules| rules.uids = Some([uid + 1].into()));
    let other = start_unix(Protocol::Rest, &api, other).await;
    for target in ["/aa/token?token_type=kbs", "/info", "/healthz", "/nowhere"] {
        ask_unix(&other, "GET", target).await.is_problem(403, "AGT-001", &format!("uid {uid}"));
    }
    // It is not kept open for more, whatever the peer wants.
    let kept = raw(other.connect().await, b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((kept.status, kept.header("connection")), (403, Some("close")));
    assert!(api.taken().is_empty());
    other.stop().await;
}

#[tokio::test]
async fn readiness_and_metrics_are_those_that_are_given() {
    let api = Arc::new(Double::default());
    let ready = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&ready);
    let extras = RestExtras {
        ready: Arc::new(move || Readiness {
            ready: asked.load(Ordering::SeqCst),
            detail: "the device".into(),
        }),
        metrics: Arc::new(|| "assay 1\n# EOF\n".into()),
    };
    let (running, address) = start_tcp(Protocol::Rest, &api, |settings| settings.extras = Some(extras)).await;
    let found = ask(address, "GET", "/readyz", "").await;
    assert_eq!((found.status, found.body), (503, br#"{"ready":false,"detail":"the device"}"#.to_vec()));
    ready.store(true, Ordering::SeqCst);
    let found = ask(address, "GET", "/readyz", "").await;
    assert_eq!((found.status, found.body), (200, br#"{"ready":true,"detail":"the device"}"#.to_vec()));
    let found = ask(address, "GET", "/metrics", "").await;
    assert_eq!((found.status, &found.body[..]), (200, &b"assay 1\n# EOF\n"[..]));
    assert!(found.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert_eq!(ask(address, "POST", "/readyz", "").await.status, 405);
    running.stop().await;
}

#[tokio::test]
async fn bodies_and_heads_have_bounds() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |settings| {
        settings.limits.transfer_timeout = Duration::from_millis(300);
    })
    .await;
    let event = |length: usize| {
        let frame = r#"{"domain":"d","operation":"o","content":""}"#.len();
        format!(r#"{{"domain":"d","operation":"o","content":"{}"}}"#, "x".repeat(length - frame))
    };
    assert_eq!(ask(address, "POST", "/aa/aael", &event(1 << 20)).await.status, 200);
    assert_eq!(api.taken().len(), 1);
    // Announced or chunked, one byte more is too long.
    let head = "POST /aa/aael HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let announced = format!("{head}Content-Length: {}\r\n\r\n", (1 << 20) + 1);
    let found = raw(TcpStream::connect(address).await.unwrap(), announced.as_bytes()).await;
    found.is_problem(413, "AGT-019", "1048576");
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", (1 << 20) + 1);
    let found =
        raw(TcpStream::connect(address).await.unwrap(), (chunk + &event((1 << 20) + 1)).as_bytes()).await;
    found.is_problem(413, "AGT-019", "1048576");
    // Half a body, half a head.
    let half = format!("{head}Content-Length: 100\r\n\r\n{{");
    let found = raw(TcpStream::connect(address).await.unwrap(), half.as_bytes()).await;
    found.is_problem(408, "AGT-020", "300 ms");
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(head.as_bytes()).await.unwrap();
    soon(slow.read_to_end(&mut Vec::new())).await.unwrap();
    // Not even that.
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(soon(silent.read(&mut [0; 1])).await.unwrap(), 0);
    // A head without end.
    let mut long = TcpStream::connect(address).await.unwrap();
    let _ = long.write_all(format!("GET /{} HTTP/1.1\r\n", "x".repeat(200_000)).as_bytes()).await;
    let mut answer = Vec::new();
    let _ = soon(long.read_to_end(&mut answer)).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{:?}", String::from_utf8_lossy(&answer));
    // No HTTP at all.
    let mut garbage = TcpStream::connect(address).await.unwrap();
    garbage.write_all(&[0xff; 100]).await.unwrap();
    let _ = soon(garbage.read_to_end(&mut Vec::new())).await;
    assert!(api.taken().is_empty());
    assert_eq!(ask(address, "GET", "/info", "").await.status, 200);
    running.stop().await;
}

#[tokio::test]
async fn evidence_of_any_length_is_bound_whole() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
    for length in [0, 64, 65, 50_000] {
        let data = "x".repeat(length);
        let found = ask(address, "GET", &format!("/aa/evidence?runtime_data={data}"), "").await;
        assert_eq!((found.status, found.body), (200, format!("E:{data}").into_bytes()), "{length}");
    }
    running.stop().await;
}

#[tokio::test]
async fn calls_that_are_given_up_or_late_are_dropped() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |settings| {
        settings.limits.request_timeout = Duration::from_secs(2);
    })
    .await;
    let target = "/aa/evidence?runtime_data=hold";
    let mut gives_up = TcpStream::connect(address).await.unwrap();
    gives_up.write_all(request("GET", target, "").as_bytes()).await.unwrap();
    until(|| api.held.load(Ordering::SeqCst) == 1).await;
    drop(gives_up);
    until(|| api.dropped.load(Ordering::SeqCst) == 1).await;
    ask(address, "GET", target, "").await.is_problem(504, "AGT-015", "no answer within 2000 ms");
    running.stop().await;
}

#[tokio::test]
async fn with_every_place_taken_a_request_waits_for_its_turn() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |settings| {
        settings.limits.requests_at_a_time = 1;
        settings.limits.request_timeout = Duration::from_secs(1);
        settings.limits.place_timeout = PATIENCE;
    })
    .await;
    let hold = "/aa/evidence?runtime_data=hold";
    let (first, second) = tokio::join!(ask(address, "GET", hold, ""), async {
        until(|| api.held.load(Ordering::SeqCst) == 1).await;
        ask(address, "GET", "/aa/evidence?runtime_data=x", "").await
    });
    assert_eq!(first.status, 504);
    // It came later than the first, so it got the place when that one was late.
    assert_eq!(second.status, 200);
    running.stop().await;
}

#[tokio::test]
async fn how_the_agent_does_can_be_asked_while_every_place_hangs() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |settings| {
        // The places are the default's, fewer than its connections; and the time is longer than the test's.
        settings.limits.place_timeout = Duration::from_millis(200);
        settings.extras = Some(RestExtras {
            ready: Arc::new(|| Readiness { ready: true, detail: "yes".into() }),
            metrics: Arc::new(|| "# EOF\n".into()),
        });
    })
    .await;
    let mut hang = Vec::new();
    for _ in 0..48 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let hold = request("GET", "/aa/evidence?runtime_data=hold", "");
        stream.write_all(hold.as_bytes()).await.unwrap();
        hang.push(stream);
    }
    until(|| api.held.load(Ordering::SeqCst) == 48).await;
    for target in ["/healthz", "/readyz", "/metrics", "/info"] {
        assert_eq!(ask(address, "GET", target, "").await.status, 200, "{target}");
    }
    // Work is refused early.
    for target in ["/aa/evidence?runtime_data=x", "/aa/token?token_type=kbs", "/cdh/resource/a/b/c"] {
        let found = ask(address, "GET", target, "").await;
        found.is_problem(429, "AGT-014", "48 requests");
        assert_eq!(found.header("retry-after"), Some("2"));
    }
    drop(hang);
    until(|| api.dropped.load(Ordering::SeqCst) == 48).await;
    assert_eq!(ask(address, "GET", "/aa/evidence?runtime_data=x", "").await.status, 200);
    running.stop().await;
}

#[tokio::test]
async fn large_bodies_have_their_memory_together() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |settings| {
        settings.limits.large = Budget::of(150_000);
        settings.limits.place_timeout = Duration::from_millis(200);
    })
    .await;
    let event = |length| format!(r#"{{"domain":"d","operation":"o","content":"{}"}}"#, "x".repeat(length));
    // One that does not come whole.
    let whole = request("POST", "/aa/aael", &event(100_000));
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(&whole.as_bytes()[..50_000]).await.unwrap();
    // Until it is seen, another may find the memory free.
    soon(async { while ask(address, "POST", "/aa/aael", &event(100_000)).await.status == 200 {} }).await;
    ask(address, "POST", "/aa/aael", &event(100_000)).await.is_problem(429, "AGT-014", "");
    assert_eq!(ask(address, "POST", "/aa/aael", &event(10_000)).await.status, 200);
    slow.write_all(&whole.as_bytes()[50_000..]).await.unwrap();
    let mut answer = Vec::new();
    soon(slow.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(ask(address, "POST", "/aa/aael", &event(100_000)).await.status, 200);
    running.stop().await;
}

#[tokio::test]
async fn a_peer_that_takes_no_answers_is_given_up() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Rest, &api, |settings| {
        settings.limits.transfer_timeout = Duration::from_millis(300);
        settings.limits.connections = 1;
    })
    .await;
    let target = format!("/aa/evidence?runtime_data={}", "x".repeat(50_000));
    let one = request("GET", &target, "").replace("Connection: close\r\n", "");
    let mut flood = running.connect().await;
    soon(async { while flood.write_all(one.as_bytes()).await.is_ok() {} }).await;
    assert_eq!(ask_unix(&running, "GET", "/info").await.status, 200);
    running.stop().await;
}

#[tokio::test]
async fn two_hundred_requests_at_once() {
    let api = Arc::new(Double::default());
    let (running, address) = start_tcp(Protocol::Rest, &api, |settings| {
        settings.limits.connections = 16;
        settings.limits.requests_at_a_time = 8;
        settings.limits.place_timeout = PATIENCE;
    })
    .await;
    let many = (0..200).map(|n| {
        tokio::spawn(async move {
            let found = ask(address, "GET", &format!("/aa/evidence?runtime_data={n}"), "").await;
            assert_eq!((found.status, found.body), (200, format!("E:{n}").into_bytes()));
        })
    });
    for result in futures_util::future::join_all(many).await {
        result.unwrap();
    }
    running.stop().await;
}

#[tokio::test]
async fn at_the_end_what_runs_is_finished_and_idle_connections_close() {
    let api = Arc::new(Double::default());
    let (mut running, address) = start_tcp(Protocol::Rest, &api, |_| ()).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_ne!(soon(idle.read(&mut [0; 4096])).await.unwrap(), 0);
    let runs = tokio::spawn(async move { ask(address, "GET", "/aa/evidence?runtime_data=sleep", "").await });
    until(|| !api.calls.lock().unwrap().is_empty()).await;
    running.stop.take().unwrap().send(()).unwrap();
    let found = soon(runs).await.unwrap();
    assert_eq!((found.status, &found.body[..]), (200, &b"E:sleep"[..]));
    assert_eq!(soon(idle.read(&mut [0; 1])).await.unwrap(), 0);
    soon(&mut running.task).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn one_callers_rules_hold_on_rest_too() {
    let api = Arc::new(Double::default());
    let (running, address) =
        start_tcp(Protocol::Rest, &api, with_rules(|rules| rules.operations.clear())).await;
    let found = ask(address, "GET", "/aa/token?token_type=kbs", "").await;
    found.is_problem(403, "AGT-002", "`allow`");
    running.stop().await;
}
