//! Requests to the agent from any bytes: frames of ttRPC, messages of every method, queries of REST. No
//! panic; a message that was read can be written and read again; frames hold no more than came in.
#![no_main]

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use assay_attestation_agent::faces::ttrpc::frame::{Frame, FrameReader, HEADER};
use assay_attestation_agent::faces::{EvidenceQuery, Method, Query, TokenQuery, decode_request};
use libfuzzer_sys::fuzz_target;

/// The frames in some bytes. Nothing waits: a slice is always ready.
fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut reader = FrameReader::new(bytes, 1000, Duration::from_secs(1));
    let mut frames = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Ok(Some(frame))) = pin!(reader.next()).poll(&mut context) {
        frames.push(frame);
    }
    frames
}

fuzz_target!(|bytes: &[u8]| {
    for method in Method::ALL {
        if let Ok(again) = decode_request(method, bytes) {
            assert_eq!(decode_request(method, &again).as_deref().ok(), Some(again.as_slice()));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Query::parse(text);
        let _ = TokenQuery::parse(text);
        let _ = EvidenceQuery::parse(text);
    }
    // A timer needs the runtime that it belongs to.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    let mut length = 0;
    for frame in frames(bytes) {
        length += HEADER;
        if let Frame::Whole(header, payload) = frame {
            assert_eq!(payload.len(), header.length as usize);
            length += payload.len();
        }
    }
    assert!(length <= bytes.len());
});
