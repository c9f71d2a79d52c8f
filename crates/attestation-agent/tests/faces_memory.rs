//! What the agent holds of large requests that hang, in bytes of this process. Alone in its binary: a test
//! beside it would be counted, too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod faces_support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use assay_attestation_agent::faces::{Budget, LARGE_REQUESTS, Protocol};
use faces_support::{AGENT, Double, bytes_field, frame, is_bad, read_frame, request, start_unix, until};
use tokio::io::AsyncWriteExt as _;

const MIB: usize = 1 << 20;

/// The memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<usize>().unwrap() * 1024
}

/// 64 connections, each with a request of 1 MB that hangs and almost all of another.
#[tokio::test]
async fn large_requests_that_hang_are_held_once_each_and_no_more_than_the_budget() {
    let mut data = b"hold".to_vec();
    data.resize(1_000_000, 7);
    let one = frame(1, 1, &request(AGENT, "GetEvidence", &bytes_field(1, &data)));
    let two = frame(3, 1, &request(AGENT, "GetEvidence", &bytes_field(1, &data)));
    drop(data);
    let before = resident();
    // First with the default, then with memory for all of them, which shows what each takes. What the
    // first left to be used again counts in the second, too.
    for (budget, most, bound) in
        [(Budget::default(), LARGE_REQUESTS / 1_000_000, 48 * MIB), (Budget::of(256 * MIB), 64, 96 * MIB)]
    {
        let api = Arc::new(Double::default());
        let running = start_unix(Protocol::TtRpc, &api, |settings| {
            settings.limits.large = budget;
            settings.limits.requests_at_a_time = 64;
            settings.limits.drain = Duration::from_millis(100);
        })
        .await;
        let mut streams = Vec::new();
        for _ in 0..64 {
            streams.push(running.connect().await);
        }
        let (one, two) = (&one, &two[..two.len() - 1]);
        let sent = streams.iter_mut().map(async |stream| {
            stream.write_all(one).await.unwrap();
            stream.write_all(two).await.unwrap();
        });
        futures_util::future::join_all(sent).await;
        until(|| api.held.load(Ordering::SeqCst) >= most).await;
        if most == 64 {
            // The second of one that has its first in work is refused, not read.
            for stream in &mut streams {
                let (id, _, answer) = read_frame(stream).await;
                assert!(id == 3 && is_bad(&answer, 8, "AGT-014"));
            }
        }
        let grown = resident().saturating_sub(before);
        let held = api.held.load(Ordering::SeqCst);
        assert!(grown < bound, "{held} requests took {} KiB", grown >> 10);
        assert_eq!(held, most);
        drop(streams);
        running.stop().await;
    }
}
