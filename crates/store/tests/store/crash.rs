//! `kill -9` in the middle of writes: every acknowledged write is there afterwards.
//!
//! The test starts this test binary anew as the writer: an environment variable tells it where to
//! write. It prints a line for each write after it was acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use assay_store::{Store, StoreError, StoreOptions};

use super::sessions::session;
use super::{NOW, Place, key, path, secret};

const FOLDER: &str = "ASSAY_STORE_TEST_WRITER_FOLDER";
const FIRST: &str = "ASSAY_STORE_TEST_WRITER_FIRST";

/// The content of the n-th resource; long enough for several pages.
fn content(n: u32) -> Vec<u8> {
    n.to_be_bytes().repeat(1 + usize::try_from(n % 4).unwrap() * 1500)
}

#[test]
fn the_writer_that_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let first: u32 = std::env::var(FIRST).unwrap().parse().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    runtime.block_on(async {
        let database = Path::new(&folder).join("assay.db");
        let store = Store::open(StoreOptions { database, key_encryption_key: key(1) }).await.unwrap();
        for n in first..first + 100_000 {
            let version =
                store.put_resource(&path(&format!("a/b/{}", n % 7)), &secret(content(n)), NOW).await;
            let version = version.unwrap();
            store.record_attestation(session(n)).await.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "ACK {n} {version}").unwrap();
            out.flush().unwrap();
        }
    });
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let place = Place::new();
    let mut acknowledged: Vec<(u32, u64)> = Vec::new();
    for round in 0..6_u64 {
        let first = acknowledged.last().map_or(0, |(n, _)| n + 1_000);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::the_writer_that_is_killed", "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, place.path())
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut parse = |line: String| {
            let mut words = line.split_once("ACK ")?.1.split(' ');
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        };
        // It is at work: wait for the first acknowledgement, then a little, never the same.
        let before = acknowledged.len();
        while acknowledged.len() == before {
            let line = lines.next().expect("the writer ended").unwrap();
            acknowledged.extend(parse(line));
        }
        std::thread::sleep(Duration::from_micros(1_000 + 7_919 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had printed before it died; the last line may be cut off.
        acknowledged.extend(lines.map_while(Result::ok).filter_map(&mut parse));
    }
    println!("{} writes acknowledged", acknowledged.len());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let store = place.open().await;
        for (n, version) in acknowledged {
            let stored = store.get_resource_version(&path(&format!("a/b/{}", n % 7)), version).await.unwrap();
            assert_eq!(stored.expect("acknowledged").value, secret(content(n)));
            assert_eq!(store.session(&session(n).session_hash).await.unwrap(), Some(session(n)));
            assert_eq!(store.record_attestation(session(n)).await, Err(StoreError::AlreadyUsed));
        }
    });
}
