//! What a log of 1 MiB costs, beside the floor: the hashing that no implementation can avoid.
//!
//! - Replay needs one SHA-384 of 96 bytes for each event.
//! - Claims need one SHA-384 of each event's data, for `digest_matches_event`, and the JSON tree: 6000
//!   events make about 16 MB of it, and to copy it takes as long as to make it. Real logs have 20 to 90
//!   events, whatever the size of their table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::hint::black_box;

use assay_eventlog::{
    Aael, EventLog, EventLogBuilder, EventType, LogEnd, TcgAlgorithm, boot_claims, event_claims,
};
use aws_lc_rs::digest::{SHA384, digest};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const LOG_LEN: usize = 1 << 20;
const ALGORITHM: TcgAlgorithm = TcgAlgorithm::Sha384;

/// Events as GRUB and the agent write them, up to 1 MiB: 160 bytes each, more than 6000.
fn log() -> Bytes {
    let mut log = EventLogBuilder::new(&[ALGORITHM]).unwrap();
    for number in 0.. {
        let command = format!("linux /boot/vmlinuz-{number} root=/dev/vda1 ro console=hvc0 quiet");
        let data = format!("grub_cmd: {command}\0");
        log.event_of(3, EventType::IPL, command.as_bytes(), data.as_bytes()).unwrap();
        log.event(2, EventType::EFI_ACTION, b"Calling EFI Application from Boot Option").unwrap();
        let content =
            format!(r#"{{"image":"registry.example/app:{number}","digest":"sha256:{number:064}"}}"#);
        log.aael(4, &Aael::new("github.com/confidential-containers", "PullImage", &content).unwrap())
            .unwrap();
        if log.build(LogEnd::Events).len() > LOG_LEN - 512 {
            break;
        }
    }
    log.build(LogEnd::Table { len: LOG_LEN }).into()
}

fn replay(c: &mut Criterion) {
    let bytes = log();
    assert_eq!(bytes.len(), LOG_LEN);
    let log = EventLog::parse(bytes.clone()).unwrap();
    let mut group = c.benchmark_group("event log of 1 MiB");
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("floor: SHA-384 folds", |b| {
        let digests: Vec<&[u8]> = log.events().map(|event| event.digest(ALGORITHM).unwrap()).collect();
        b.iter(|| {
            let mut both = [0; 96];
            for value in black_box(&digests) {
                both[48..].copy_from_slice(value);
                let folded = digest(&SHA384, &both);
                both[..48].copy_from_slice(folded.as_ref());
            }
            both
        });
    });
    group.bench_function("floor: SHA-384 of the events' data", |b| {
        b.iter(|| log.events().map(|event| digest(&SHA384, event.data).as_ref()[0]).fold(0, |a, b| a ^ b));
    });
    group.bench_function("parse", |b| b.iter(|| EventLog::parse(black_box(bytes.clone())).unwrap()));
    group.bench_function("replay", |b| b.iter(|| black_box(&log).replay(ALGORITHM).unwrap()));
    group.bench_function("parse and replay", |b| {
        b.iter(|| EventLog::parse(black_box(bytes.clone())).unwrap().replay(ALGORITHM).unwrap());
    });
    group.bench_function("event claims", |b| {
        b.iter(|| event_claims(black_box(&log).bound(ALGORITHM, 1..=4), ALGORITHM));
    });
    group.bench_function("floor: a copy of the claims", |b| {
        let claims = event_claims(log.bound(ALGORITHM, 1..=4), ALGORITHM);
        b.iter(|| black_box(&claims).clone());
    });
    group.bench_function("boot components and claims", |b| {
        b.iter(|| boot_claims(&black_box(&log).boot_components(ALGORITHM, 1..=3).unwrap(), ALGORITHM));
    });
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
