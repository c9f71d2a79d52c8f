//! How the log is written: order, waiting, failures and recovery.

use std::sync::Arc;
use std::time::Duration;

use assay_types::{Coded as _, FixedClock, UnixTime};

use crate::memory::{Behaviour, InMemory};
use crate::{AuditError, AuditLog, AuditSettings, Event, Kind, Outcome, Record};

const NOW: UnixTime = UnixTime(1_790_000_000);

async fn open(backend: &Arc<InMemory>, settings: AuditSettings) -> AuditLog {
    let clock = Arc::new(FixedClock::new(NOW));
    AuditLog::start(Arc::clone(backend), clock, settings, "test").await.unwrap()
}

fn event(n: usize) -> Event {
    Event::new(Kind::Release, Outcome::Ok).resource(format!("a/b/{n}"))
}

/// Waits until it is so; the end of the world is a minute away.
async fn eventually(so: impl Fn() -> bool) {
    for _ in 0..6000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to pass");
}

/// For stores that fail: not much patience.
fn impatient() -> AuditSettings {
    AuditSettings {
        patience: Duration::from_secs(2),
        grace: Duration::from_millis(500),
        attempt: Duration::from_secs(1),
        ..AuditSettings::default()
    }
}

/// The resources in the chain of `log`, in its order.
fn resources(backend: &InMemory, log: &AuditLog) -> Vec<String> {
    let own = |row: &&assay_store::AuditRow| &row.chain == log.chain().as_bytes();
    let read =
        |row: &assay_store::AuditRow| serde_json::from_str::<Record>(&row.record).unwrap().event.resource;
    backend.rows().iter().filter(own).filter_map(read).collect()
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("a/b/{n}")).collect()
}

#[tokio::test]
async fn a_chain_has_a_beginning_an_end_and_verifies() {
    let backend = Arc::new(InMemory::new());
    let log = open(&backend, AuditSettings::default()).await;
    for n in 0..100 {
        if n % 3 == 0 {
            log.append(event(n)).await.unwrap()
        } else {
            log.append_soon(event(n)).await.unwrap()
        }
    }
    log.close().await.unwrap();
    assert_eq!(resources(&backend, &log), names(0..100));
    let kinds: Vec<String> = backend.rows().into_iter().map(|row| row.kind).collect();
    assert_eq!(
        (kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str()),
        ("chain-start", "chain-stop")
    );
    let report = backend.verify();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.records, report.chains), (102, 1));
    assert_eq!(log.append(event(0)).await.unwrap_err().code(), "AUD-004");
    assert_eq!(log.append_soon(event(0)).await.unwrap_err().code(), "AUD-004");
    assert_eq!(log.check().unwrap_err().code(), "AUD-004");
}

#[tokio::test]
async fn a_record_that_somebody_waits_for_is_written_at_once_and_others_are_gathered() {
    let backend = Arc::new(InMemory::new());
    let settings = AuditSettings { linger: Duration::from_secs(3600), ..AuditSettings::default() };
    let log = open(&backend, settings).await;
    // The first one finds nobody writing.
    log.append_soon(event(0)).await.unwrap();
    eventually(|| resources(&backend, &log) == names(0..1)).await;
    let before = backend.tables().flushes;
    for n in 1..20 {
        log.append_soon(event(n)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(backend.tables().flushes, before);
    // Somebody who waits takes along what was gathered.
    log.append(event(20)).await.unwrap();
    assert_eq!(backend.tables().flushes, before + 1);
    assert_eq!(resources(&backend, &log), names(0..21));
    // As many as are written at once do not wait for more.
    for n in 21..53 {
        log.append_soon(event(n)).await.unwrap();
    }
    eventually(|| resources(&backend, &log) == names(0..53)).await;
}

#[tokio::test]
async fn a_record_that_nobody_waits_for_is_written_soon() {
    let backend = Arc::new(InMemory::new());
    let log = open(&backend, AuditSettings::default()).await;
    for n in 0..5 {
        log.append_soon(event(n)).await.unwrap();
        eventually(|| resources(&backend, &log) == names(0..n + 1)).await;
    }
}

#[tokio::test]
async fn while_the_store_fails_nothing_is_acknowledged_and_nothing_is_lost_after() {
    let backend = Arc::new(InMemory::new());
    let log = open(&backend, impatient()).await;
    log.append(event(0)).await.unwrap();
    backend.behave(Behaviour::Fail);
    log.append_soon(event(1)).await.unwrap();
    assert_eq!(log.append(event(2)).await.unwrap_err().code(), "AUD-003");
    // For too long: no more is taken, and readiness says so.
    assert_eq!(log.append(event(99)).await.unwrap_err().code(), "AUD-001");
    assert_eq!(log.append_soon(event(99)).await.unwrap_err().code(), "AUD-001");
    assert!(matches!(log.check(), Err(AuditError::Unavailable { .. })));
    backend.behave(Behaviour::Work);
    eventually(|| log.check().is_ok()).await;
    log.append(event(3)).await.unwrap();
    assert_eq!(resources(&backend, &log), names(0..4));
    assert!(backend.verify().is_sound());
}

#[tokio::test]
async fn a_write_whose_success_was_not_heard_of_is_not_written_twice() {
    let backend = Arc::new(InMemory::new());
    let log = open(&backend, AuditSettings::default()).await;
    backend.behave(Behaviour::WriteAndFail);
    let (first, second) = tokio::join!(log.append(event(0)), log.append(event(1)));
    first.unwrap();
    second.unwrap();
    backend.behave(Behaviour::Work);
    log.append(event(2)).await.unwrap();
    assert_eq!(resources(&backend, &log), names(0..3));
    assert!(backend.verify().is_sound());
}

#[tokio::test]
async fn a_store_that_hangs_is_a_store_that_fails() {
    let backend = Arc::new(InMemory::new());
    let log = open(&backend, impatient()).await;
    backend.behave(Behaviour::Hang);
    assert_eq!(log.append(event(0)).await.unwrap_err().code(), "AUD-003");
    eventually(|| log.check().is_err_and(|error| error.code() == "AUD-001")).await;
    backend.behave(Behaviour::Work);
    eventually(|| log.check().is_ok()).await;
    log.append(event(1)).await.unwrap();
    assert_eq!(resources(&backend, &log), names(0..2));
    assert!(backend.verify().is_sound());
}

#[tokio::test]
async fn a_full_queue_is_said_and_what_is_in_it_is_written() {
    let backend = Arc::new(InMemory::new());
    let settings = AuditSettings { queue: 8, grace: Duration::from_secs(600), ..impatient() };
    let log = open(&backend, settings).await;
    backend.behave(Behaviour::Fail);
    let mut taken = 0;
    let error = loop {
        match log.append_soon(event(taken)).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "AUD-002");
    assert_eq!(log.check().unwrap_err().code(), "AUD-002");
    assert!(taken >= 8, "{taken}");
    backend.behave(Behaviour::Work);
    eventually(|| resources(&backend, &log) == names(0..taken)).await;
    log.check().unwrap();
    assert!(backend.verify().is_sound());
}

#[tokio::test]
async fn somebody_else_in_the_chain_stops_the_log() {
    let backend = Arc::new(InMemory::new());
    let log = open(&backend, AuditSettings::default()).await;
    let mut row = backend.rows().pop().unwrap();
    row.seq += 1;
    backend.tables().rows.insert((row.chain, row.seq), row);
    assert_eq!(log.append(event(0)).await.unwrap_err().code(), "AUD-005");
    assert_eq!(log.append(event(1)).await.unwrap_err().code(), "AUD-005");
    assert_eq!(log.check().unwrap_err().code(), "AUD-005");
}

#[tokio::test]
async fn nothing_is_opened_on_a_store_that_fails() {
    let backend = Arc::new(InMemory::new());
    backend.behave(Behaviour::Fail);
    let clock = Arc::new(FixedClock::new(NOW));
    let opened = AuditLog::start(backend, clock, AuditSettings::default(), "test").await;
    assert_eq!(opened.unwrap_err().code(), "STORE-001");
}

#[tokio::test]
async fn a_chain_that_ended_without_a_word_is_simply_at_its_end() {
    let backend = Arc::new(InMemory::new());
    let log = open(&backend, AuditSettings::default()).await;
    log.append(event(0)).await.unwrap();
    let first = log.chain();
    drop(log);
    let log = open(&backend, AuditSettings::default()).await;
    assert_ne!(log.chain(), first);
    log.append(event(1)).await.unwrap();
    let report = backend.verify();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.chains, 2);
}

#[tokio::test]
async fn each_chain_is_quoted_once_where_it_ended_and_again_when_it_grew() {
    let backend = Arc::new(InMemory::new());
    let quotes = |log: &AuditLog| {
        let own = backend.rows().into_iter().filter(|row| &row.chain == log.chain().as_bytes());
        own.flat_map(|row| serde_json::from_str::<Record>(&row.record).unwrap().event.heads).count()
    };
    let first = open(&backend, AuditSettings::default()).await;
    first.close().await.unwrap();
    let second = open(&backend, AuditSettings::default()).await;
    assert_eq!(quotes(&second), 1);
    // The first is quoted by the second as it is.
    let third = open(&backend, AuditSettings::default()).await;
    assert_eq!(quotes(&third), 1);
    second.append(event(0)).await.unwrap();
    let fourth = open(&backend, AuditSettings::default()).await;
    assert_eq!(quotes(&fourth), 2);
    // From time to time a chain quotes those that grew, itself not among them.
    let often = AuditSettings { quote: Duration::from_millis(20), ..AuditSettings::default() };
    let fifth = open(&backend, often).await;
    let before = quotes(&fifth);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(quotes(&fifth), before);
    third.append(event(1)).await.unwrap();
    eventually(|| quotes(&fifth) == before + 1).await;
    assert!(backend.verify().is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_writers_at_once() {
    let backend = Arc::new(InMemory::new());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let log = open(&backend, AuditSettings::default()).await;
        for writer in 0..4 {
            let log = log.clone();
            tasks.spawn(async move {
                for n in 0..50 {
                    let event = event(writer * 1000 + n);
                    if n % 2 == 0 {
                        log.append(event).await.unwrap()
                    } else {
                        log.append_soon(event).await.unwrap()
                    }
                }
                log
            });
        }
    }
    let logs = tasks.join_all().await;
    for log in &logs {
        let _closed_by_another_handle = log.close().await;
    }
    for log in [&logs[0], logs.iter().find(|log| log.chain() != logs[0].chain()).unwrap()] {
        let found = resources(&backend, log);
        assert_eq!(found.len(), 200);
        for writer in 0..4 {
            let own: Vec<&String> =
                found.iter().filter(|name| name[4..].parse::<usize>().unwrap() / 1000 == writer).collect();
            assert_eq!(own.len(), 50);
            assert!(own.is_sorted_by_key(|name| name[4..].parse::<usize>().unwrap()), "{own:?}");
        }
    }
    let report = backend.verify();
    assert!(report.is_sound(), "{report:?}");
}

#[tokio::test]
async fn refusals_that_strangers_cause_are_bounded_and_counted() {
    let backend = Arc::new(InMemory::new());
    let log = open(&backend, AuditSettings { occasional_per_minute: 3, ..AuditSettings::default() }).await;
    for n in 0..10 {
        log.append_occasional(event(n)).await;
    }
    log.close().await.unwrap();
    assert_eq!(resources(&backend, &log), names(0..3));
}
