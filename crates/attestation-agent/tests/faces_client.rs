//! The command line's ttRPC client, against our face and against the library that others use.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod faces_support;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use assay_attestation_agent::api::{Extended, RuntimeEvent, TokenKind};
use assay_attestation_agent::faces::Protocol;
use assay_attestation_agent::faces::client::{AgentClient, CallError};
use faces_support::{Double, bytes_field, frame, good, socket_in, soon, start_unix, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tonic::Code;

fn event(pcr: Option<u64>) -> RuntimeEvent {
    RuntimeEvent { domain: "d".into(), operation: "o".into(), content: "c".into(), pcr }
}

#[tokio::test]
async fn every_call_goes_there_and_back() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let mut client = AgentClient::connect(running.path()).await.unwrap();
    assert_eq!(client.evidence(b"abc").await.unwrap(), b"E:abc");
    assert_eq!(client.additional_evidence(b"abc").await.unwrap(), b"A:abc");
    assert_eq!(client.additional_evidence(b"").await.unwrap(), b"");
    assert_eq!(client.token(TokenKind::Kbs).await.unwrap().expose(), br#"{"token":"kbs"}"#);
    for extended in [Extended::Done, Extended::NotSupported, Extended::NotEnabled] {
        *api.extended.lock().unwrap() = Some(extended);
        assert_eq!(client.extend(event(Some(17))).await.unwrap(), extended);
    }
    client.bind_init_data(&[1, 2]).await.unwrap();
    assert_eq!(client.tee_type().await.unwrap(), "snp");
    assert_eq!(client.additional_tees().await.unwrap(), ["nvidia", "sampledevice"]);
    assert_eq!(client.unseal(b"sealed.a.b.c").await.unwrap().expose(), b"unsealed");
    assert_eq!(client.resource("kbs:///a/b/c").await.unwrap().expose(), b"the \0 secret \xff");
    let extend = "extend d|o|c|Some(17)";
    assert_eq!(
        api.taken(),
        [
            "evidence 3",
            "additional 3",
            "additional 0",
            "token kbs",
            extend,
            extend,
            extend,
            "init data [1, 2]",
            "unseal sealed.a.b.c",
            "resource kbs:///a/b/c",
        ]
    );
    running.stop().await;
}

#[tokio::test]
async fn a_refusal_is_told_and_the_client_goes_on() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let mut client = AgentClient::connect(running.path()).await.unwrap();
    match client.resource("/etc/passwd").await.unwrap_err() {
        CallError::Refused { code, text } => {
            assert_eq!(code, Code::InvalidArgument);
            assert!(text.starts_with("AGT-008: "), "{text}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(client.tee_type().await.unwrap(), "snp");
    running.stop().await;
    assert!(matches!(client.tee_type().await, Err(CallError::Broken(_))));
    let nobody = AgentClient::connect(Path::new("/nonexistent/agent.sock")).await.err().unwrap();
    assert!(nobody.to_string().contains("/nonexistent/agent.sock"), "{nobody}");
}

#[tokio::test]
async fn after_the_deadline_the_agent_stops_and_the_connection_is_not_used_again() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let client = AgentClient::connect(running.path()).await.unwrap();
    let mut client = client.with_deadline(Duration::from_millis(300));
    match client.evidence(b"hold").await.unwrap_err() {
        CallError::Late { .. } => assert!(matches!(client.tee_type().await, Err(CallError::Broken(_)))),
        // The agent was told of the deadline, and may be first to say so.
        CallError::Refused { code, .. } => assert_eq!(code, Code::DeadlineExceeded),
        other => panic!("{other}"),
    }
    until(|| api.dropped.load(Ordering::SeqCst) == 1).await;
    running.stop().await;
}

#[tokio::test]
async fn answers_that_are_none_are_refused() {
    let tee = good(&bytes_field(1, b"snp"));
    for answer in [
        frame(3, 2, &tee),
        frame(1, 1, &tee),
        frame(1, 2, b"\xff"),
        frame(1, 2, &good(b"\x0a\xff")),
        vec![0xff; 10],
        vec![],
        frame(1, 2, &tee)[..12].to_vec(),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket_in(&directory)).unwrap();
        let sent = answer.clone();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            stream.write_all(&sent).await.unwrap();
        });
        let mut client = AgentClient::connect(&socket_in(&directory)).await.unwrap();
        let error = soon(client.tee_type()).await.unwrap_err();
        assert!(matches!(error, CallError::Protocol(_) | CallError::Broken(_)), "{answer:?}: {error}");
        assert!(matches!(client.tee_type().await, Err(CallError::Broken(_))), "{answer:?}");
        server.await.unwrap();
    }
}

struct Tee;

#[async_trait::async_trait]
impl ttrpc::r#async::MethodHandler for Tee {
    async fn handler(
        &self,
        context: ttrpc::r#async::TtrpcContext,
        request: ttrpc::proto::Request,
    ) -> ttrpc::Result<ttrpc::proto::Response> {
        assert_eq!((request.payload.len(), context.timeout_nano), (0, 90_000_000_000));
        let mut response = ttrpc::proto::Response::new();
        response.set_payload(bytes_field(1, b"tdx"));
        Ok(response)
    }
}

#[tokio::test]
async fn the_library_that_others_use_understands_the_client() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix://{}", socket_in(&directory).display());
    let methods = HashMap::from([("GetTeeType".to_owned(), Box::new(Tee) as Box<_>)]);
    let service = ttrpc::r#async::Service { methods, streams: HashMap::new() };
    let mut server = ttrpc::r#async::Server::new()
        .bind(&address)
        .unwrap()
        .register_service(HashMap::from([(faces_support::AGENT.to_owned(), service)]));
    server.start().await.unwrap();
    let mut client = AgentClient::connect(&socket_in(&directory)).await.unwrap();
    assert_eq!(client.tee_type().await.unwrap(), "tdx");
    let error = client.additional_tees().await.unwrap_err();
    assert!(matches!(error, CallError::Refused { code: Code::Unimplemented, .. }), "{error}");
    assert_eq!(client.tee_type().await.unwrap(), "tdx");
    drop(client);
    server.shutdown().await.unwrap();
}
