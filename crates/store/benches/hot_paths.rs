//! What the store costs on the paths that every attestation takes: processor time (user and system,
//! all threads) and wall time for each call, at 1, 8 and 64 callers. `cargo bench -p assay-store`.
//!
//! Not criterion: it measures wall time only, and a call here is the work of two threads.
#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs
)]

use std::path::Path;
use std::time::Instant;

use assay_store::{AttestedSession, KeyEncryptionKey, Store, StoreOptions};
use assay_types::{ResourcePath, SecretBytes, UnixTime};

const NOW: UnixTime = UnixTime(1_800_000_000);

/// The system's clock tick in microseconds (`getconf CLK_TCK` is 100 on Linux).
const TICK_MICROS: f64 = 10_000.0;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    for order in [Order::Random, Order::Time] {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("assay.db");
        open(&database, "new").await.close().await;
        let store = open(&database, "existing").await;
        store.put_resource(&resource(), &SecretBytes::new(vec![7; 32]), NOW).await.unwrap();
        hot_paths(&store, order).await;
        store.close().await;
    }
}

async fn open(database: &Path, kind: &str) -> Store {
    let key_encryption_key = KeyEncryptionKey::from_bytes([1; 32]);
    let started = Instant::now();
    let store =
        Store::open(StoreOptions { database: database.to_owned(), key_encryption_key }).await.unwrap();
    println!("opened {kind} store in {:.1} ms, {}", started.elapsed().as_secs_f64() * 1e3, memory());
    store
}

async fn hot_paths(store: &Store, order: Order) {
    println!("keys in {order:?} order");
    let mut next = 0;
    for callers in [1, 8, 64] {
        let each = 20_000 / callers;
        let first = next;
        next += callers * each;
        measure(store, "record_attestation", callers, each, move |store, caller, i| async move {
            store.record_attestation(session(order, first + i * callers + caller)).await.unwrap();
        })
        .await;
        measure(store, "session", callers, each, move |store, caller, i| async move {
            let hash = session(order, first + i * callers + caller).session_hash;
            assert!(store.session(&hash).await.unwrap().is_some());
        })
        .await;
        measure(store, "get_resource", callers, each, |store, _, _| async move {
            assert!(store.get_resource(&resource()).await.unwrap().is_some());
        })
        .await;
    }
    println!("{next} sessions stored, {}", memory());
    let (started, before) = (Instant::now(), cpu_micros());
    let removed = store.sweep(UnixTime::MAX).await.unwrap();
    println!(
        "sweep of {removed}: cpu {:.1} µs, wall {:.1} µs each",
        (cpu_micros() - before) / removed as f64,
        started.elapsed().as_secs_f64() * 1e6 / removed as f64
    );
}

async fn measure<F, W>(store: &Store, name: &str, callers: usize, each: usize, work: F)
where
    F: Fn(Store, usize, usize) -> W + Copy + Send + Sync + 'static,
    W: Future<Output = ()> + Send,
{
    let (started, before) = (Instant::now(), cpu_micros());
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let store = store.clone();
            tokio::spawn(async move {
                for i in 0..each {
                    work(store.clone(), caller, i).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let calls = (callers * each) as f64;
    println!(
        "{name:20} {callers:3} callers: cpu {:6.1} µs, wall {:6.1} µs each",
        (cpu_micros() - before) / calls,
        started.elapsed().as_secs_f64() * 1e6 / calls
    );
}

fn resource() -> ResourcePath {
    "default/key/1".parse().unwrap()
}

/// How the keys of sessions follow each other.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// As hashes do.
    Random,
    /// By the time of issue, then as hashes do; 300 in a second.
    Time,
}

/// A session of the usual size: a token of 3 KiB, a verdict of 4 KiB.
fn session(order: Order, number: usize) -> AttestedSession {
    let key = |kind: u64| {
        let spread = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ kind;
        let mut bytes = [0; 32];
        if let Order::Time = order {
            bytes[..4].copy_from_slice(&(number as u32 / 300).to_be_bytes());
        }
        bytes[4..12].copy_from_slice(&spread.to_be_bytes());
        if let Order::Random = order {
            bytes.rotate_left(4);
        }
        bytes
    };
    AttestedSession {
        challenge_hash: key(1),
        session_hash: key(2),
        jti: key(3).iter().map(|b| format!("{b:02x}")).collect(),
        expires: NOW.plus(300 + number as i64 / 300),
        token: "t".repeat(3 << 10),
        verdict: "v".repeat(4 << 10),
    }
}

fn cpu_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The fields after the command's closing parenthesis; user and system time are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) * TICK_MICROS
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
