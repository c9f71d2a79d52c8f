//! ttRPC on the wire, by hand and against the library that others use.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod faces_support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use assay_attestation_agent::caller::Operation;
use assay_attestation_agent::faces::{Budget, LARGE, ListenerSettings, Protocol, Services};
use assay_types::Coded as _;
use faces_support::{
    AGENT, Double, PATIENCE, bad, bytes_field, exchange, failures, frame, good, is_bad, methods,
    number_field, read_frame, request, soon, start_unix, until, with_rules,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn every_method_has_its_name_its_field_numbers_and_its_answer() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let mut stream = running.connect().await;
    for (service, method, payload, recorded, answer) in methods() {
        assert_eq!(exchange(&mut stream, service, method, &payload).await, good(&answer), "{method}");
        assert_eq!(api.taken(), Vec::from_iter(recorded.map(str::to_owned)), "{method}");
    }
    running.stop().await;
}

#[tokio::test]
async fn the_results_of_events_have_their_numbers() {
    use assay_attestation_agent::api::Extended;
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let mut stream = running.connect().await;
    for (extended, answer) in [
        (Extended::Done, vec![]),
        (Extended::NotSupported, number_field(1, 1)),
        (Extended::NotEnabled, number_field(1, 2)),
    ] {
        *api.extended.lock().unwrap() = Some(extended);
        assert_eq!(exchange(&mut stream, AGENT, "ExtendRuntimeMeasurement", b"").await, good(&answer));
    }
    running.stop().await;
}

#[tokio::test]
async fn every_failure_has_its_status_its_code_and_its_cause() {
    for (error, code, _) in failures() {
        let text = format!("{}: {error}", error.code());
        let api = Double::failing(error);
        let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
        let answer = exchange(&mut running.connect().await, AGENT, "GetEvidence", b"").await;
        assert_eq!(answer, bad(code, &text));
        running.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_answered_and_the_connection_goes_on() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let mut stream = running.connect().await;
    let negative = [request(AGENT, "GetEvidence", b""), number_field(4, u64::MAX)].concat();
    for (sent, code, words) in [
        (frame(1, 1, b"\xff\xff\xff"), 3, "cannot be decoded"),
        (frame(1, 1, &request(AGENT, "GetEvidence", b"\x0a\xff")), 3, "GetEvidence cannot be decoded"),
        (frame(1, 1, &request(AGENT, "GetToken", b"\x0a\x01\xff")), 3, "GetToken cannot be decoded"),
        (frame(1, 1, &request(AGENT, "GetTeeType", b"\x07")), 3, "GetTeeType cannot be decoded"),
        (frame(1, 1, &request(AGENT, "GetToken", &bytes_field(1, b"x"))), 3, "AGT-003: unknown token type"),
        (frame(1, 1, &negative), 3, "timeout"),
        (frame(1, 1, b""), 12, "is not served"),
        (frame(1, 1, &request("a.B", "GetEvidence", b"")), 12, "a.B"),
        (frame(1, 1, &request(AGENT, "getEvidence", b"")), 12, "getEvidence"),
        (frame(1, 1, &request("api.GetResourceService", "UnsealSecret", b"")), 12, "UnsealSecret"),
        (frame(1, 3, b"data"), 3, "stream"),
        (frame(2, 1, &request(AGENT, "GetTeeType", b"")), 3, "odd"),
        (frame(0, 9, b""), 3, "odd"),
        (
            frame(1, 1, &request("api.GetResourceService", "GetResource", &bytes_field(1, b"/etc"))),
            3,
            "AGT-008",
        ),
    ] {
        stream.write_all(&sent).await.unwrap();
        let (_, kind, answer) = read_frame(&mut stream).await;
        assert_eq!(kind, 2);
        assert!(is_bad(&answer, code, words), "{words}: {:?}", String::from_utf8_lossy(&answer));
    }
    assert!(api.taken().is_empty());
    // Types that are not known are passed over.
    for kind in [0, 2, 4, 255] {
        stream.write_all(&frame(1, kind, b"anything")).await.unwrap();
    }
    assert_eq!(exchange(&mut stream, AGENT, "GetTeeType", b"").await, good(&bytes_field(1, b"snp")));
    running.stop().await;
}

#[tokio::test]
async fn only_the_services_of_the_listener_are_served() {
    let api = Arc::new(Double::default());
    for (services, agent, hub) in [
        (Services::AttestationAgent, true, false),
        (Services::ConfidentialDataHub, false, true),
        (Services::Both, true, true),
    ] {
        let running = start_unix(Protocol::TtRpc, &api, |settings| settings.services = services).await;
        let mut stream = running.connect().await;
        for (service, method, payload, _, answer) in methods() {
            let served = if service == AGENT { agent } else { hub };
            let found = exchange(&mut stream, service, method, &payload).await;
            assert_eq!(found == good(&answer), served, "{method}");
            assert_eq!(is_bad(&found, 12, service), !served, "{method}");
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_thrown_away() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |settings| settings.limits.body_bytes = 1000).await;
    let mut stream = running.connect().await;
    let long = frame(1, 1, &vec![0; 100_000]);
    stream.write_all(&long).await.unwrap();
    let (_, _, answer) = read_frame(&mut stream).await;
    assert!(is_bad(&answer, 3, "at most 1000"), "{:?}", String::from_utf8_lossy(&answer));
    assert_eq!(exchange(&mut stream, AGENT, "GetTeeType", b"").await, good(&bytes_field(1, b"snp")));
    // A length that no peer means ends the connection, after the answer, and none of the bytes are awaited.
    stream.write_all(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, 1, 0]).await.unwrap();
    let (id, _, answer) = read_frame(&mut stream).await;
    assert!(id == 3 && is_bad(&answer, 3, "4294967295 bytes"));
    assert_eq!(soon(stream.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(
        exchange(&mut running.connect().await, AGENT, "GetTeeType", b"").await,
        good(&bytes_field(1, b"snp"))
    );
    running.stop().await;
}

#[tokio::test]
async fn half_a_request_ends_its_own_connection_only() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |settings| {
        settings.limits.transfer_timeout = Duration::from_millis(200);
        settings.limits.connections = 3;
    })
    .await;
    let whole = frame(1, 1, &request(AGENT, "GetTeeType", b""));
    // A client that has not begun may wait as long as it likes.
    let mut idle = running.connect().await;
    for cut in [1, 9, 10, whole.len() - 1] {
        let mut slow = running.connect().await;
        slow.write_all(&whole[..cut]).await.unwrap();
        let mut other = running.connect().await;
        assert_eq!(exchange(&mut other, AGENT, "GetTeeType", b"").await, good(&bytes_field(1, b"snp")));
        assert_eq!(soon(slow.read(&mut [0; 1])).await.unwrap(), 0, "{cut}");
        // One that leaves half-way, too.
        let mut gone = running.connect().await;
        gone.write_all(&whole[..cut]).await.unwrap();
    }
    assert_eq!(exchange(&mut idle, AGENT, "GetTeeType", b"").await, good(&bytes_field(1, b"snp")));
    // Piece by piece is no half.
    for byte in whole.chunks(7) {
        idle.write_all(byte).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(read_frame(&mut idle).await.2, good(&bytes_field(1, b"snp")));
    running.stop().await;
}

#[tokio::test]
async fn evidence_of_any_length_is_bound_whole() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let mut stream = running.connect().await;
    for length in [0, 1, 64, 65, 1_000_000, 1 << 20] {
        let data: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let answer = exchange(&mut stream, AGENT, "GetEvidence", &bytes_field(1, &data)).await;
        assert!(answer == good(&bytes_field(1, &[b"E:", &data[..]].concat())), "{length}");
    }
    running.stop().await;
}

#[tokio::test]
async fn peers_are_told_why_they_are_refused() {
    let api = Arc::new(Double::default());
    let uid = rustix::process::getuid().as_raw();
    let running =
        start_unix(Protocol::TtRpc, &api, with_rules(|rules| rules.uids = Some([uid].into()))).await;
    let answer = exchange(&mut running.connect().await, AGENT, "GetEvidence", b"").await;
    assert_eq!(answer, good(&bytes_field(1, b"E:")));
    api.taken();
    running.stop().await;
    let other = with_rules(|rules| rules.uids = Some([uid + 1].into()));
    let running = start_unix(Protocol::TtRpc, &api, other).await;
    for method in ["GetEvidence", "GetTeeType", "NoSuchMethod"] {
        let mut stream = running.connect().await;
        let answer = exchange(&mut stream, AGENT, method, b"").await;
        assert!(is_bad(&answer, 7, &format!("uid {uid}")), "{:?}", String::from_utf8_lossy(&answer));
        assert_eq!(soon(stream.read(&mut [0; 1])).await.unwrap(), 0);
    }
    assert!(api.taken().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn two_listeners_on_one_agent_have_their_own_rules() {
    let api = Arc::new(Double::default());
    let only = |operation| with_rules(move |rules| rules.operations = BTreeSet::from([operation]));
    let tokens = start_unix(Protocol::TtRpc, &api, only(Operation::Token)).await;
    let evidence = start_unix(Protocol::TtRpc, &api, only(Operation::Evidence)).await;
    let kbs = bytes_field(1, b"kbs");
    let ask = async |running: &faces_support::Running, method, payload: &[u8]| {
        exchange(&mut running.connect().await, AGENT, method, payload).await
    };
    assert_eq!(ask(&evidence, "GetEvidence", b"").await, good(&bytes_field(1, b"E:")));
    assert!(is_bad(&ask(&evidence, "GetToken", &kbs).await, 7, "AGT-002"));
    assert_eq!(ask(&tokens, "GetToken", &kbs).await, good(&bytes_field(1, b"{\"token\":\"kbs\"}")));
    assert!(is_bad(&ask(&tokens, "GetEvidence", b"").await, 7, "AGT-002"));
    tokens.stop().await;
    evidence.stop().await;
}

#[tokio::test]
async fn a_call_whose_peer_leaves_is_dropped() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let mut stream = running.connect().await;
    let hold = bytes_field(1, b"hold");
    for id in [1, 3, 5] {
        stream.write_all(&frame(id, 1, &request(AGENT, "GetEvidence", &hold))).await.unwrap();
    }
    until(|| api.held.load(Ordering::SeqCst) == 3).await;
    assert_eq!(api.dropped.load(Ordering::SeqCst), 0);
    drop(stream);
    until(|| api.dropped.load(Ordering::SeqCst) == 3).await;
    running.stop().await;
}

#[tokio::test]
async fn a_call_has_the_callers_time_and_the_listeners() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |settings| {
        settings.limits.request_timeout = Duration::from_millis(300);
    })
    .await;
    let mut stream = running.connect().await;
    let hold = request(AGENT, "GetEvidence", &bytes_field(1, b"hold"));
    for (timeout, millis) in [(1_000_000, 1), (0, 300), (i64::MAX as u64, 300)] {
        stream.write_all(&frame(7, 1, &[hold.clone(), number_field(4, timeout)].concat())).await.unwrap();
        let (id, _, answer) = read_frame(&mut stream).await;
        assert_eq!((id, answer), (7, bad(4, &format!("AGT-015: no answer within {millis} ms"))));
    }
    until(|| api.dropped.load(Ordering::SeqCst) == 3).await;
    running.stop().await;
}

#[tokio::test]
async fn a_call_that_panics_ends_its_own_connection_only() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let mut stream = running.connect().await;
    let mut other = running.connect().await;
    stream.write_all(&frame(1, 1, &request(AGENT, "GetEvidence", &bytes_field(1, b"panic")))).await.unwrap();
    assert_eq!(soon(stream.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(exchange(&mut other, AGENT, "GetTeeType", b"").await, good(&bytes_field(1, b"snp")));
    running.stop().await;
}

#[tokio::test]
async fn a_peer_that_takes_no_answers_is_not_read_for_ever() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |settings| {
        settings.limits.requests_at_a_time = 4;
        settings.limits.transfer_timeout = Duration::from_millis(500);
    })
    .await;
    let mut flood = running.connect().await;
    let one = frame(1, 1, &request(AGENT, "GetEvidence", &bytes_field(1, &vec![7; 100_000])));
    // Written until nothing more is taken: then the listener's bound holds it back, and cuts it off.
    let mut written = 0_usize;
    soon(async {
        while flood.write_all(&one).await.is_ok() {
            written += 1
        }
    })
    .await;
    let worked = api.taken().len();
    // 4 at a time, one that waits, and what the sockets' buffers hold of answers.
    assert!(written < 64 && worked < 32, "{written} {worked}");
    let mut other = running.connect().await;
    assert_eq!(exchange(&mut other, AGENT, "GetTeeType", b"").await, good(&bytes_field(1, b"snp")));
    running.stop().await;
}

#[tokio::test]
async fn a_request_that_finds_no_place_in_time_is_told_so() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |settings| {
        settings.limits.requests_at_a_time = 1;
        settings.limits.place_timeout = Duration::from_millis(300);
    })
    .await;
    // Its answer of 1 MB is not taken, so it keeps the only place.
    let mut unread = running.connect().await;
    let data = bytes_field(1, &vec![7; 1_000_000]);
    unread.write_all(&frame(1, 1, &request(AGENT, "GetEvidence", &data))).await.unwrap();
    until(|| api.taken().len() == 1).await;
    let mut other = running.connect().await;
    let answer = exchange(&mut other, AGENT, "GetTeeType", b"").await;
    assert!(is_bad(&answer, 8, "AGT-014: 1 requests"), "{:?}", String::from_utf8_lossy(&answer));
    // Once it is taken, there is a place.
    assert_eq!(read_frame(&mut unread).await.2.len(), 1_000_000 + 2 + 4 + 6);
    assert_eq!(exchange(&mut other, AGENT, "GetTeeType", b"").await, good(&bytes_field(1, b"snp")));
    running.stop().await;
}

/// A request for evidence that hangs, of so many bytes of runtime data.
fn hanging(stream: u32, length: usize) -> Vec<u8> {
    let mut data = b"hold".to_vec();
    data.resize(length, 0);
    frame(stream, 1, &request(AGENT, "GetEvidence", &bytes_field(1, &data)))
}

#[tokio::test]
async fn large_requests_that_hang_keep_large_ones_out_and_no_small_ones() {
    let api = Arc::new(Double::default());
    // Two listeners share the memory of one large request.
    let budget = Budget::of(600_000);
    let edit = |settings: &mut ListenerSettings| {
        settings.limits.large = budget.clone();
        settings.limits.place_timeout = Duration::from_millis(200);
    };
    let first = start_unix(Protocol::TtRpc, &api, edit).await;
    let second = start_unix(Protocol::TtRpc, &api, edit).await;
    let mut hangs = first.connect().await;
    hangs.write_all(&hanging(1, 500_000)).await.unwrap();
    until(|| api.held.load(Ordering::SeqCst) == 1).await;
    for running in [&first, &second] {
        let mut stream = running.connect().await;
        let large = bytes_field(1, &[7; 200_000]);
        for _ in 0..2 {
            let answer = exchange(&mut stream, AGENT, "GetEvidence", &large).await;
            assert!(is_bad(&answer, 8, "AGT-014"), "{:?}", String::from_utf8_lossy(&answer));
            // What follows is read as it is: the payload was thrown away, not more.
            let small = vec![7; LARGE - 200];
            let answer = exchange(&mut stream, AGENT, "GetEvidence", &bytes_field(1, &small)).await;
            assert!(answer == good(&bytes_field(1, &[b"E:", &small[..]].concat())));
        }
    }
    drop(hangs);
    until(|| api.dropped.load(Ordering::SeqCst) == 1).await;
    let mut stream = second.connect().await;
    // It may still be refused, until the connection that is gone has given back its memory.
    let large = bytes_field(1, &[7; 500_000]);
    soon(async { while exchange(&mut stream, AGENT, "GetEvidence", &large).await[0..2] != [0x0a, 0] {} })
        .await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_connection_has_one_large_request_at_a_time() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |settings| {
        settings.limits.large = Budget::of(10 << 20);
        settings.limits.place_timeout = Duration::from_millis(200);
    })
    .await;
    let mut stream = running.connect().await;
    stream.write_all(&hanging(1, 100_000)).await.unwrap();
    until(|| api.held.load(Ordering::SeqCst) == 1).await;
    stream.write_all(&hanging(3, 100_000)).await.unwrap();
    let (id, _, answer) = read_frame(&mut stream).await;
    assert!(id == 3 && is_bad(&answer, 8, "AGT-014"), "{id} {:?}", String::from_utf8_lossy(&answer));
    stream.write_all(&frame(5, 1, &request(AGENT, "GetTeeType", b""))).await.unwrap();
    assert_eq!(read_frame(&mut stream).await.2, good(&bytes_field(1, b"snp")));
    let mut other = running.connect().await;
    other.write_all(&hanging(1, 100_000)).await.unwrap();
    until(|| api.held.load(Ordering::SeqCst) == 2).await;
    drop((stream, other));
    running.stop().await;
}

#[tokio::test]
async fn two_hundred_requests_at_once_over_one_connection_and_many() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |settings| {
        settings.limits.requests_at_a_time = 8;
        settings.limits.connections = 16;
        settings.limits.place_timeout = PATIENCE;
    })
    .await;
    let (mut reader, mut writer) = running.connect().await.into_split();
    let send = tokio::spawn(async move {
        for n in 0..200_u32 {
            let payload = bytes_field(1, &n.to_be_bytes());
            writer.write_all(&frame(n * 2 + 1, 1, &request(AGENT, "GetEvidence", &payload))).await.unwrap();
        }
        writer
    });
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let mut header = [0; 10];
        soon(reader.read_exact(&mut header)).await.unwrap();
        let id = u32::from_be_bytes(header[4..8].try_into().unwrap());
        let mut payload = vec![0; header[3] as usize];
        soon(reader.read_exact(&mut payload)).await.unwrap();
        let n = (id - 1) / 2;
        assert_eq!(payload, good(&bytes_field(1, &[b"E:", &n.to_be_bytes()[..]].concat())));
        seen.insert(n);
    }
    assert_eq!(seen.len(), 200);
    drop(send.await.unwrap());
    let path = running.path().to_owned();
    let many = (0..200_u32).map(|n| {
        let path = path.clone();
        tokio::spawn(async move {
            let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
            let payload = bytes_field(1, &n.to_be_bytes());
            let answer = exchange(&mut stream, AGENT, "GetEvidence", &payload).await;
            assert_eq!(answer, good(&bytes_field(1, &[b"E:", &n.to_be_bytes()[..]].concat())));
        })
    });
    for result in futures_util::future::join_all(many).await {
        result.unwrap();
    }
    running.stop().await;
}

#[tokio::test]
async fn at_the_end_what_runs_is_finished_and_what_does_not_end_is_cut_off() {
    let api = Arc::new(Double::default());
    let mut running = start_unix(Protocol::TtRpc, &api, |settings| {
        settings.limits.drain = Duration::from_secs(2);
    })
    .await;
    let mut ends = running.connect().await;
    let mut hangs = running.connect().await;
    let ask = |data| frame(1, 1, &request(AGENT, "GetEvidence", &bytes_field(1, data)));
    ends.write_all(&ask(b"sleep")).await.unwrap();
    hangs.write_all(&ask(b"hold")).await.unwrap();
    until(|| api.calls.lock().unwrap().len() == 2).await;
    let path = running.path().to_owned();
    running.stop.take().unwrap().send(()).unwrap();
    until(|| !path.exists()).await;
    assert!(tokio::net::UnixStream::connect(&path).await.is_err());
    assert_eq!(read_frame(&mut ends).await.2, good(&bytes_field(1, b"E:sleep")));
    soon(&mut running.task).await.unwrap();
    assert_eq!(soon(hangs.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(api.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_library_that_others_use_understands_us() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let client = ttrpc::r#async::Client::connect(&running.address.to_string()).await.unwrap();
    for (service, method, payload, _, answer) in methods() {
        let mut request = ttrpc::proto::Request::new();
        request.set_service(service.into());
        request.set_method(method.into());
        request.set_payload(payload);
        request.set_timeout_nano(30_000_000_000);
        assert_eq!(client.request(request).await.unwrap().payload, answer, "{method}");
    }
    let mut request = ttrpc::proto::Request::new();
    request.set_service(AGENT.into());
    request.set_method("GetToken".into());
    match client.request(request).await {
        Err(ttrpc::Error::RpcStatus(status)) => {
            assert_eq!(status.code(), ttrpc::Code::INVALID_ARGUMENT);
            assert!(status.message.starts_with("AGT-003: "), "{}", status.message);
        }
        other => panic!("{other:?}"),
    }
    running.stop().await;
}
