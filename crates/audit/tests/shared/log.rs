//! The log in a real store: written, verified, exported, pruned, restarted, tampered with.

use std::sync::Arc;

use assay_audit::{
    AuditKeys, AuditLog, AuditSettings, Break, Event, ExportLine, ExportReader, Filter, Kind, Outcome,
    SignedHead, export_store, find, prune, public_keys, rotate, verify_export, verify_store,
};
use assay_store::Store;
use assay_types::{Coded as _, FixedClock, UnixTime};

use crate::Place;

const NOW: UnixTime = UnixTime(1_790_000_000);

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(NOW))
}

async fn open(store: &Store, clock: &Arc<FixedClock>) -> AuditLog {
    AuditLog::open(store.clone(), clock.clone(), AuditSettings::default(), "test").await.unwrap()
}

fn event(n: usize) -> Event {
    Event::new(Kind::Release, Outcome::Ok).resource(format!("a/b/{n}")).who(format!("attestation {n}"))
}

async fn sound(store: &Store) -> u64 {
    let report = verify_store(store, &[]).await.unwrap();
    assert!(report.is_sound(), "{report:#?}");
    report.records
}

async fn export(store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    export_store(store, &mut out, NOW, true).await.unwrap();
    out
}

fn heads_of(export: &[u8]) -> Vec<SignedHead> {
    let mut reader = ExportReader::new(export).unwrap();
    let mut heads = Vec::new();
    while let Some(line) = reader.next_line().unwrap() {
        if let ExportLine::Head(head) = line {
            heads.push(head);
        }
    }
    heads
}

#[tokio::test]
async fn a_log_outlives_its_processes() {
    let place = Place::new().await;
    let clock = clock();
    let store = place.open().await;
    let log = open(&store, &clock).await;
    for n in 0..70 {
        if n % 5 == 0 {
            log.append(event(n)).await.unwrap()
        } else {
            log.append_soon(event(n)).await.unwrap()
        }
    }
    log.append(event(70)).await.unwrap();
    // No close: what was acknowledged is there all the same.
    store.close().await;
    drop(log);

    let store = place.open().await;
    assert_eq!(sound(&store).await, 72);
    let log = open(&store, &clock).await;
    log.append(event(71)).await.unwrap();
    log.close().await.unwrap();
    assert_eq!(sound(&store).await, 75);
    let found = find(&store, &Filter { kind: Some(Kind::Release), ..Filter::default() }, 100).await.unwrap();
    assert_eq!((found.records.len(), found.unreadable), (72, 0));
    store.close().await;
}

#[tokio::test]
async fn what_is_looked_for_is_found_and_nothing_else() {
    let place = Place::new().await;
    let clock = clock();
    let store = place.open().await;
    let log = open(&store, &clock).await;
    for n in 0..30 {
        clock.advance(10);
        let event = event(n);
        let event =
            if n % 2 == 0 { event } else { Event { kind: Kind::Denial, outcome: Outcome::Refused, ..event } };
        log.append(event).await.unwrap();
    }
    let count = |filter: Filter| {
        let store = store.clone();
        async move { find(&store, &filter, 1000).await.unwrap().records.len() }
    };
    let all = Filter::default();
    assert_eq!(count(all.clone()).await, 31);
    assert_eq!(count(Filter { kind: Some(Kind::Denial), ..all.clone() }).await, 15);
    assert_eq!(count(Filter { outcome: Some(Outcome::Refused), ..all.clone() }).await, 15);
    assert_eq!(count(Filter { since: Some(NOW.plus(200)), ..all.clone() }).await, 11);
    assert_eq!(count(Filter { until: Some(NOW.plus(200)), ..all.clone() }).await, 20);
    assert_eq!(
        count(Filter { since: Some(NOW.plus(100)), until: Some(NOW.plus(200)), ..all.clone() }).await,
        10
    );
    assert_eq!(count(Filter { resource: Some("a/b/1".to_owned()), ..all.clone() }).await, 11);
    assert_eq!(count(Filter { who: Some("attestation 29".to_owned()), ..all.clone() }).await, 1);
    let newest = find(&store, &all, 3).await.unwrap().records;
    let names: Vec<_> = newest.iter().map(|record| record.event.resource.as_deref().unwrap()).collect();
    assert_eq!(names, ["a/b/29", "a/b/28", "a/b/27"]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_processes_write_while_the_log_is_verified_and_exported() {
    let place = Place::new().await;
    let store = place.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = place.open().await;
        tasks.spawn(async move {
            let log = open(&store, &clock()).await;
            for n in 0..40 {
                log.append(event(n)).await.unwrap();
            }
            log.close().await.unwrap();
            store.close().await;
        });
    }
    let keys = loop {
        let keys = public_keys(&store).await.unwrap().keys;
        if !keys.is_empty() {
            break AuditKeys::new(&keys).unwrap();
        }
    };
    while !tasks.is_empty() {
        sound(&store).await;
        let text = export(&store).await;
        let report = verify_export(|| Ok(text.as_slice()), &keys, &[]).unwrap();
        assert!(report.is_sound(), "{report:#?}");
        while tasks.try_join_next().is_some() {}
    }
    assert_eq!(sound(&store).await, 8 * 42);
    store.close().await;
}

#[tokio::test]
async fn an_export_is_verified_without_the_store_and_tells_of_a_rollback() {
    let place = Place::new().await;
    let store = place.open().await;
    let log = open(&store, &clock()).await;
    log.append(event(0)).await.unwrap();
    let early = export(&store).await;
    log.append(event(1)).await.unwrap();
    log.close().await.unwrap();
    let late = export(&store).await;
    let keys = AuditKeys::new(&public_keys(&store).await.unwrap().keys).unwrap();
    for text in [&early, &late] {
        assert!(verify_export(|| Ok(text.as_slice()), &keys, &[]).unwrap().is_sound());
    }
    // The late one knows all that the early one did, but not the other way round.
    assert!(verify_export(|| Ok(late.as_slice()), &keys, &heads_of(&early)).unwrap().is_sound());
    assert!(verify_store(&store, &heads_of(&early)).await.unwrap().is_sound());
    let report = verify_export(|| Ok(early.as_slice()), &keys, &heads_of(&late)).unwrap();
    assert_eq!(report.broken.iter().map(|place| place.what).collect::<Vec<_>>(), [Break::Missing]);
    store.close().await;
}

#[tokio::test]
async fn pruned_records_are_vouched_for_again_and_again() {
    let place = Place::new().await;
    let clock = clock();
    let store = place.open().await;
    // A chain that ends before, one that goes on, and heads of that time.
    let first = open(&store, &clock).await;
    first.append(event(0)).await.unwrap();
    first.close().await.unwrap();
    let second = open(&store, &clock).await;
    second.append(event(1)).await.unwrap();
    let heads = heads_of(&export(&store).await);
    clock.advance(100);
    second.append(event(2)).await.unwrap();
    let before = sound(&store).await;
    assert_eq!(before, 6);

    for round in 0..3_u64 {
        let log = open(&store, &clock).await;
        let pruned = prune(&store, &log, clock_now(&clock).plus(-50), "an operator").await.unwrap();
        log.close().await.unwrap();
        assert!(pruned.records > 0, "{round}");
        let report = verify_store(&store, &heads).await.unwrap();
        assert!(report.is_sound(), "{report:#?}");
        assert!(report.pruned >= 5, "{report:#?}");
        if round == 0 {
            assert_eq!((pruned.records, pruned.chains), (5, 2));
        }
        clock.advance(100);
        second.append(event(3)).await.unwrap();
        sound(&store).await;
    }
    let text = export(&store).await;
    let keys = AuditKeys::new(&public_keys(&store).await.unwrap().keys).unwrap();
    assert!(verify_export(|| Ok(text.as_slice()), &keys, &heads).unwrap().is_sound());
    store.close().await;
}

fn clock_now(clock: &FixedClock) -> UnixTime {
    assay_types::Clock::now(clock)
}

#[tokio::test]
async fn a_prune_that_was_cut_short_does_no_harm() {
    let place = Place::new().await;
    let clock = clock();
    let store = place.open().await;
    let old = open(&store, &clock).await;
    for n in 0..6 {
        old.append(event(n)).await.unwrap();
    }
    clock.advance(100);
    old.append(event(6)).await.unwrap();
    // Announced up to 7, and only 3 of them are gone.
    let log = open(&store, &clock).await;
    let hash = store
        .audit_page(None, 100)
        .await
        .unwrap()
        .into_iter()
        .find(|row| &row.chain == old.chain().as_bytes() && row.seq == 6);
    let cut = assay_audit::HeadRef { chain: old.chain(), length: 7, hash: hash.unwrap().hash.into() };
    log.append(Event { pruned: vec![cut], ..Event::new(Kind::Prune, Outcome::Ok) }).await.unwrap();
    sound(&store).await;
    store.prune_audit(old.chain().as_bytes(), 3, NOW).await.unwrap();
    sound(&store).await;
    // The next prune ends it.
    let pruned = prune(&store, &log, NOW.plus(50), "an operator").await.unwrap();
    assert_eq!(pruned.records, 4);
    sound(&store).await;
    // What was not announced is missing.
    store.prune_audit(old.chain().as_bytes(), 8, NOW).await.unwrap();
    assert!(!verify_store(&store, &[]).await.unwrap().is_sound());
    store.close().await;
}

#[tokio::test]
async fn nothing_is_pruned_when_there_is_nothing_old() {
    let place = Place::new().await;
    let clock = clock();
    let store = place.open().await;
    let log = open(&store, &clock).await;
    assert_eq!(prune(&store, &log, NOW, "an operator").await.unwrap().records, 0);
    assert_eq!(sound(&store).await, 1);
    store.close().await;
}

#[tokio::test]
async fn heads_signed_before_a_rotation_hold_after_it() {
    let place = Place::new().await;
    let clock = clock();
    let store = place.open().await;
    let first = open(&store, &clock).await;
    first.append(event(0)).await.unwrap();
    first.close().await.unwrap();
    let second = open(&store, &clock).await;
    second.append(event(1)).await.unwrap();
    let kid = rotate(&store, NOW).await.unwrap();
    second.reload_keys().await;
    second.append(event(2)).await.unwrap();
    assert_eq!(public_keys(&store).await.unwrap().keys.len(), 2);
    let heads = store.audit_heads().await.unwrap();
    let of = |log: &AuditLog| heads.iter().find(|head| &head.chain == log.chain().as_bytes()).unwrap();
    assert!(signed_by(&of(&second).signature, &kid));
    assert!(!signed_by(&of(&first).signature, &kid));
    sound(&store).await;
    store.close().await;
}

fn signed_by(signature: &str, kid: &str) -> bool {
    assay_token::CompactJws::parse(signature).unwrap().kid() == Some(kid)
}

#[tokio::test]
async fn a_store_that_is_closed_fails_appends_and_the_check() {
    let place = Place::new().await;
    let store = place.open().await;
    let settings = AuditSettings {
        patience: std::time::Duration::from_millis(200),
        grace: std::time::Duration::from_millis(50),
        ..AuditSettings::default()
    };
    let log = AuditLog::open(store.clone(), clock(), settings, "test").await.unwrap();
    log.append(event(0)).await.unwrap();
    store.close().await;
    assert_eq!(log.append(event(1)).await.unwrap_err().code(), "AUD-003");
    assert_eq!(log.append(event(2)).await.unwrap_err().code(), "AUD-001");
    assert!(log.check().is_err());
}

#[tokio::test]
async fn a_broken_log_is_not_pruned() {
    let place = Place::new().await;
    let clock = clock();
    let store = place.open().await;
    let log = open(&store, &clock).await;
    log.append(event(0)).await.unwrap();
    // Records that are gone and that no prune speaks of.
    store.prune_audit(log.chain().as_bytes(), 1, NOW).await.unwrap();
    let report = verify_store(&store, &[]).await.unwrap();
    assert_eq!(report.broken.iter().map(|place| place.what).collect::<Vec<_>>(), [Break::Missing]);
    let refused = prune(&store, &log, NOW.plus(10), "an operator").await.unwrap_err();
    assert_eq!(refused.code(), "AUD-011");
    store.close().await;
}

#[tokio::test]
async fn hands_on_the_tables_are_seen() {
    let place = Place::new().await;
    let store = place.open().await;
    let log = open(&store, &clock()).await;
    for n in 0..4 {
        log.append(event(n)).await.unwrap();
    }
    sound(&store).await;
    let broken = async |statement: &str| {
        place.run(statement).await;
        let report = verify_store(&store, &[]).await.unwrap();
        report.broken.into_iter().map(|place| place.what).collect::<Vec<_>>()
    };
    let found = broken("UPDATE audit_records SET record = REPLACE(record, 'a/b/1', 'a/b/9')").await;
    assert_eq!(found, [Break::Altered]);
    broken("UPDATE audit_records SET record = REPLACE(record, 'a/b/9', 'a/b/1')").await;
    assert_eq!(broken("UPDATE audit_records SET time = time + 1 WHERE seq = 2").await, [Break::Altered]);
    broken("UPDATE audit_records SET time = time - 1 WHERE seq = 2").await;
    assert_eq!(
        broken("UPDATE audit_heads SET length = length - 1").await,
        [Break::HeadForged, Break::BeyondHead]
    );
    broken("UPDATE audit_heads SET length = length + 1").await;
    sound(&store).await;
    assert_eq!(broken("DELETE FROM audit_records WHERE seq = 4").await, [Break::Missing]);
    assert_eq!(broken("DELETE FROM audit_records").await, [Break::Missing]);
    assert_eq!(broken("DELETE FROM audit_heads").await, []);
    store.close().await;
}
