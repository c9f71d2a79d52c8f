//! gRPC on the wire, over a Unix socket and over TCP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod faces_support;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use assay_attestation_agent::faces::{Budget, Protocol, Services};
use assay_types::Coded as _;
use bytes::{Buf as _, BufMut as _, Bytes};
use faces_support::{
    AGENT, Double, PATIENCE, bytes_field, failures, methods, number_field, soon, start_tcp, start_unix,
    until, with_rules,
};
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// Messages as bytes: what is compared is the wire.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;
    fn encoder(&mut self) -> Raw {
        Raw
    }
    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

async fn channel(path: PathBuf) -> Channel {
    let connect = move |_| {
        let path = path.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
    };
    Endpoint::from_static("http://localhost")
        .connect_with_connector(tower::service_fn(connect))
        .await
        .unwrap()
}

async fn call(channel: &Channel, service: &str, method: &str, payload: &[u8]) -> Result<Vec<u8>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(8 << 20);
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let path: PathAndQuery = format!("/{service}/{method}").parse().unwrap();
    let request = Request::new(Bytes::copy_from_slice(payload));
    soon(client.unary(request, path, Raw)).await.map(|answer| answer.into_inner().to_vec())
}

#[tokio::test]
async fn every_method_has_its_path_its_field_numbers_and_its_answer() {
    let api = Arc::new(Double::default());
    let unix = start_unix(Protocol::Grpc, &api, |_| ()).await;
    let (tcp, address) = start_tcp(Protocol::Grpc, &api, |_| ()).await;
    let over_tcp = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    for channel in [channel(unix.path().to_owned()).await, over_tcp] {
        for (service, method, payload, recorded, answer) in methods() {
            assert_eq!(call(&channel, service, method, &payload).await.unwrap(), answer, "{method}");
            assert_eq!(api.taken(), Vec::from_iter(recorded.map(str::to_owned)), "{method}");
        }
    }
    unix.stop().await;
    tcp.stop().await;
}

#[tokio::test]
async fn every_failure_has_its_status_its_code_and_its_cause() {
    for (error, code, _) in failures() {
        let text = format!("{}: {error}", error.code());
        let api = Double::failing(error);
        let running = start_unix(Protocol::Grpc, &api, |_| ()).await;
        let channel = channel(running.path().to_owned()).await;
        let status = call(&channel, AGENT, "GetEvidence", b"").await.unwrap_err();
        assert_eq!((i32::from(status.code()), status.message()), (code as i32, text.as_str()));
        drop(channel);
        running.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_answered_and_the_connection_goes_on() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Grpc, &api, |settings| settings.limits.body_bytes = 1000).await;
    let channel = channel(running.path().to_owned()).await;
    for (service, method, payload, code) in [
        (AGENT, "GetEvidence", b"\x0a\xff".to_vec(), Code::InvalidArgument),
        (AGENT, "GetToken", b"\x0a\x01\xff".to_vec(), Code::InvalidArgument),
        (AGENT, "GetTeeType", b"\x07".to_vec(), Code::InvalidArgument),
        (AGENT, "GetToken", bytes_field(1, b"x"), Code::InvalidArgument),
        ("api.GetResourceService", "GetResource", bytes_field(1, b"/etc"), Code::InvalidArgument),
        (AGENT, "getEvidence", vec![], Code::Unimplemented),
        ("a.B", "GetEvidence", vec![], Code::Unimplemented),
        (AGENT, "GetEvidence", bytes_field(1, &vec![0; 10_000]), Code::OutOfRange),
    ] {
        assert_eq!(call(&channel, service, method, &payload).await.unwrap_err().code(), code, "{method}");
    }
    assert!(api.taken().is_empty());
    assert_eq!(call(&channel, AGENT, "GetTeeType", b"").await.unwrap(), bytes_field(1, b"snp"));
    drop(channel);
    running.stop().await;
}

#[tokio::test]
async fn only_the_services_of_the_listener_are_served() {
    let api = Arc::new(Double::default());
    for (services, agent, hub) in
        [(Services::AttestationAgent, true, false), (Services::ConfidentialDataHub, false, true)]
    {
        let running = start_unix(Protocol::Grpc, &api, |settings| settings.services = services).await;
        let channel = channel(running.path().to_owned()).await;
        for (service, method, payload, _, answer) in methods() {
            match call(&channel, service, method, &payload).await {
                Ok(found) => {
                    assert!(if service == AGENT { agent } else { hub }, "{method}");
                    assert_eq!(found, answer);
                }
                Err(status) => {
                    assert!(!(if service == AGENT { agent } else { hub }), "{method}");
                    assert_eq!(status.code(), Code::Unimplemented);
                }
            }
        }
        drop(channel);
        running.stop().await;
    }
}

#[tokio::test]
async fn evidence_of_any_length_is_bound_whole() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Grpc, &api, |_| ()).await;
    let channel = channel(running.path().to_owned()).await;
    for length in [0, 64, 65, 1_000_000, 1 << 20] {
        let data: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let answer = call(&channel, AGENT, "GetEvidence", &bytes_field(1, &data)).await.unwrap();
        assert!(answer == bytes_field(1, &[b"E:", &data[..]].concat()), "{length}");
    }
    drop(channel);
    running.stop().await;
}

#[tokio::test]
async fn peers_are_told_why_they_are_refused() {
    let api = Arc::new(Double::default());
    let uid = rustix::process::getuid().as_raw();
    let other = with_rules(|rules| rules.uids = Some([uid + 1].into()));
    let running = start_unix(Protocol::Grpc, &api, other).await;
    let refused = channel(running.path().to_owned()).await;
    for method in ["GetEvidence", "GetTeeType", "NoSuchMethod"] {
        let status = call(&refused, AGENT, method, b"").await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(status.message().contains(&format!("uid {uid}")), "{}", status.message());
    }
    assert!(api.taken().is_empty());
    drop(refused);
    running.stop().await;
    let own = with_rules(|rules| rules.uids = Some([uid].into()));
    let running = start_unix(Protocol::Grpc, &api, own).await;
    let admitted = channel(running.path().to_owned()).await;
    call(&admitted, AGENT, "GetEvidence", b"").await.unwrap();
    drop(admitted);
    running.stop().await;
}

#[tokio::test]
async fn calls_that_are_given_up_or_late_are_dropped() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Grpc, &api, |settings| {
        settings.limits.request_timeout = Duration::from_secs(2);
    })
    .await;
    let channel = channel(running.path().to_owned()).await;
    let hold = bytes_field(1, b"hold");
    {
        let given_up = std::pin::pin!(call(&channel, AGENT, "GetEvidence", &hold));
        let begun = until(|| api.held.load(Ordering::SeqCst) == 1);
        futures_util::future::select(given_up, std::pin::pin!(begun)).await;
    }
    until(|| api.dropped.load(Ordering::SeqCst) == 1).await;
    let late = call(&channel, AGENT, "GetEvidence", &hold).await.unwrap_err();
    assert_eq!((late.code(), late.message()), (Code::DeadlineExceeded, "AGT-015: no answer within 2000 ms"));
    drop(channel);
    running.stop().await;
}

#[tokio::test]
async fn large_requests_that_hang_keep_large_ones_out_and_no_small_ones() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Grpc, &api, |settings| {
        settings.limits.large = Budget::of(1 << 20);
        settings.limits.place_timeout = Duration::from_millis(200);
    })
    .await;
    let hangs = channel(running.path().to_owned()).await;
    let hang = tokio::spawn(async move {
        let data = [&b"hold"[..], &[0; 500_000]].concat();
        call(&hangs, AGENT, "GetEvidence", &bytes_field(1, &data)).await
    });
    until(|| api.held.load(Ordering::SeqCst) == 1).await;
    let other = channel(running.path().to_owned()).await;
    let large = bytes_field(1, &vec![7; 500_000]);
    for _ in 0..2 {
        let status = call(&other, AGENT, "GetEvidence", &large).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().starts_with("AGT-014: "), "{status}");
        let small = bytes_field(1, &[7; 10_000]);
        assert_eq!(call(&other, AGENT, "GetEvidence", &small).await.unwrap().len(), 10_005);
    }
    hang.abort();
    until(|| api.dropped.load(Ordering::SeqCst) == 1).await;
    soon(async { while call(&other, AGENT, "GetEvidence", &large).await.is_err() {} }).await;
    drop(other);
    running.stop().await;
}

#[tokio::test]
async fn a_request_that_finds_no_place_is_refused_early() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Grpc, &api, |settings| {
        settings.limits.requests_at_a_time = 1;
        settings.limits.place_timeout = Duration::from_millis(200);
    })
    .await;
    let channel = channel(running.path().to_owned()).await;
    let hangs = channel.clone();
    let hang =
        tokio::spawn(async move { call(&hangs, AGENT, "GetEvidence", &bytes_field(1, b"hold")).await });
    until(|| api.held.load(Ordering::SeqCst) == 1).await;
    let status = call(&channel, AGENT, "GetEvidence", b"").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    hang.abort();
    drop(channel);
    running.stop().await;
}

#[tokio::test]
async fn two_hundred_requests_at_once() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Grpc, &api, |settings| {
        settings.limits.requests_at_a_time = 8;
        settings.limits.place_timeout = PATIENCE;
    })
    .await;
    let channel = channel(running.path().to_owned()).await;
    let many = (0..200_u32).map(|n| {
        let channel = channel.clone();
        tokio::spawn(async move {
            let answer =
                call(&channel, AGENT, "GetEvidence", &bytes_field(1, &n.to_be_bytes())).await.unwrap();
            assert_eq!(answer, bytes_field(1, &[b"E:", &n.to_be_bytes()[..]].concat()));
        })
    });
    for result in futures_util::future::join_all(many).await {
        result.unwrap();
    }
    drop(channel);
    running.stop().await;
}

#[tokio::test]
async fn connections_that_never_begin_or_are_not_http2_make_room() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Grpc, &api, |settings| {
        settings.limits.connections = 1;
        settings.limits.transfer_timeout = Duration::from_millis(200);
    })
    .await;
    for begin in [&b""[..], b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64]] {
        let mut silent = running.connect().await;
        silent.write_all(begin).await.unwrap();
        // It holds the only place, so this waits for its end.
        let channel = soon(channel(running.path().to_owned())).await;
        assert_eq!(call(&channel, AGENT, "GetTeeType", b"").await.unwrap(), bytes_field(1, b"snp"));
        drop(channel);
        let mut rest = Vec::new();
        let _ = soon(silent.read_to_end(&mut rest)).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn at_the_end_what_runs_is_finished_and_what_does_not_end_is_cut_off() {
    let api = Arc::new(Double::default());
    let mut running = start_unix(Protocol::Grpc, &api, |settings| {
        settings.limits.drain = Duration::from_secs(2);
    })
    .await;
    let ask = |channel: Channel, data: &'static [u8]| {
        tokio::spawn(async move { call(&channel, AGENT, "GetEvidence", &bytes_field(1, data)).await })
    };
    let ends = ask(channel(running.path().to_owned()).await, b"sleep");
    let hangs = ask(channel(running.path().to_owned()).await, b"hold");
    until(|| api.calls.lock().unwrap().len() == 2).await;
    running.stop.take().unwrap().send(()).unwrap();
    assert_eq!(soon(ends).await.unwrap().unwrap(), bytes_field(1, b"E:sleep"));
    soon(&mut running.task).await.unwrap();
    assert!(!running.path().exists());
    soon(hangs).await.unwrap().unwrap_err();
    until(|| api.dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn the_numbers_of_results_are_those_of_the_interface() {
    use assay_attestation_agent::api::Extended;
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::Grpc, &api, |_| ()).await;
    let channel = channel(running.path().to_owned()).await;
    for (extended, answer) in [
        (Extended::Done, vec![]),
        (Extended::NotSupported, number_field(1, 1)),
        (Extended::NotEnabled, number_field(1, 2)),
    ] {
        *api.extended.lock().unwrap() = Some(extended);
        assert_eq!(call(&channel, AGENT, "ExtendRuntimeMeasurement", b"").await.unwrap(), answer);
    }
    drop(channel);
    running.stop().await;
}
